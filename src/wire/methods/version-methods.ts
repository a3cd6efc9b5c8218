/** Client to master: versions of files, for directories that keep them. Reads are numbers 48–49, mutations 70–75. @module */
import { bool, bytes, choice, field, type Infer, id, list, optional, struct, text, uint } from '../../base/codec.ts'
import { limits } from '../../base/limits.ts'
import type { Rising } from '../../base/rising.ts'
import { method } from '../method.ts'
import {
  attributes,
  newAttributes,
  objectLock,
  precondition,
  requestId,
  retention,
  versioning,
} from '../types/attributes.ts'

const path = text(limits.pathBytes)

/** A version or delete marker; or (without attributes) all keys that begin so. */
export const listedVersion = struct('listed version', 1, {
  name: field(1, path),
  attributes: optional(2, attributes),
  isLatest: optional(3, bool),
})
export type ListedVersion = Infer<typeof listedVersion>

/** As `listObjects`, of all versions: the keys in the order of their bytes, the versions of each from the newest on. */
export const listVersions = method({
  number: 48,
  name: 'listVersions',
  request: struct('listVersions', 1, {
    bucket: field(1, text(limits.nameBytes)),
    prefix: field(2, path),
    /** Empty: none. */
    delimiter: field(3, path),
    /** Only keys behind this one; with `afterVersion`, also the versions of it that are older than that. */
    after: field(4, path),
    afterVersion: optional(5, uint),
    limit: field(6, uint),
    wantXattrs: optional(7, bool),
    /** As the last page gave it, instead of `after`. */
    cursor: optional(8, bytes(2 * limits.pathBytes)),
  }),
  response: struct('listVersions response', 1, {
    /** Perhaps none, although there is more. */
    versions: field(1, list(listedVersion, limits.listPageEntries)),
    cursor: optional(2, bytes(2 * limits.pathBytes)),
  }),
  callers: ['client'],
})

/** Makes a directory keep versions, and lets them be locked. Neither can be taken back; `suspended` is as far as it goes. */
export const setVersioning = method({
  number: 70,
  name: 'setVersioning',
  request: struct('setVersioning', 1, {
    request: field(1, requestId),
    path: field(2, path),
    versioning: optional(3, versioning),
    objectLock: optional(4, objectLock),
  }),
  response: struct('setVersioning response', 1, { attributes: field(1, attributes) }),
  callers: ['client'],
})

/**
 * Removes an object as S3 does. Where versions are kept: puts a delete marker on top, also of nothing; or, with
 * `objectVersion`, takes that one version to trash, whatever is below it becoming current. One that is not there is no error.
 */
export const removeObject = method({
  number: 71,
  name: 'removeObject',
  request: struct('removeObject', 1, {
    request: field(1, requestId),
    path: field(2, path),
    /** 0: the null version. */
    objectVersion: optional(3, uint),
    /** Of a version whose retention yields to it. */
    bypassGovernance: optional(4, bool),
    /** Of what is removed or covered. */
    precondition: field(5, precondition),
    /** Of the delete marker. */
    marker: optional(6, newAttributes),
  }),
  response: struct('removeObject response', 1, {
    /** Where something went there. */
    trash: optional(1, id<Rising>()),
    /** The version that was removed, or the delete marker that was put. */
    objectVersion: optional(2, uint),
    isDeleteMarker: field(3, bool),
    /** Something was there to be removed or covered. */
    found: field(4, bool),
  }),
  callers: ['client'],
})

/** Sets the lock of a version. What is absent stays. @throws `object-locked` where it would be less protected */
export const setObjectLock = method({
  number: 72,
  name: 'setObjectLock',
  request: struct('setObjectLock', 1, {
    request: field(1, requestId),
    path: field(2, path),
    objectVersion: optional(3, uint),
    retention: optional(4, retention),
    /** No retention any more. */
    clearRetention: optional(5, bool),
    legalHold: optional(6, bool),
    bypassGovernance: optional(7, bool),
  }),
  response: struct('setObjectLock response', 1, { attributes: field(1, attributes) }),
  callers: ['client'],
})

/** What the lifecycle rules of a bucket want removed now. Nothing is: the leader does it in its own time. */
export const planLifecycle = method({
  number: 49,
  name: 'planLifecycle',
  request: struct('planLifecycle', 1, { bucket: field(1, text(limits.nameBytes)) }),
  response: struct('planLifecycle response', 1, {
    steps: field(
      1,
      list(
        struct('lifecycle expiry', 1, {
          key: field(1, path),
          objectVersion: field(2, uint),
          kind: field(3, choice('delete', 'delete-version')),
          ruleId: field(4, text(1024)),
        }),
        limits.planSteps,
      ),
    ),
    /** These are all. */
    isWhole: field(2, bool),
  }),
  callers: ['client'],
})
