/**
 * Env: the whole operating system behind one interface. All code takes time, disk, network and randomness from it,
 * so that a whole cluster can run in one thread under a simulator that controls each of them.
 *
 * Pure functions of `node:crypto` and `node:zlib` may be used anywhere; `randomBytes` only behind {@link Random}.
 * Every error that leaves an Env is an `AshlarError`: errno is translated here and nowhere else.
 * @module
 */
import type { Clock } from './clock.ts'
import type { Disk } from './disk.ts'
import type { Hashes } from './hashes.ts'
import type { Log } from './log.ts'
import type { Network } from './network.ts'
import type { Random } from './random.ts'
import type { RequestLabel } from './request-label.ts'

export interface Env {
  readonly clock: Clock
  readonly random: Random
  readonly disk: Disk
  readonly network: Network
  readonly hashes: Hashes
  readonly log: Log
  /** A label for the next request of a user. Undefined: requests go without. */
  readonly nextLabel?: () => RequestLabel
  /**
   * A site where the simulator may make something rare happen (a short read, a full queue). Always false in production.
   * @param name unique, stable name of the site
   */
  buggify(name: string): boolean
}
