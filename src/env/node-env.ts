/**
 * The Env of production: the clock, disk, network and randomness of the operating system.
 * @module
 */
import type { Env } from './env.ts'
import type { Log } from './log.ts'
import { createNodeClock } from './node-clock.ts'
import { createNodeDisk } from './node-disk.ts'
import { createNodeHashes } from './node-hashes.ts'
import { createNodeLog, type LogLevel } from './node-log.ts'
import { createNodeNetwork } from './node-network.ts'
import { createNodeRandom } from './node-random.ts'
import { labelSource } from './request-label.ts'

export interface NodeEnvOptions {
  /** A log of the caller's, or the level from which lines go to stderr as JSON; `silent` writes none. Default `info`. */
  readonly log?: Log | LogLevel
}

export function createNodeEnv({ log = 'info' }: NodeEnvOptions = {}): Env {
  const chosenLog = typeof log === 'string' ? createNodeLog(log) : log
  const random = createNodeRandom()
  // Made for the first request: it draws, and whoever sends none need not load what draws.
  let nextLabel: Env['nextLabel'] | undefined
  return {
    clock: createNodeClock(),
    random,
    disk: createNodeDisk(),
    network: createNodeNetwork({ log: chosenLog }),
    hashes: createNodeHashes(),
    log: chosenLog,
    nextLabel: () => {
      nextLabel ??= labelSource(random)
      return nextLabel()
    },
    buggify: () => false,
  }
}
