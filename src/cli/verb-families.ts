/**
 * Which file registers a verb, so that a start loads that file and not the hundred others: `ashlar ls` does not pay for
 * `ashlar up`, nor a chunk server for `ashlar ls`. Whatever is not found here (help, a mistyped verb, a verb that lists the
 * others) gets all of them.
 * @module
 */
import type { VerbRegistry } from './verb-registry.ts'

export type Register = (registry: VerbRegistry) => void

interface VerbFamily {
  /** Names and aliases: all that `load` registers. */
  readonly verbs: readonly string[]
  readonly load: () => Promise<Register>
}

export const verbFamilies: readonly VerbFamily[] = [
  { verbs: ['up'], load: async () => (await import('./up/up-verb.ts')).registerUp },
  {
    verbs: ['master', 'chunkserver', 'join'],
    load: async () => (await import('./servers/server-verbs.ts')).registerServerVerbs,
  },
  { verbs: ['s3'], load: async () => (await import('./s3/s3-verbs.ts')).registerS3 },
  { verbs: ['put', 'get'], load: async () => (await import('./verbs/transfer-verbs.ts')).registerTransferVerbs },
  {
    verbs: ['cat', 'append', 'checksum'],
    load: async () => (await import('./verbs/content-verbs.ts')).registerContentVerbs,
  },
  {
    verbs: ['ls', 'tree', 'stat', 'du', 'find'],
    load: async () => (await import('./verbs/look-verbs.ts')).registerLookVerbs,
  },
  {
    verbs: ['mkdir', 'mv', 'cp', 'rm', 'touch'],
    load: async () => (await import('./verbs/change-verbs.ts')).registerChangeVerbs,
  },
  { verbs: ['undelete', 'trash'], load: async () => (await import('./verbs/trash-verbs.ts')).registerTrashVerbs },
  { verbs: ['lock'], load: async () => (await import('./verbs/lock-verb.ts')).registerLockVerb },
  {
    verbs: ['nodes', 'groups', 'status', 'df', 'config'],
    load: async () => (await import('./verbs/cluster-verbs.ts')).registerClusterVerbs,
  },
]

/** @param argv what follows `ashlar` on the command line */
export async function verbsFor(argv: readonly string[]): Promise<Register> {
  const [name] = argv
  const family = verbFamilies.find(({ verbs }) => name !== undefined && verbs.includes(name))
  return family === undefined ? (await import('./all-verbs.ts')).registerAllVerbs : await family.load()
}
