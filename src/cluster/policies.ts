/**
 * The policies that a directory may name: how many members a group has, and how few receipts suffice while the other
 * members are known to be down.
 *
 * `minReplicas` is where a write stops being worth its name. `replicated-3` goes on with two copies on two domains and
 * owes the third. `replicated-2` does not go on with one: a file that was acknowledged on two servers must not exist on
 * one, so while a member is down the write goes to another pair or is refused. `replicated-1` promises one copy.
 * @module
 */
import { limits } from '../base/limits.ts'
import type { Policy } from '../wire/types/cluster-map.ts'

const redundancies = [
  { name: 'replicated-1', kind: 'replicated', replicas: 1, minReplicas: 1 },
  { name: 'replicated-2', kind: 'replicated', replicas: 2, minReplicas: 2 },
  { name: 'replicated-3', kind: 'replicated', replicas: 3, minReplicas: 2 },
] as const

export const fallbackPolicyName = 'replicated-3'

/** All policies, with chunks of at most `chunkSizeBytes` (1 to `limits.chunkSizeMaxBytes`). */
export function policiesOf(chunkSizeBytes: number = limits.chunkSizeDefaultBytes): readonly Policy[] {
  return redundancies.map((redundancy) => ({ ...redundancy, chunkSizeBytes }))
}
