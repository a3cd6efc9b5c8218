/** The client behind `connect()`: one object with the whole API, each method handed to the part that does it. @module */
import type { Readable, Writable } from 'node:stream'
import type { ReadableStream, WritableStream } from 'node:stream/web'
import type { ChunkId, ClusterId, ServerId } from '../base/ids.ts'
import type { ClusterStatus } from '../wire/methods/cluster-methods.ts'
import type { ClusterMap, NodeStatus } from '../wire/types/cluster-map.ts'
import { AttributeCalls } from './attribute-calls.ts'
import { BackupCalls, type Backups } from './backup-calls.ts'
import type { ClientCore } from './client-core.ts'
import { ClusterCalls } from './cluster-calls.ts'
import { type Duties, DutyCalls } from './duty-calls.ts'
import { FileCalls } from './file-calls.ts'
import type { DirectoryEntry, FileStats } from './file-stats.ts'
import type {
  AshlarClient,
  ChunkReport,
  FileHandle,
  ListedObject,
  Lock,
  ReplicaReport,
  Summary,
  TrashEntry,
} from './filesystem.ts'
import { type Insight, InsightCalls } from './insight-calls.ts'
import { labelled } from './label-requests.ts'
import { Locks } from './locks.ts'
import { NamespaceCalls } from './namespace-calls.ts'
import { ObjectCalls } from './object-calls.ts'
import type * as options from './options.ts'
import { TrashCalls } from './trash-calls.ts'
import { VersionCalls } from './version-calls.ts'
import type { Versions } from './versions.ts'

type Encoded = BufferEncoding | (options.CallOptions & { readonly encoding?: BufferEncoding })

export class Client implements AshlarClient {
  readonly #core: ClientCore
  readonly #files: FileCalls
  readonly #namespace: NamespaceCalls
  readonly #objects: ObjectCalls
  readonly #attributes: AttributeCalls
  readonly #trash: TrashCalls
  readonly #locks: Locks
  readonly #cluster: ClusterCalls
  readonly duties: Duties
  readonly insight: Insight
  readonly versions: Versions
  readonly backups: Backups

  constructor(core: ClientCore) {
    this.#core = core
    this.#files = new FileCalls(core)
    this.#namespace = new NamespaceCalls(core)
    this.#objects = new ObjectCalls(core)
    this.#attributes = new AttributeCalls(core, this.#namespace)
    this.#trash = new TrashCalls(core)
    this.#locks = new Locks(core)
    this.#cluster = new ClusterCalls(core)
    this.duties = new (labelled(DutyCalls, core.env))(core, this.#namespace)
    this.insight = new (labelled(InsightCalls, core.env))(core)
    this.versions = new (labelled(VersionCalls, core.env))(core, {
      copyFile: (from, to, given) => this.#namespace.copyFile(from, to, given),
      listTrash: (path = '/', given) => this.#trash.list(path, given),
      undelete: (path, given) => this.#trash.undelete(path, given),
    })
    this.backups = new (labelled(BackupCalls, core.env))(core)
  }

  get clusterId(): ClusterId {
    return this.#core.clusterId
  }

  get chunkCacheReads(): AshlarClient['chunkCacheReads'] {
    return this.#core.chunkCache.reads
  }

  // Files.

  readFile(path: string, options?: options.CallOptions): Promise<Buffer>
  readFile(
    path: string,
    options: BufferEncoding | (options.CallOptions & { readonly encoding: BufferEncoding }),
  ): Promise<string>
  async readFile(path: string, given: Encoded = {}): Promise<Buffer | string> {
    const { encoding, signal } = typeof given === 'string' ? { encoding: given, signal: undefined } : given
    const bytes = await this.#files.readFile(path, { signal })
    return encoding === undefined ? bytes : bytes.toString(encoding)
  }

  writeFile(path: string, data: options.FileData, given?: options.WriteOptions): Promise<FileStats> {
    return this.#files.writeFile(path, data, given)
  }

  appendFile(path: string, data: options.FileData, given?: options.AppendOptions): Promise<FileStats> {
    return this.#files.appendFile(path, data, given)
  }

  createReadStream(path: string, given?: options.ReadRange): Readable {
    return this.#files.createReadStream(path, given)
  }

  createWriteStream(path: string, given?: options.WriteOptions): Writable {
    return this.#files.createWriteStream(path, given)
  }

  readStream(path: string, given?: options.ReadRange): ReadableStream<Uint8Array> {
    return this.#files.readStream(path, given)
  }

  writeStream(path: string, given?: options.WriteOptions): WritableStream<Uint8Array> {
    return this.#files.writeStream(path, given)
  }

  open(path: string, given?: options.OpenOptions): Promise<FileHandle> {
    return this.#files.open(path, given)
  }

  checksum(path: string, algorithm: 'crc32' | 'md5' | 'sha256', given?: options.CallOptions): Promise<string> {
    return this.#files.checksum(path, algorithm, given)
  }

  // Names and directories.

  stat(path: string, given?: options.StatOptions): Promise<FileStats> {
    return this.#namespace.stat(path, given)
  }

  exists(path: string, given?: options.CallOptions): Promise<boolean> {
    return this.#namespace.exists(path, given)
  }

  async access(path: string, given?: options.CallOptions): Promise<void> {
    await this.#namespace.stat(path, given)
  }

  readdir(
    path: string,
    given: options.ReadDirectoryOptions & { readonly withFileTypes: true },
  ): Promise<DirectoryEntry[]>
  readdir(path: string, given?: options.ReadDirectoryOptions): Promise<string[]>
  async readdir(path: string, given: options.ReadDirectoryOptions = {}): Promise<string[] | DirectoryEntry[]> {
    const entries = await this.#namespace.readdir(path, given)
    if (given.withFileTypes === true) return entries
    const skipped = path === '/' ? 1 : path.length + 1
    return entries.map((entry) => entry.path.slice(skipped))
  }

  list(path: string, given?: options.ListOptions): AsyncIterableIterator<DirectoryEntry> {
    return this.#namespace.list(path, given)
  }

  listObjects(bucket: string, given?: options.ListObjectsOptions): AsyncIterableIterator<ListedObject> {
    return this.#objects.list(bucket, given)
  }

  mkdir(path: string, given?: options.MakeDirectoryOptions): Promise<string | undefined> {
    return this.#namespace.mkdir(path, given)
  }

  rename(from: string, to: string, given?: options.RenameOptions): Promise<FileStats> {
    return this.#namespace.rename(from, to, given)
  }

  rm(path: string, given?: options.RemoveOptions): Promise<number | undefined> {
    return this.#namespace.remove(path, given, given?.recursive === true ? undefined : 'file')
  }

  async unlink(path: string, given?: options.CallOptions): Promise<void> {
    await this.#namespace.remove(path, given, 'file')
  }

  async rmdir(path: string, given?: options.CallOptions): Promise<void> {
    await this.#namespace.remove(path, given, 'directory')
  }

  copyFile(from: string, to: string, given?: options.CopyOptions): Promise<FileStats> {
    return this.#namespace.copyFile(from, to, given)
  }

  cp(from: string, to: string, given?: options.CopyTreeOptions): Promise<void> {
    return this.#namespace.cp(from, to, given)
  }

  truncate(path: string, length?: number, given?: options.TruncateOptions): Promise<FileStats> {
    return this.#namespace.truncate(path, length, given)
  }

  concat(path: string, sources: readonly string[], given?: options.CallOptions): Promise<FileStats> {
    return this.#namespace.concat(path, sources, given)
  }

  summarize(path: string, given?: options.CallOptions): Promise<Summary> {
    return this.#namespace.summarize(path, given)
  }

  // Attributes.

  utimes(
    path: string,
    given: { readonly accessed?: Date | number; readonly modified?: Date | number } & options.CallOptions,
  ): Promise<void> {
    return this.#attributes.utimes(path, given)
  }

  chmod(path: string, mode: number, given?: options.CallOptions): Promise<void> {
    return this.#attributes.chmod(path, mode, given)
  }

  chown(
    path: string,
    given: { readonly owner?: string; readonly ownerGroup?: string } & options.CallOptions,
  ): Promise<void> {
    return this.#attributes.chown(path, given)
  }

  getXattr(path: string, name: string, given?: options.CallOptions): Promise<Buffer> {
    return this.#attributes.getXattr(path, name, given)
  }

  setXattr(path: string, name: string, value: Uint8Array | string, given?: options.VersionOptions): Promise<void> {
    return this.#attributes.setXattr(path, name, value, given)
  }

  listXattrs(path: string, given?: options.CallOptions): Promise<string[]> {
    return this.#attributes.listXattrs(path, given)
  }

  removeXattr(path: string, name: string, given?: options.VersionOptions): Promise<void> {
    return this.#attributes.removeXattr(path, name, given)
  }

  setPolicy(path: string, policy: string, given?: options.CallOptions): Promise<void> {
    return this.#attributes.setPolicy(path, policy, given)
  }

  // Trash.

  listTrash(path = '/', given?: options.CallOptions): AsyncIterableIterator<TrashEntry> {
    return this.#trash.list(path, given)
  }

  undelete(
    path: string,
    given?: options.UndeleteOptions,
  ): Promise<{ readonly path: string; readonly stats: FileStats }> {
    return this.#trash.undelete(path, given)
  }

  emptyTrash(
    path = '/',
    given?: options.CallOptions & { readonly trashId?: number },
  ): Promise<{ readonly entries: number; readonly lengthBytes: number }> {
    return this.#trash.empty(path, given)
  }

  // Locks.

  lock(name: string, given?: options.LockOptions): Promise<Lock> {
    return this.#locks.lock(name, given)
  }

  withLock<T>(name: string, work: (lock: Lock) => Promise<T>, given?: options.LockOptions): Promise<T> {
    return this.#locks.withLock(name, work, given)
  }

  // The cluster.

  describeChunks(path: string, given?: options.CallOptions): AsyncIterableIterator<ChunkReport> {
    return this.#cluster.describeChunks(path, given)
  }

  describeReplica(
    chunkId: ChunkId,
    serverId: ServerId,
    given?: options.CallOptions & { readonly md5?: boolean },
  ): Promise<ReplicaReport> {
    return this.#cluster.describeReplica(chunkId, serverId, given)
  }

  nodes(given?: options.CallOptions): Promise<readonly NodeStatus[]> {
    return this.#cluster.nodes(given)
  }

  status(given?: options.CallOptions): Promise<ClusterStatus> {
    return this.#cluster.status(given)
  }

  map(given?: options.CallOptions): Promise<ClusterMap> {
    return this.#cluster.map(given)
  }

  settings(given?: options.CallOptions): Promise<Readonly<Record<string, string>>> {
    return this.#cluster.settings(given)
  }

  setSetting(name: string, value: string, given?: options.CallOptions): Promise<void> {
    return this.#cluster.setSetting(name, value, given)
  }

  close(): Promise<void> {
    return this.#core.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}
