/** Client to master: the namespace. Reads are numbers 40–59, mutations 60–89. @module */
import { bool, bytes, choice, field, type Infer, id, list, optional, struct, text, uint } from '../../base/codec.ts'
import { limits } from '../../base/limits.ts'
import type { Rising } from '../../base/rising.ts'
import { method } from '../method.ts'
import { attributes, newAttributes, precondition, requestId } from '../types/attributes.ts'
import { chunkDescription, extent } from '../types/extent.ts'

const path = text(limits.pathBytes)

export const stat = method({
  number: 40,
  name: 'stat',
  request: struct('stat', 1, {
    path: field(1, path),
    wantXattrs: optional(2, bool),
    /** Not the current version, but this one; 0: the null version. */
    objectVersion: optional(3, uint),
    /** Where nothing has the path any more, the delete marker that says so. */
    orMarker: optional(4, bool),
  }),
  response: struct('stat response', 1, { attributes: field(1, attributes) }),
  callers: ['client'],
})

export const directoryEntry = struct('directory entry', 1, {
  name: field(1, text(limits.nameBytes)),
  attributes: field(2, attributes),
})
export type DirectoryEntry = Infer<typeof directoryEntry>

/**
 * One page of a directory: one transaction. Order: bytes of the name, a directory's with `/` at its end.
 * A page resumes after `after`, whatever was removed meanwhile.
 */
export const listDirectory = method({
  number: 41,
  name: 'listDirectory',
  request: struct('listDirectory', 1, {
    path: field(1, path),
    /** The last name seen (a directory's with `/` at its end); empty: from the start. */
    after: field(2, text(limits.nameBytes + 1)),
    limit: field(3, uint),
    /** Only names that begin so. */
    prefix: optional(4, text(limits.nameBytes)),
    wantXattrs: optional(5, bool),
  }),
  response: struct('listDirectory response', 1, {
    entries: field(1, list(directoryEntry, limits.listPageEntries)),
    /** There is more: ask again after `next`, which may be the name of an entry that is not shown. */
    more: field(2, bool),
    next: optional(3, text(limits.nameBytes + 1)),
  }),
  callers: ['client'],
})

/** An object, or (without attributes) all keys that begin so. */
export const listedObject = struct('listed object', 1, {
  name: field(1, path),
  attributes: optional(2, attributes),
})
export type ListedObject = Infer<typeof listedObject>

/**
 * One page of a bucket's keys in the order of their bytes, over all directories: one transaction, bounded work. With a
 * `delimiter`, keys with the same text up to its first occurrence behind `prefix` are one entry, as S3 has it.
 */
export const listObjects = method({
  number: 47,
  name: 'listObjects',
  request: struct('listObjects', 1, {
    bucket: field(1, text(limits.nameBytes)),
    prefix: field(2, path),
    /** Empty: none. */
    delimiter: field(3, path),
    /** Only keys behind this one; where it is such a common prefix itself, behind all keys that begin so. */
    after: field(4, path),
    limit: field(5, uint),
    wantXattrs: optional(6, bool),
    /** As the last page gave it, instead of `after`. */
    cursor: optional(7, bytes(limits.pathBytes + 1)),
  }),
  response: struct('listObjects response', 1, {
    /** Perhaps none, although there is more. */
    objects: field(1, list(listedObject, limits.listPageEntries)),
    /** There may be more. */
    cursor: optional(2, bytes(limits.pathBytes + 1)),
  }),
  callers: ['client'],
})

/** Attributes and the first extents of a file; more by {@link getExtents}. */
export const openFile = method({
  number: 42,
  name: 'openFile',
  request: struct('openFile', 1, {
    path: field(1, path),
    objectVersion: optional(2, uint),
    wantXattrs: optional(3, bool),
  }),
  response: struct('openFile response', 1, {
    attributes: field(1, attributes),
    extents: field(2, list(extent, limits.extentsPerPage)),
    /** Of the whole file. */
    extentCount: field(3, uint),
    /** Names the content: {@link getExtents} of another content fails with `changed`. */
    content: field(4, uint),
    mapVersion: field(5, id<Rising>()),
  }),
  callers: ['client'],
})

/** Further extents of an open file, from index `from` on. */
export const getExtents = method({
  number: 43,
  name: 'getExtents',
  request: struct('getExtents', 1, {
    path: field(1, path),
    content: field(2, uint),
    from: field(3, uint),
    objectVersion: optional(4, uint),
  }),
  response: struct('getExtents response', 1, { extents: field(1, list(extent, limits.extentsPerPage)) }),
  callers: ['client'],
})

/** The chunks of a file with their members, for people: from extent `from` on. */
export const describeChunks = method({
  number: 44,
  name: 'describeChunks',
  request: struct('describeChunks', 1, { path: field(1, path), from: field(2, uint) }),
  response: struct('describeChunks response', 1, {
    chunks: field(1, list(chunkDescription, limits.extentsPerPage)),
    extentCount: field(2, uint),
  }),
  callers: ['client'],
})

/** Totals of a subtree, a bounded step a call: pass `cursor` back until it is absent, and add the parts up. */
export const summarize = method({
  number: 45,
  name: 'summarize',
  request: struct('summarize', 1, { path: field(1, path), cursor: optional(2, bytes(64 * 1024)) }),
  response: struct('summarize response', 1, {
    files: field(1, uint),
    directories: field(2, uint),
    lengthBytes: field(3, uint),
    cursor: optional(4, bytes(64 * 1024)),
    /** Older versions and delete markers, which are no files. */
    versions: optional(5, uint),
    versionBytes: optional(6, uint),
  }),
  callers: ['client'],
})

/** `recursive`: missing parents too, and an existing directory is no error. */
export const makeDirectory = method({
  number: 60,
  name: 'makeDirectory',
  request: struct('makeDirectory', 1, {
    request: field(1, requestId),
    path: field(2, path),
    recursive: field(3, bool),
    mode: optional(4, uint),
  }),
  response: struct('makeDirectory response', 1, { attributes: field(1, attributes), made: field(2, bool) }),
  callers: ['client'],
})

/** Atomic, for files and directories. `replace`: a file there goes to trash; an empty directory may be replaced by a directory. */
export const rename = method({
  number: 61,
  name: 'rename',
  request: struct('rename', 1, {
    request: field(1, requestId),
    from: field(2, path),
    to: field(3, path),
    replace: field(4, bool),
    makeParents: field(5, bool),
    /** Of the source. */
    precondition: field(6, precondition),
  }),
  response: struct('rename response', 1, { attributes: field(1, attributes) }),
  callers: ['client'],
})

/** To trash, in one transaction, however large the tree. A file goes beneath a delete marker where versions are kept. */
export const remove = method({
  number: 62,
  name: 'remove',
  request: struct('remove', 1, {
    request: field(1, requestId),
    path: field(2, path),
    /** Otherwise a directory must be empty. */
    recursive: field(3, bool),
    precondition: field(4, precondition),
    /** Only a directory, or only a file, may go. */
    only: optional(5, choice('file', 'directory')),
  }),
  /** 0: it stays, as an older version. */
  response: struct('remove response', 1, { trash: field(1, id<Rising>()) }),
  callers: ['client'],
})

/** Cuts a file to `length`, or extends it is refused: there are no holes. */
export const truncate = method({
  number: 63,
  name: 'truncate',
  request: struct('truncate', 1, {
    request: field(1, requestId),
    path: field(2, path),
    length: field(3, uint),
    precondition: field(4, precondition),
  }),
  response: struct('truncate response', 1, { attributes: field(1, attributes) }),
  callers: ['client'],
})

/** Moves the bytes of `sources`, in order, to the end of `path`; the sources are gone then. One transaction, bounded extents. */
export const concat = method({
  number: 64,
  name: 'concat',
  request: struct('concat', 1, {
    request: field(1, requestId),
    path: field(2, path),
    sources: field(3, list(path, 256)),
  }),
  response: struct('concat response', 1, { attributes: field(1, attributes) }),
  callers: ['client'],
})

/** Copies a file without moving bytes: its chunks become shared. A large one goes in steps: repeat with the same request id until `done`. */
export const copyFile = method({
  number: 65,
  name: 'copyFile',
  request: struct('copyFile', 1, {
    request: field(1, requestId),
    from: field(2, path),
    to: field(3, path),
    precondition: field(4, precondition),
    makeParents: field(5, bool),
    attributes: field(6, newAttributes),
    /** The source must be at exactly this version. */
    sourceVersion: optional(7, id<Rising>()),
    /** Not of the source's current version, but of this one; 0: the null version. */
    objectVersion: optional(8, uint),
  }),
  response: struct('copyFile response', 1, { attributes: optional(1, attributes), done: field(2, bool) }),
  callers: ['client'],
})

/** Mode, owner, times; absent ones stay. `xattrs` in `set` are ignored: see {@link setXattrs}. */
export const setAttributes = method({
  number: 66,
  name: 'setAttributes',
  request: struct('setAttributes', 1, {
    request: field(1, requestId),
    path: field(2, path),
    set: field(3, newAttributes),
    precondition: field(4, precondition),
    /** Directories: the policy of what is written below from now on. */
    policy: optional(5, text(64)),
  }),
  response: struct('setAttributes response', 1, { attributes: field(1, attributes) }),
  callers: ['client'],
})

/** Sets and removes extended attributes in one transaction. */
export const setXattrs = method({
  number: 67,
  name: 'setXattrs',
  request: struct('setXattrs', 1, {
    request: field(1, requestId),
    path: field(2, path),
    set: field(3, newAttributes),
    remove: field(4, list(text(limits.xattrNameBytes), 64)),
    objectVersion: optional(5, uint),
  }),
  response: struct('setXattrs response', 1, { attributes: field(1, attributes) }),
  callers: ['client'],
})

/** Something that was deleted or overwritten, until its time is over. */
export const trashEntry = struct('trash entry', 1, {
  trash: field(1, id<Rising>()),
  path: field(2, path),
  attributes: field(3, attributes),
  /** Wall time, for people. */
  deletedMs: field(4, uint),
  /** In cluster time from now; 0: due. */
  keptForMs: field(5, uint),
  reason: field(6, choice('removed', 'replaced')),
})
export type TrashEntry = Infer<typeof trashEntry>

/** Trash below `path`, newest first per path, in pages. */
export const listTrash = method({
  number: 46,
  name: 'listTrash',
  request: struct('listTrash', 1, {
    path: field(1, path),
    cursor: optional(2, bytes(8192)),
    limit: field(3, uint),
  }),
  response: struct('listTrash response', 1, {
    entries: field(1, list(trashEntry, limits.listPageEntries)),
    cursor: optional(2, bytes(8192)),
  }),
  callers: ['client'],
})

/** Brings back what had `path` (the newest, or the one named by `trash`), to `path` or to `to`. `already-exists` if taken. */
export const undelete = method({
  number: 68,
  name: 'undelete',
  request: struct('undelete', 1, {
    request: field(1, requestId),
    path: field(2, path),
    trash: optional(3, id<Rising>()),
    to: optional(4, path),
  }),
  response: struct('undelete response', 1, { attributes: field(1, attributes), path: field(2, path) }),
  callers: ['client'],
})

/** Makes trash below `path` due now, all or one entry: gc returns the space within seconds. Cannot be undone. */
export const emptyTrash = method({
  number: 69,
  name: 'emptyTrash',
  request: struct('emptyTrash', 1, {
    request: field(1, requestId),
    path: field(2, path),
    trash: optional(3, id<Rising>()),
  }),
  response: struct('emptyTrash response', 1, {
    entries: field(1, uint),
    lengthBytes: field(2, uint),
    done: field(3, bool),
  }),
  callers: ['client'],
})
