/**
 * What ends by itself, in cluster time: allocations, sessions, tombstones, and what is due in trash.
 * @module
 */
import { limits } from '../base/limits.ts'
import type { Leader } from '../namespace/namespace.ts'
import type { StepResult } from './worker.ts'

const rowsPerStep = 256
const purgesPerStep = 16

/** Closes allocations before it ends sessions: a session's are closed with it anyway. */
export async function expireStep(leader: Leader): Promise<StepResult> {
  const allocations = await leader.expireAllocations(rowsPerStep)
  const sessions = await leader.expireSessions(rowsPerStep)
  const tombstones = await leader.dropTombstones(limits.purgeStepChunks)
  const isFull = allocations >= rowsPerStep || sessions >= rowsPerStep || tombstones >= limits.purgeStepChunks
  return isFull ? 'more' : 'idle'
}

/** @param onTombstones chunks may now be deleted from their members */
export async function purgeStep(leader: Leader, onTombstones: () => void): Promise<StepResult> {
  const { chunks, more } = await leader.purgeDue(purgesPerStep)
  if (chunks > 0) onTombstones()
  return more ? 'more' : 'idle'
}
