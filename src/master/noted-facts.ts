/**
 * What nobody decides and people must hear of all the same: a server that is full, a disk of the metadata that is full, many
 * servers silent at once. Looked at from time to time, and told when it changes.
 * @module
 */
import type { ServerId } from '../base/ids.ts'
import { formatDuration } from '../base/sizes.ts'
import type { NewEvent } from '../wire/types/cluster-event.ts'

export interface Facts {
  /** Why servers refuse writes now: those that do. */
  readonly refusals: ReadonlyMap<ServerId, string>
  /** How long a hold-off lasts yet, while there is one. */
  readonly holdOffMs: number | undefined
  readonly isMetadataFull: boolean
}

export const nothingNoted: Facts = { refusals: new Map(), holdOffMs: undefined, isMetadataFull: false }

export function changedFacts(before: Facts, after: Facts): readonly NewEvent[] {
  const told: NewEvent[] = []
  for (const [server, refusal] of after.refusals) {
    if (before.refusals.get(server) === refusal) continue
    told.push({ kind: 'server-full', what: `${server.slice(0, 8)} refuses writes`, reason: refusal, server })
  }
  for (const server of before.refusals.keys()) {
    if (after.refusals.has(server)) continue
    told.push({ kind: 'server-has-room', what: `${server.slice(0, 8)} takes writes again`, server })
  }
  if (after.holdOffMs !== undefined && before.holdOffMs === undefined) {
    const what = `repairs that can wait do, for ${formatDuration(after.holdOffMs)}; nothing is deleted`
    told.push({ kind: 'hold-off-begun', what, reason: 'many servers fell silent together' })
  }
  if (after.holdOffMs === undefined && before.holdOffMs !== undefined) {
    told.push({
      kind: 'hold-off-ended',
      what: 'repairs and deletes go on',
      reason: 'enough servers are back, or the time is over',
    })
  }
  if (after.isMetadataFull !== before.isMetadataFull) {
    told.push(
      after.isMetadataFull
        ? {
            kind: 'metadata-full',
            what: 'the metadata takes deletes only',
            reason: 'its disk is full: make room there',
          }
        : { kind: 'metadata-has-room', what: 'the metadata takes everything again' },
    )
  }
  return told
}
