/** Verbs by which the cluster explains itself, in the order that `ashlar help` shows. @module */
import type { VerbRegistry } from '../verb-registry.ts'
import { registerBackupVerb } from './backup-verb.ts'
import { registerChunkVerb } from './chunk-verb.ts'
import { registerEventsVerb } from './events-verb.ts'
import { registerExplainVerb } from './explain-verb.ts'
import { registerFsckVerb } from './fsck-verb.ts'
import { registerSafeModeVerb } from './safe-mode-verb.ts'
import { registerScrubVerb } from './scrub-verb.ts'

export function registerInsightVerbs(registry: VerbRegistry): void {
  registerFsckVerb(registry)
  registerSafeModeVerb(registry)
  registerScrubVerb(registry)
  registerEventsVerb(registry)
  registerExplainVerb(registry)
  registerBackupVerb(registry)
  registerChunkVerb(registry)
}
