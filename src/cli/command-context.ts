/** What every verb gets: output, options common to all, and a client of the cluster when it asks for one. @module */
import { AshlarError } from '../base/errors.ts'
import { parseDuration } from '../base/sizes.ts'
import { defaultClusterFilePath } from '../client/cluster-file.ts'
import type { AshlarClient } from '../client/filesystem.ts'
import { connect } from '../client/index.ts'
import type { Env } from '../env/env.ts'
import { createNodeEnv } from '../env/node-env.ts'
import type { Host } from './host.ts'
import { logLevel } from './log-level.ts'
import { createOutput, type Output } from './output.ts'

/** Options that every verb takes, as commander hands them over. */
export interface CommonOptions {
  readonly cluster?: string
  readonly timeout?: string
  readonly json?: boolean
}

/** How long a command waits for a master: with the start of the process it ends within 10 s. */
const defaultTimeoutMs = 8_000

export interface CommandContext {
  readonly env: Env
  readonly host: Host
  readonly output: Output
  /** Aborts on Ctrl-C and SIGTERM. */
  readonly signal: AbortSignal
  /** @throws {AshlarError} `unavailable` — no master answers; `unauthenticated`, at once */
  connect(): Promise<AshlarClient>
}

export function createContext(options: CommonOptions, host: Host): CommandContext {
  const env = createNodeEnv({ log: logLevel() })
  const timeoutMs = options.timeout === undefined ? defaultTimeoutMs : parseDuration(options.timeout)
  return {
    env,
    host,
    output: createOutput({ json: options.json === true }),
    signal: host.stop,
    connect: () => connectTo(clusterFilePath(options), { env, timeoutMs, signal: host.stop }),
  }
}

/** The `cluster.json` in force: `--cluster`, `ASHLAR_CLUSTER`, or the default data folder's. */
export function clusterFilePath({ cluster }: Pick<CommonOptions, 'cluster'>): string {
  const fromEnvironment = process.env['ASHLAR_CLUSTER']
  return cluster ?? (fromEnvironment === '' ? undefined : fromEnvironment) ?? defaultClusterFilePath()
}

async function connectTo(
  cluster: string,
  options: { readonly env: Env; readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<AshlarClient> {
  try {
    return await connect({ cluster, ...options })
  } catch (error) {
    if (!(error instanceof AshlarError)) throw error
    if (error.code === 'not-found') {
      throw new AshlarError(
        'unavailable',
        `Cannot find a cluster: there is no ${cluster}. Start one with "ashlar up", or name its cluster.json by --cluster or ASHLAR_CLUSTER`,
        { cause: error },
      )
    }
    if (error.code === 'unauthenticated') {
      throw new AshlarError(
        'unauthenticated',
        `Cannot enter the cluster of ${cluster}: its master refuses the key in this file. Take the cluster.json that the cluster wrote last`,
        { cause: error },
      )
    }
    throw error
  }
}
