/** What the store says of its room, as heartbeats carry it. @module */
import type { SpaceUse } from '../store/chunk-store.ts'
import type { SpaceReport } from '../wire/methods/cluster-methods.ts'

export function spaceReportOf(use: SpaceUse): SpaceReport {
  return { ...use, refusal: use.refusal }
}
