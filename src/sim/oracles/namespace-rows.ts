/**
 * A complete check of the namespace's rows, by a scan of all of them in one transaction. What must hold between any two
 * transactions holds here, or an assertion says what does not.
 * @module
 */
import assert from 'node:assert/strict'
import { addDigest, type ChunkDigest, digestFromLanes, digestOf, emptyDigest } from '../../base/digest.ts'
import { type ChunkId, groupOf, type InodeId, pageOf } from '../../base/ids.ts'
import { limits } from '../../base/limits.ts'
import { type KeyValue, prefixEnd, type TxnKV } from '../../kv/txn-kv.ts'
import * as keys from '../../namespace/keys.ts'
import * as rows from '../../namespace/rows.ts'
import { readDirectoryCounters, readPageBytes, readTotals, totalsKey } from '../../namespace/tally.ts'

/** What the rows say, for further checks. */
export interface RowFacts {
  readonly liveChunks: number
  readonly tombstones: number
  readonly pendingDeletes: number
  /** Named by more than one extent. */
  readonly sharedChunks: number
}

/** @param withObjects S3 was a door too: a file and a directory may have one name */
export async function checkRows(kv: TxnKV, { withObjects = false } = {}): Promise<RowFacts> {
  const all = await kv.transact((tx) =>
    tx.range({ start: Buffer.from([0]), end: Buffer.from([0xff]), limit: 1_000_000 }),
  )
  const check = new RowCheck(all, withObjects)
  check.trees()
  check.trash()
  check.hidden()
  check.purges()
  check.chunks()
  check.sessions()
  check.totals()
  return check.facts()
}

class RowCheck {
  readonly #all: readonly KeyValue[]
  readonly #withObjects: boolean
  readonly #byHex: Map<string, Buffer>
  readonly #references = new Map<ChunkId, number>()
  readonly #pagesSeen = new Set<string>()
  readonly #directoriesSeen = new Set<InodeId>()
  readonly #live = { ...nothing }
  readonly #sums = { trashEntries: 0, trashBytes: 0, purgingBytes: 0 }

  constructor(all: readonly KeyValue[], withObjects: boolean) {
    this.#all = all
    this.#withObjects = withObjects
    this.#byHex = new Map(all.map(({ key, value }) => [key.toString('hex'), value]))
  }

  /** The live tree: from the root. */
  trees(): void {
    this.#directoriesSeen.add(keys.rootInode)
    Object.assign(this.#live, this.#walk(keys.rootInode))
  }

  trash(): void {
    for (const { key, value } of this.#family('T')) {
      const row = rows.trashRow.decode(value)
      const trash = keys.trashIdOf(key)
      assert.ok(this.#get(keys.trashDueKey(row.dueMs, trash)), `trash ${row.path} has no due row`)
      const found = { ...nothing }
      if (row.entry.content !== undefined) {
        this.#content(row.entry.content)
        add(found, { ...nothing, files: 1, lengthBytes: row.entry.content.length })
      }
      if (row.entry.inode !== undefined) {
        assert.equal(this.#inode(row.entry.inode).parent, keys.noInode, 'a trashed directory has no parent')
        add(found, this.#walk(row.entry.inode))
        add(found, { ...nothing, directories: 1 })
      }
      this.#sums.trashEntries++
      if (row.unmeasured === true) {
        assert.ok(this.#get(keys.jobKey('measure', trash)), 'an unmeasured tree is in the queue')
        add(this.#live, found)
        continue
      }
      const { files, directories, lengthBytes, versions = 0, versionBytes = 0 } = row
      const said = { files, directories, lengthBytes, versions, versionBytes }
      assert.deepEqual(said, found, `what trash says of ${row.path}`)
      this.#sums.trashBytes += lengthBytes + versionBytes
    }
    assert.equal(this.#family('t').length, this.#family('T').length, 'one due row a trash row')
  }

  hidden(): void {
    for (const { key, value } of this.#family('I')) {
      const row = rows.inodeRow.decode(value)
      const inode = Number(key.readBigUInt64BE(1)) as InodeId
      if (row.kind === 'directory') continue
      assert.ok(this.#get(keys.heldKey(row.session as number, 'inode', inode)), 'a hidden inode hangs on its session')
      this.#content(row.content as rows.Content)
    }
  }

  purges(): void {
    for (const { value } of this.#scan(keys.queuePrefix('purge'))) {
      const job = rows.purgeJob.decode(value)
      if (job.content !== undefined) {
        this.#content(job.content, job.next ?? 0)
        if (job.counted === true) this.#sums.purgingBytes += job.content.length
      } else {
        const { lengthBytes, versionBytes } = this.#walk(job.directory as InodeId, { isPurged: true })
        this.#sums.purgingBytes += lengthBytes + versionBytes
      }
    }
    for (const { key } of this.#family('I')) {
      const inode = Number(key.readBigUInt64BE(1)) as InodeId
      const isDirectory = this.#inode(inode).kind === 'directory'
      assert.ok(!isDirectory || this.#directoriesSeen.has(inode), `directory ${inode} is in no tree`)
    }
    for (const { key } of this.#family('d')) {
      assert.ok(this.#directoriesSeen.has(Number(key.readBigUInt64BE(1)) as InodeId), 'counters of no directory')
    }
    for (const { key } of this.#family('K')) {
      assert.ok(this.#pagesSeen.has(key.toString('hex')), 'a page of extents belongs to some content')
    }
    for (const family of ['D', 'V', 'v']) {
      for (const { key } of this.#family(family)) {
        const directory = Number(key.readBigUInt64BE(1)) as InodeId
        assert.ok(directory === keys.noInode || this.#directoriesSeen.has(directory), 'an entry is in no tree')
      }
    }
  }

  chunks(): void {
    const digests = new Map<string, ChunkDigest>()
    const pageBytes = new Map<string, number>()
    for (const { key, value } of this.#family('C')) {
      const chunk = keys.chunkOf(key)
      const row = rows.chunkRow.decode(value)
      const references = this.#references.get(chunk) ?? 0
      const counted = rows.decodeRow(rows.referencesRow, this.#get(keys.referencesKey(chunk)))?.count
      if (row.tombstonedMs !== undefined) {
        assert.equal(references, 0, `tombstone ${chunk} is named by ${references} extents`)
        assert.equal(counted, undefined, `tombstone ${chunk} is counted`)
        continue
      }
      assert.equal(counted ?? 1, references, `references of ${chunk}`)
      const page = keys.digestKey(groupOf(chunk), pageOf(chunk)).toString('hex')
      const digest = digestOf({ id: chunk, length: row.length, crc: row.crc })
      digests.set(page, addDigest(digests.get(page) ?? emptyDigest, digest))
      pageBytes.set(page, (pageBytes.get(page) ?? 0) + row.length)
      assert.equal(this.#get(keys.deleteKey(chunk)), undefined, `live chunk ${chunk} is to be deleted`)
    }
    for (const chunk of this.#references.keys()) {
      assert.ok(this.#get(keys.chunkKey(chunk)), `chunk ${chunk}, which an extent names, has no row`)
    }
    const kept = new Map(this.#family('E').map(({ key, value }) => [key.toString('hex'), digestFromLanes(value)]))
    assert.deepEqual(kept, digests, 'digests equal those of the chunks')
    const keptBytes = new Map(this.#family('E').map(({ key, value }) => [key.toString('hex'), readPageBytes(value)]))
    assert.deepEqual(keptBytes, pageBytes, 'bytes of pages equal those of the chunks')
    for (const { key } of this.#family('R'))
      assert.ok((this.#references.get(keys.chunkOf(key)) ?? 0) > 1, 'R without sharing')
    for (const { key } of this.#family('G')) {
      const row = rows.decodeRow(rows.chunkRow, this.#get(keys.chunkKey(keys.chunkOf(key))))
      assert.ok(row === undefined || row.tombstonedMs !== undefined, 'what is to be deleted is no live chunk')
    }
  }

  sessions(): void {
    const held = this.#family('s').map(({ key }) => ({ session: Number(key.readBigUInt64BE(1)), ...keys.heldOf(key) }))
    const allocations = held.filter(({ kind }) => kind === 'allocation')
    assert.equal(this.#family('A').length, allocations.length, 'each allocation hangs on a session')
    assert.equal(this.#family('a').length, allocations.length, 'each allocation is in its page')
    const expiries = allocations.length + this.#family('S').length
    assert.equal(this.#family('x').length, expiries, 'each session and allocation expires once')
    for (const { session } of held) assert.ok(this.#get(keys.sessionKey(session)), 'what is held has a session')
    for (const { key } of this.#family('Y')) {
      assert.ok(this.#get(keys.sessionKey(Number(key.readBigUInt64BE(1)))), 'an answer has a session')
    }
    for (const { value } of this.#family('l')) {
      assert.ok(this.#get(keys.sessionKey(rows.lockRow.decode(value).session)), 'a lock has a session')
    }
  }

  totals(): void {
    const deletes = this.#family('G').map(({ value }) => rows.deleteRow.decode(value).length)
    assert.deepEqual(readTotals(this.#get(totalsKey)), {
      ...this.#live,
      ...this.#sums,
      pendingDeletes: deletes.length,
      pendingDeleteBytes: deletes.reduce((sum, length) => sum + length, 0),
      sessions: this.#family('S').length,
      openAllocations: this.#family('A').length,
      owedReplicas: this.#scan(keys.queuePrefix('repair')).length,
    })
  }

  facts(): RowFacts {
    const chunks = this.#family('C').map(({ value }) => rows.chunkRow.decode(value))
    const tombstones = chunks.filter(({ tombstonedMs }) => tombstonedMs !== undefined).length
    return {
      liveChunks: chunks.length - tombstones,
      tombstones,
      pendingDeletes: this.#family('G').length,
      sharedChunks: this.#family('R').length,
    }
  }

  /** What is below a directory; checks its counters, and the rows that say where it is. */
  #walk(directory: InodeId, { isPurged = false } = {}): Counted {
    const inside = { ...nothing, ...this.#versions(directory) }
    const below = { ...nothing }
    this.#directoriesSeen.add(directory)
    this.#inode(directory)
    const children: InodeId[] = []
    for (const { key, value } of this.#scan(keys.entryPrefix(directory))) {
      const entry = rows.entryRow.decode(value)
      const name = keys.entryName(key)
      if (entry.kind === 'marker') continue
      if (entry.kind === 'file') {
        this.#content(entry.content as rows.Content)
        add(inside, { ...nothing, files: 1, lengthBytes: entry.content?.length ?? 0 })
        const isBoth = this.#get(keys.entryKey(directory, `${name}/`)) !== undefined
        assert.ok(this.#withObjects || !isBoth, `${name} is a file and a directory`)
        continue
      }
      const inode = entry.inode as InodeId
      children.push(inode)
      const row = this.#inode(inode)
      assert.deepEqual([row.parent, `${row.name}/`], [directory, name], 'a directory is where its inode says')
      const stays = entry.implicit === true || this.#get(keys.entryKey(inode, '')) !== undefined
      assert.ok(isPurged || stays, `directory ${name} has no marker and is not implicit`)
      inside.directories++
      add(below, this.#walk(inode))
    }
    const indexed = this.#scan(keys.childPrefix(directory)).map(({ key }) => keys.childOf(key))
    assert.deepEqual(
      indexed,
      children.sort((a, b) => a - b),
      'subdirectories are indexed',
    )
    // A directory that is being purged has lost some of what it counted.
    if (!isPurged)
      assert.deepEqual(readDirectoryCounters(this.#get(keys.directoryCountersKey(directory))), inside, 'counters')
    add(below, inside)
    return below
  }

  /** Older versions in a directory: in order beneath their file, each null version where its row says, and no other row. */
  #versions(directory: InodeId): Pick<Counted, 'versions' | 'versionBytes'> {
    const found = { versions: 0, versionBytes: 0 }
    const nulls: string[] = []
    let before = ''
    for (const { key, value } of this.#scan(keys.versionPrefix(directory))) {
      const name = keys.versionNameBytes(key)
      const number = keys.versionNumberOf(key)
      const entry = rows.entryRow.decode(value)
      const current = rows.decodeRow(rows.entryRow, this.#get(keys.entryKey(directory, name)))
      assert.ok(entry.kind === 'file' || entry.kind === 'delete-marker', 'a version is a file or a delete marker')
      assert.equal(entry.objectVersion ?? number, number, 'a version stands under its number')
      if (entry.content !== undefined) this.#content(entry.content)
      if (current !== undefined && current.kind === 'file') {
        assert.ok((current.objectVersion ?? current.version) > number, `the file ${name} is newer than its versions`)
      } else if (current === undefined && name.toString('hex') !== before) {
        assert.equal(entry.kind, 'delete-marker', `the newest version of ${name}, which has no file`)
      }
      before = name.toString('hex')
      if (entry.objectVersion === undefined) {
        nulls.push(`${before} ${number}`)
        assert.ok(current === undefined || current.objectVersion !== undefined, `${name} has two null versions`)
      }
      found.versions++
      found.versionBytes += entry.content?.length ?? 0
    }
    const prefix = keys.nullVersionKey(directory, '').subarray(0, 9)
    const pointers = this.#scan(prefix).map(({ key, value }) => {
      return `${keys.entryNameBytes(key).toString('hex')} ${rows.numberRow.decode(value).value}`
    })
    assert.deepEqual(pointers.sort(), nulls.sort(), 'each older null version is where its row says')
    return found
  }

  #content(content: rows.Content, from = 0): void {
    const extents = [...content.inline]
    while (extents.length < content.extentCount) {
      const page = (extents.length - limits.inlineExtents) / limits.extentsPerPage
      const key = keys.extentPageKey(content.id, page)
      assert.ok(!this.#pagesSeen.has(key.toString('hex')), 'a page of extents belongs to one content')
      this.#pagesSeen.add(key.toString('hex'))
      const value = this.#get(key)
      if (value === undefined) {
        assert.ok(extents.length < from, `page ${page} of content ${content.id} is missing`)
        extents.push(...new Array<never>(limits.extentsPerPage))
      } else extents.push(...rows.extentPageRow.decode(value).extents)
    }
    if (from === 0) assert.equal(extents.length, content.extentCount, 'extents are as many as the content says')
    const rest = extents.slice(from)
    for (const { chunk } of rest) this.#references.set(chunk, (this.#references.get(chunk) ?? 0) + 1)
    const length = rest.reduce((sum, extent) => sum + extent.length, 0)
    if (from === 0) assert.equal(length, content.length, 'the length is that of the extents')
  }

  #inode(inode: InodeId): rows.Inode {
    const row = rows.decodeRow(rows.inodeRow, this.#get(keys.inodeKey(inode)))
    assert.ok(row, `inode ${inode} has no row`)
    return row
  }

  #get(key: Buffer): Buffer | undefined {
    return this.#byHex.get(key.toString('hex'))
  }

  #family(letter: string): readonly KeyValue[] {
    return this.#scan(Buffer.from(letter))
  }

  #scan(prefix: Buffer): readonly KeyValue[] {
    return this.#all.slice(this.#indexOf(prefix), this.#indexOf(prefixEnd(prefix)))
  }

  /** Of the first row whose key is not less. */
  #indexOf(key: Buffer): number {
    let low = 0
    let high = this.#all.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (Buffer.compare((this.#all[middle] as KeyValue).key, key) < 0) low = middle + 1
      else high = middle
    }
    return low
  }
}

interface Counted {
  files: number
  directories: number
  lengthBytes: number
  versions: number
  versionBytes: number
}

const nothing: Counted = { files: 0, directories: 0, lengthBytes: 0, versions: 0, versionBytes: 0 }

function add(sum: Counted, more: Counted): void {
  for (const lane of Object.keys(nothing) as (keyof Counted)[]) sum[lane] += more[lane]
}
