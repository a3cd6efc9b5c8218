/**
 * The closed table of everything that can go wrong and that some caller reacts to.
 *
 * - `number` travels on the wire; it is never reused and never changed.
 * - `retry` says whether doing the same again can help: `never`; `later` (same place, after a pause);
 *   `elsewhere` (another replica or group, now); `if-idempotent` (the outcome is not known).
 * - `applied` says whether the operation may have taken effect: `no` is a guarantee.
 * - `exit` is the exit code of the CLI, `http` the status at the HTTP doors, `s3` the code at the S3 door.
 *
 * `docs/errors.md` is made from this table by `npm run docs`.
 * @module
 */

export type Retry = 'never' | 'later' | 'elsewhere' | 'if-idempotent'
export type Applied = 'no' | 'unknown'

export interface ErrorRow {
  readonly number: number
  readonly retry: Retry
  readonly applied: Applied
  readonly exit: 1 | 2 | 3 | 4 | 5
  readonly http: number
  readonly s3: string
  /** What it means, for `docs/errors.md`: one sentence. */
  readonly meaning: string
}

function row(
  number: number,
  [retry, applied]: readonly [Retry, Applied],
  [exit, http, s3]: readonly [ErrorRow['exit'], number, string],
  meaning: string,
): ErrorRow {
  return { number, retry, applied, exit, http, s3, meaning }
}

const never = ['never', 'no'] as const
const later = ['later', 'no'] as const
const elsewhere = ['elsewhere', 'no'] as const
const unknown = ['if-idempotent', 'unknown'] as const

export const errorTable = {
  // What the caller asked for.
  'invalid-argument': row(
    1,
    never,
    [2, 400, 'InvalidArgument'],
    'An option, size, duration or parameter cannot be used.',
  ),
  'invalid-name': row(
    2,
    never,
    [2, 400, 'InvalidArgument'],
    'A name or path cannot be stored: too long, not UTF-8, or reserved.',
  ),
  'not-found': row(3, never, [3, 404, 'NoSuchKey'], 'No file or directory has this path.'),
  'already-exists': row(
    4,
    never,
    [4, 409, 'PreconditionFailed'],
    'Something already has this path, and the request asked for it to be absent.',
  ),
  'is-a-directory': row(
    5,
    never,
    [1, 409, 'InvalidRequest'],
    'The path names a directory, and the operation needs a file.',
  ),
  'not-a-directory': row(
    6,
    never,
    [1, 409, 'InvalidRequest'],
    'A part of the path names a file, and the operation needs a directory.',
  ),
  'not-empty': row(
    7,
    never,
    [4, 409, 'InvalidRequest'],
    'The directory has entries, and the operation needs an empty one.',
  ),
  changed: row(
    8,
    never,
    [4, 412, 'PreconditionFailed'],
    'The file is not at the version that the request expected: read it again and retry.',
  ),
  locked: row(9, later, [4, 423, 'OperationAborted'], 'Someone else holds the lock.'),
  'not-supported': row(10, never, [1, 501, 'NotImplemented'], 'This build or this policy cannot do that.'),
  'object-locked': row(
    12,
    never,
    [1, 403, 'AccessDenied'],
    'A retention or a legal hold protects this version: it cannot be removed, nor its protection reduced.',
  ),
  'range-not-satisfiable': row(11, never, [1, 416, 'InvalidRange'], 'The range begins past the end of the file.'),
  // Who asks.
  unauthenticated: row(20, never, [1, 401, 'AccessDenied'], 'The key is wrong, or none was given.'),
  forbidden: row(21, never, [1, 403, 'AccessDenied'], 'The token does not allow this operation on this object.'),
  'token-expired': row(
    22,
    later,
    [5, 403, 'ExpiredToken'],
    'The capability token is too old: ask the master for a new one.',
  ),
  'wrong-cluster': row(
    23,
    never,
    [1, 409, 'InvalidRequest'],
    'The data folder, server or key belongs to another cluster.',
  ),
  // Room.
  'no-space': row(
    30,
    later,
    [1, 507, 'ServiceUnavailable'],
    'Too few chunk servers have room for this write; nothing was stored.',
  ),
  'read-only': row(
    31,
    later,
    [5, 507, 'ServiceUnavailable'],
    'The disk of the metadata is full: only reads and deletes go on.',
  ),
  'too-large': row(32, never, [1, 413, 'EntityTooLarge'], 'A limit of docs/limits.md is passed; the message names it.'),
  busy: row(33, later, [5, 503, 'SlowDown'], 'A queue is at its limit; the request was not started.'),
  // Who is there.
  unavailable: row(
    40,
    later,
    [5, 503, 'ServiceUnavailable'],
    'The server cannot be reached, or too few members of a group can.',
  ),
  timeout: row(41, unknown, [5, 504, 'RequestTimeout'], 'The deadline passed before the answer came.'),
  'connection-lost': row(42, unknown, [5, 503, 'ServiceUnavailable'], 'The connection ended before the answer came.'),
  cancelled: row(43, unknown, [1, 499, 'RequestTimeout'], 'The caller gave up (AbortSignal).'),
  closed: row(44, never, [1, 503, 'ServiceUnavailable'], 'The object was used after it was closed.'),
  // Bytes.
  corrupt: row(
    50,
    elsewhere,
    [1, 500, 'InternalError'],
    'Stored bytes do not match their checksum; they were not returned.',
  ),
  'chunk-missing': row(
    51,
    elsewhere,
    [5, 503, 'ServiceUnavailable'],
    'A replica, or every reachable one, does not hold this chunk.',
  ),
  'disk-failed': row(
    52,
    elsewhere,
    [5, 503, 'ServiceUnavailable'],
    'A read, write or sync failed; the store is fenced until it is opened again.',
  ),
  'chunk-conflict': row(53, elsewhere, [1, 409, 'InternalError'], 'This chunk id already exists with other bytes.'),
  'metadata-corrupt': row(
    54,
    never,
    [1, 500, 'InternalError'],
    'A metadata record does not match its checksum: restore, never guess.',
  ),
  'restore-needed': row(
    55,
    never,
    [5, 503, 'ServiceUnavailable'],
    'The metadata was found older than stored chunks: files can only be read until a newer copy is put back or the loss is accepted.',
  ),
  // The write path.
  'stale-epoch': row(60, later, [5, 503, 'ServiceUnavailable'], 'The cluster map moved on: fetch it and try again.'),
  'allocation-closed': row(
    61,
    elsewhere,
    [5, 503, 'ServiceUnavailable'],
    'The allocation was closed before the commit: write the bytes under new ids.',
  ),
  'receipts-rejected': row(
    62,
    elsewhere,
    [5, 503, 'ServiceUnavailable'],
    'The receipts do not prove that enough members hold the chunk.',
  ),
  'session-ended': row(
    63,
    never,
    [5, 503, 'ServiceUnavailable'],
    'The client session ended; its locks and allocations are gone.',
  ),
  'stale-leader': row(
    64,
    never,
    [5, 503, 'ServiceUnavailable'],
    'An order came from a master that is no longer the leader.',
  ),
  // The key-value store.
  'transaction-conflict': row(
    70,
    later,
    [5, 503, 'ServiceUnavailable'],
    'A transaction lost every one of its re-runs to others.',
  ),
  'commit-unknown': row(
    71,
    unknown,
    [5, 503, 'ServiceUnavailable'],
    'The commit may or may not have happened, and no witness tells.',
  ),
  // Protocol and set-up.
  protocol: row(80, never, [1, 400, 'InvalidRequest'], 'A frame or message is malformed.'),
  'version-unsupported': row(
    81,
    never,
    [1, 505, 'NotImplemented'],
    'The data or the peer speaks a newer format version.',
  ),
  'in-use': row(82, never, [1, 409, 'InvalidRequest'], 'A data folder or port is held by another process.'),
  'bad-store': row(
    83,
    never,
    [1, 500, 'InternalError'],
    'A data folder is not what it should be: missing mount, read-only, or foreign.',
  ),
  internal: row(99, unknown, [1, 500, 'InternalError'], 'A bug in Ashlar. The cause is in the log.'),
} as const satisfies Record<string, ErrorRow>

export type ErrorCode = keyof typeof errorTable

const codeOfNumber = new Map<number, ErrorCode>(
  Object.entries(errorTable).map(([code, { number }]) => [number, code as ErrorCode]),
)

/** The code of a number from the wire; a number from a newer peer is `internal`. */
export function errorCodeOf(number: number): ErrorCode {
  return codeOfNumber.get(number) ?? 'internal'
}
