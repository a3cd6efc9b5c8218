/**
 * Chunk servers of `ashlar up` whose stores are gone.
 *
 * A store that was made once and is missing now may be on a disk that is not mounted, so nothing is made in its place by
 * itself: the start is refused, with the way on. Replacing is asked for by number, and gives a new, empty server with an
 * identity of its own: an identity is never used again, and what the lost one held is copied from the other members.
 * @module
 */
import { join } from 'node:path'
import { AshlarError, isAshlarError } from '../../base/errors.ts'
import type { Disk } from '../../env/disk.ts'
import { removeTrace } from '../servers/store-trace.ts'
import { writePlan } from './plan-file.ts'
import type { ServerPlan, UpPlan } from './up-options.ts'

interface Place {
  readonly disk: Disk
  readonly dataFolder: string
}

export interface Replacement extends Place {
  /** Of chunk servers, from 1. */
  readonly numbers: readonly number[]
  /** Asks a person, where there is one. @throws {AshlarError} `cancelled` */
  readonly confirm: (question: string) => Promise<void>
}

export function chunkServerFolder(dataFolder: string, index: number): string {
  return join(dataFolder, `chunkserver-${index + 1}`)
}

/**
 * The plan, with new servers in place of those that `numbers` names. It is written before any of them starts: a crash in
 * between leaves the old ones known, or new ones asked for.
 * @throws {AshlarError} `bad-store` — a server that had a store has none; `invalid-argument` — one that is to be replaced has
 *   its store, or there is none of this number; `cancelled`
 */
export async function replaceLost(plan: UpPlan, { disk, dataFolder, numbers, confirm }: Replacement): Promise<UpPlan> {
  await checkReplaceable(plan, numbers, { disk, dataFolder })
  const servers = plan.servers.map((server, at) => (numbers.includes(at + 1) ? withoutIdentity(server) : server))
  const replaced = { ...plan, servers }
  await checkStores(replaced, { disk, dataFolder })
  if (numbers.length === 0) return plan
  await confirm(`Give up what chunk server ${numbers.join(', ')} held, and start new, empty ones instead?`)
  for (const number of numbers) await removeTrace(disk, chunkServerFolder(dataFolder, number - 1))
  await writePlan(disk, dataFolder, replaced)
  return replaced
}

async function checkReplaceable(plan: UpPlan, numbers: readonly number[], { disk, dataFolder }: Place): Promise<void> {
  for (const number of numbers) {
    if (plan.servers[number - 1] === undefined) {
      throw refused(number, `this data folder has chunk servers 1 to ${plan.servers.length}`)
    }
    const folder = chunkServerFolder(dataFolder, number - 1)
    if (await holdsStore(disk, folder)) {
      throw refused(number, `it still has its store in ${folder}. Only one whose folder is gone can be replaced`)
    }
  }
}

async function checkStores(plan: UpPlan, { disk, dataFolder }: Place): Promise<void> {
  for (const [index, { serverId }] of plan.servers.entries()) {
    const folder = chunkServerFolder(dataFolder, index)
    if (serverId === undefined || (await holdsStore(disk, folder))) continue
    throw new AshlarError(
      'bad-store',
      `Cannot start chunk server ${index + 1}: its store is missing from ${folder}. If that is on a disk of its own, see that it is ` +
        `mounted. If it is gone for good, start once with --replace-chunk-server ${index + 1}: a new, empty server takes its place`,
    )
  }
}

function withoutIdentity({ serverId: _, ...server }: ServerPlan): ServerPlan {
  return server
}

async function holdsStore(disk: Disk, folder: string): Promise<boolean> {
  try {
    await disk.info(join(folder, 'identity.json'))
    return true
  } catch (error) {
    if (isAshlarError(error, 'not-found', 'not-a-directory')) return false
    throw error
  }
}

function refused(number: number, why: string): AshlarError {
  return new AshlarError('invalid-argument', `Cannot replace chunk server ${number}: ${why}`)
}
