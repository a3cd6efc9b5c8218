/**
 * Bugs of what the master does by itself: restoring, collecting, and what a start-up finds.
 * @module
 */
import { lostDisks, manyLooks, noTrash, type PlantedBug, powerCuts } from './grounds.ts'

export const bugsOfDuties: readonly PlantedBug[] = [
  {
    name: 'gc-after-a-lagging-restore',
    what: 'chunks of an older generation that restored metadata does not know are taken for orphans',
    ground: lostDisks,
    edits: [
      {
        file: 'cluster/reconcile.ts',
        find: "  if (chunkIdParts(facts.id).generation < generation) return 'it is of an older generation: a restore may have lost it'\n",
        replace: '',
      },
      {
        file: 'cluster/reconcile.ts',
        find: '  return parts.sequence >= nextSequence || parts.generation > generation',
        replace: '  return parts.generation === generation && parts.sequence >= nextSequence',
      },
    ],
  },
  {
    name: 'deletes-ahead-of-the-log',
    what: 'a chunk is deleted before the log that permits it is on chunk servers: metadata from a backup names what is gone',
    ground: [...lostDisks, ...noTrash],
    edits: [
      {
        file: 'master/backups.ts',
        find: '    if (this.#hasNoRoom) return\n    this.#refuseWhileExposed()',
        replace: '    if (this.#asked.length >= 0) return\n    this.#refuseWhileExposed()',
      },
    ],
  },
  {
    name: 'restore-without-the-log',
    what: 'a restore ends where its base does, and leaves out the changes of the log',
    ground: lostDisks,
    edits: [
      {
        file: 'master/restore.ts',
        find: '  for await (const { changes } of commitsOf(sources, { logs: plan.logs, after: plan.manifest.start })) {\n',
        replace:
          '  for await (const { changes, position } of commitsOf(sources, { logs: plan.logs, after: plan.manifest.start })) {\n    if (counterOf(position) > counterOf(plan.manifest.consistentAt)) break\n',
      },
    ],
  },
  {
    name: 'resurrected-delete',
    what: 'a start-up that goes through the latest records takes the puts and forgets the deletes: what was deleted is there again',
    ground: [...noTrash, ...powerCuts, ...manyLooks],
    edits: [
      {
        file: 'store/recovery.ts',
        find: "      await this.#add({ kind: 'delete', id, sequence, segment: segment.number })\n",
        replace: '',
      },
    ],
  },
]
