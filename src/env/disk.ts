/**
 * Files. Paths are absolute. Nothing is durable before its `sync`: a file's bytes and length by {@link File.sync},
 * its name by {@link Disk.syncDirectory} of the directory that holds it.
 *
 * Errors: `not-found`, `already-exists`, `is-a-directory`, `not-empty`, `no-space` (ENOSPC, EDQUOT), `read-only`
 * (EROFS, EACCES, EPERM), `busy` (EMFILE, ENFILE), `disk-failed` (EIO and everything else). `details.errno` holds the
 * errno's name. Each says the path.
 * @module
 */

/** A buffer whose memory starts on a page boundary and whose length is a multiple of the page: fit for direct I/O. */
export type AlignedBuffer = Buffer & { readonly aligned: unique symbol }

export const pageBytes = 4096

export interface File {
  readonly path: string
  /** Whether this handle bypasses the page cache: then buffers, lengths and positions are multiples of a page. */
  readonly direct: boolean
  /** Reads until `buffer` is full or the file ends. The buffer belongs to the disk until the promise settles. @returns bytes read */
  read(buffer: Uint8Array, position: number): Promise<number>
  /** Writes all of `buffers`, one after the other, from `position` on; retries short writes. They belong to the disk until the promise settles. */
  write(buffers: readonly Uint8Array[], position: number): Promise<void>
  /** Makes bytes and length durable (fdatasync). A failed sync is final: never try it again, the kernel has dropped the pages. */
  sync(): Promise<void>
  truncate(lengthBytes: number): Promise<void>
  lengthBytes(): Promise<number>
  /** Reads and writes under way settle first. Idempotent. */
  close(): Promise<void>
}

export interface OpenOptions {
  /** `create` refuses an existing file; `read-write` refuses a missing one; `append-or-create` takes both. Never follows a symbolic link; mode 0600. */
  readonly mode: 'read' | 'read-write' | 'create' | 'append-or-create'
  /** Asks for direct I/O; falls back to the page cache where the file system has none (see {@link File.direct}). */
  readonly direct?: boolean
}

export interface FileInfo {
  readonly kind: 'file' | 'directory' | 'other'
  readonly lengthBytes: number
  /** What it occupies: `du -B1`. */
  readonly allocatedBytes: number
  readonly modifiedMs: number
  /** Differs between a mount point and the directory that holds it. */
  readonly device: number
  readonly inode: number
}

export interface DiskSpace {
  readonly totalBytes: number
  /** Free for this process. */
  readonly freeBytes: number
  /** Same number: same disk, so that servers which share one count its room once. */
  readonly device: number
}

/** An exclusive hold on a path, by the operating system: it ends with the process, however that ends. */
export interface DiskLock {
  release(): Promise<void>
}

export interface Disk {
  open(path: string, options: OpenOptions): Promise<File>
  /** Reads a small file whole. @throws {AshlarError} `too-large` — more than `maxBytes` */
  readSmall(path: string, maxBytes: number): Promise<Buffer>
  /** Writes a small file so that a crash leaves the old or the new one: temporary name, sync, rename, sync of the directory. Mode 0600. */
  writeSmall(path: string, bytes: Uint8Array): Promise<void>
  /** Names in no order, without `.` and `..`. */
  list(path: string): Promise<string[]>
  info(path: string): Promise<FileInfo>
  /** Makes missing parents too, mode 0700; each new name is synced. Existing: no error. */
  makeDirectory(path: string): Promise<void>
  rename(from: string, to: string): Promise<void>
  /** Removes a file. */
  remove(path: string): Promise<void>
  removeDirectory(path: string): Promise<void>
  /** Removes a directory and everything in it. */
  removeTree(path: string): Promise<void>
  syncDirectory(path: string): Promise<void>
  space(path: string): Promise<DiskSpace>
  /**
   * Takes the lock file `path` (made if missing) for this process, and writes `holder` into it.
   * @throws {AshlarError} `in-use` — held; the message names the holder
   */
  lock(path: string, holder: string): Promise<DiskLock>
  /** A page-aligned buffer of fresh memory; `length` is rounded up to whole pages. Keep and pool it: making one is slow. */
  alignedBuffer(lengthBytes: number): AlignedBuffer
}
