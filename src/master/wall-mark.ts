/** Keeps the mark of the wall's pace in the metadata, and tells when the wall leaves it. @module */
import type { Leader } from '../namespace/namespace.ts'
import type { EventLog } from './event-log.ts'
import type { WallChange, WallGuard } from './wall-guard.ts'
import type { StepResult } from './worker.ts'

export const wallMarkRecord = 'wall-mark'

/** Whoever corrects a clock does it within a day. */
export const acceptAfterMs = 86_400_000

const told: Readonly<Record<WallChange, string>> = {
  jumped: 'the wall clock jumped: retentions and lifecycle go by cluster time',
  right: 'the wall clock is back where it was: it is believed again',
  accepted: 'the wall clock kept its new pace for a day: it is believed now',
}

export async function keepWallMark({
  wall,
  leader,
  events,
}: {
  readonly wall: WallGuard
  readonly leader: Leader
  readonly events: EventLog
}): Promise<StepResult> {
  const change = wall.look()
  await leader.putRecord(wallMarkRecord, wall.mark)
  if (change !== undefined) {
    events.tell({ kind: 'clock-jumped', what: told[change], reason: 'compared with cluster time, which is monotonic' })
  }
  return 'idle'
}
