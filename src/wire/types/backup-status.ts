/** How the copies of the metadata on chunk servers stand. @module */
import { choice, field, type Infer, optional, struct, text, uint } from '../../base/codec.ts'

export const backupStatus = struct('backup status', 1, {
  /** `off`: not asked for; `making`: a base is being made, the log is not enough yet; `current`; `behind`: see `problem`. */
  state: field(1, choice('off', 'making', 'current', 'behind')),
  /** Since the newest base was complete. */
  ageMs: optional(2, uint),
  /** How old the oldest change is that is not on enough servers yet; 0: none. What a lost disk of the master would cost. */
  lagMs: field(3, uint),
  /** Servers that get the log. */
  servers: field(4, uint),
  /** Of what a server keeps, at most. */
  sizeBytes: field(5, uint),
  problem: optional(6, text(1024)),
})
export type BackupStatus = Infer<typeof backupStatus>
