/** From options to a connected client: raw → checked → used. Nothing is clamped silently. @module */
import { AshlarError, toAshlarError } from '../base/errors.ts'
import type { ClusterId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import type { Env } from '../env/env.ts'
import { createNodeEnv } from '../env/node-env.ts'
import { abortable } from '../env/waiting.ts'
import { Client } from './client.ts'
import { ClientCore } from './client-core.ts'
import {
  type ClusterFile,
  checkClusterFile,
  clientCredentials,
  defaultClusterFilePath,
  readClusterFile,
} from './cluster-file.ts'
import type { AshlarClient } from './filesystem.ts'
import { labelled } from './label-requests.ts'
import type { ConnectOptions } from './options.ts'

const leastBufferBytes = 4 * limits.framePayloadBytes
const longestTimeoutMs = 2 ** 31 - 1

/** As `connect` of the package, on a Node that is new enough. */
export async function connectClient(options: ConnectOptions): Promise<AshlarClient> {
  const timeoutMs = inRange('timeoutMs', options.timeoutMs ?? limits.requestTimeoutMs, 1, longestTimeoutMs)
  const bufferBytes = inRange(
    'bufferBytes',
    options.bufferBytes ?? limits.clientBufferBytes,
    leastBufferBytes,
    Number.MAX_SAFE_INTEGER,
  )
  const chunkSizeBytes = inRange(
    'chunkSizeBytes',
    options.chunkSizeBytes ?? limits.chunkSizeMaxBytes,
    1,
    limits.chunkSizeMaxBytes,
  )
  const chunkCacheBytes = inRange('chunkCacheBytes', options.chunkCacheBytes ?? 0, 0, Number.MAX_SAFE_INTEGER)
  const env = options.env ?? createNodeEnv({ log: 'warn' })
  const cluster = options.cluster ?? defaultClusterFilePath()
  const file = await clusterFileOf(env, cluster)
  const core = new ClientCore({
    env,
    clusterId: file.clusterId as ClusterId,
    address: file.address,
    locate: typeof cluster === 'object' ? undefined : () => addressNow(env, cluster, file),
    credentials: clientCredentials(file),
    timeoutMs,
    chunkSizeBytes,
    bufferBytes,
    chunkCacheBytes,
  })
  try {
    await abortable(core.maps.refresh(), options.signal, 'connect')
  } catch (error) {
    await core.close()
    throw error
  }
  return new (labelled(Client, env))(core)
}

async function clusterFileOf(env: Env, cluster: ClusterFile | string): Promise<ClusterFile> {
  if (typeof cluster === 'object') return checkClusterFile(cluster, 'given as an object')
  return await readClusterFile(env.disk, cluster)
}

/** The address in the cluster file by now: a master that was started again may have another one. */
async function addressNow(env: Env, path: string, file: ClusterFile): Promise<string> {
  try {
    const now = await readClusterFile(env.disk, path)
    return now.clusterId === file.clusterId ? now.address : file.address
  } catch (error) {
    // Gone, or being written: the address that is known is the best there is.
    env.log.debug('the cluster file was not read again', { path, code: toAshlarError(error).code })
    return file.address
  }
}

function inRange(name: string, value: number, least: number, most: number): number {
  if (!Number.isSafeInteger(value) || value < least || value > most) {
    throw new AshlarError(
      'invalid-argument',
      `Cannot connect: ${name} is ${value}; give a whole number from ${least} to ${most}`,
    )
  }
  return value
}
