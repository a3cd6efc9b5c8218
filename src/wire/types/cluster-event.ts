/** An event: one decision of the cluster, or one thing that happened to it, with its reason. @module */
import { choice, field, hex, type Infer, id, optional, struct, text, uint } from '../../base/codec.ts'
import type { GroupId, ServerId } from '../../base/ids.ts'

/** Every kind of event, and when there is one. `docs/events.md` has the same table. */
export const eventKinds = {
  'master-started': 'a master took the lead',
  'server-joined': 'a chunk server registered for the first time',
  'server-suspect': 'its connection closed, or heartbeats are late: it takes no new writes',
  'server-dead': 'silent for longer than `dead-after`: its groups are given to others',
  'server-returned': 'it registered again: it is compared with the metadata before it counts',
  'server-full': 'a chunk server refuses writes',
  'server-has-room': 'it takes writes again',
  'drain-asked': 'an operator asked a server to give all it holds to others',
  'drain-cancelled': 'it keeps what it still has',
  'server-left': 'nothing depends on a drained server any more',
  'maintenance-begun': 'its absence is expected: nothing is repaired for it',
  'maintenance-ended': 'or its time is over',
  'groups-formed': 'new groups were made of the servers there are',
  'repair-begun': 'a group fills another server in the place of one that is lost',
  'repair-done': 'the new member was seen to hold everything: the group is whole',
  'drain-begun': 'a group fills another server in the place of one that drains',
  'drain-done': 'that one was seen to hold everything',
  'rebalance-begun': 'a group moves from a heavy server to a light one',
  'rebalance-done': 'the light one was seen to hold everything',
  quarantine: 'replicas were found wrong and set aside; new copies are queued',
  'replicas-repaired': 'owed or wrong replicas were copied, each read back',
  'trash-purged': 'files left trash for good: their chunks became tombstones',
  gc: 'chunks of purged files were deleted from all their members',
  'orphans-removed': 'chunks that no file names, and no write can commit, were deleted',
  'former-copies-dropped': 'a former member dropped its copies: all members were seen to hold everything',
  'hold-off-begun': 'many servers fell silent together: repairs that can wait do, nothing is deleted',
  'hold-off-ended': 'repairs and deletes go on',
  'metadata-full': 'the disk of the metadata is full: it takes deletes only',
  'metadata-has-room': 'it takes everything again',
  'restore-needed': 'the metadata is older than the chunks: files can only be read',
  'duties-paused': 'an operator paused or resumed duties',
  'setting-changed': 'an operator changed a setting',
  'events-lost': 'more happened at once than could be written down',
  'backup-made': 'all rows of the metadata are on chunk servers, each copy read back',
  'backup-failed': 'that could not be done: a lost disk of the master would cost what was changed since the last one',
  'metadata-restored': 'this master was rebuilt from chunk servers: what came after its newest change is lost',
  lifecycle: 'rules of a bucket expired objects, or gave up uploads',
  'clock-jumped':
    'the wall clock is not where cluster time says: until it has kept its pace for a day, nothing expires by it',
  'backup-behind':
    'the change log does not reach enough chunk servers: a lost disk of the master would cost more than a second',
  'backup-current': 'it does again',
} as const
export type EventKind = keyof typeof eventKinds

export const clusterEvent = struct('cluster event', 1, {
  /** Rises by one; a gap means that events were dropped, as too old. */
  number: field(1, uint),
  /** Wall clock of the master, for people. */
  atMs: field(2, uint),
  kind: field(3, choice(...(Object.keys(eventKinds) as EventKind[]))),
  /** What happened, in one sentence. */
  what: field(4, text(1024)),
  /** Why. */
  reason: optional(5, text(1024)),
  server: optional(6, hex<ServerId>(16)),
  group: optional(7, id<GroupId>()),
  /** Of what is told together: chunks, replicas, groups. */
  count: optional(8, uint),
})
export type ClusterEvent = Infer<typeof clusterEvent>
export type NewEvent = Omit<ClusterEvent, 'number' | 'atMs'>
