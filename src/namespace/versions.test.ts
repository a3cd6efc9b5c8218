import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkRows } from '../../test/namespace/check-rows.ts'
import { refused } from '../../test/namespace/refused.ts'
import { memoryKV, type TestClient, TestMaster } from '../../test/namespace/test-master.ts'
import { isAshlarError } from '../base/errors.ts'
import { objectPath } from '../base/object-path.ts'
import type { Attributes } from '../wire/types/attributes.ts'

const inBucket = (key: string) => objectPath('b', key)
const check = ({ context }: TestMaster) => checkRows(context.kv, { withObjects: true })

class Bucket {
  readonly master: TestMaster
  readonly client: TestClient

  constructor(master: TestMaster, client: TestClient) {
    this.master = master
    this.client = client
  }

  static async make(versioning?: 'enabled' | 'suspended'): Promise<Bucket> {
    const master = await TestMaster.start(memoryKV())
    const bucket = new Bucket(master, await master.client())
    await bucket.client.makeDirectory('/b')
    if (versioning !== undefined) await bucket.set(versioning)
    return bucket
  }

  async set(versioning: 'enabled' | 'suspended', more = {}): Promise<void> {
    const { client } = this
    await client.namespace.setVersioning({ request: client.request(), path: '/b', versioning, ...more })
  }

  put(key: string, length: number): Promise<Attributes> {
    return this.client.put(inBucket(key), length)
  }

  remove(key: string, objectVersion?: number, more = {}) {
    const { client } = this
    const request = { request: client.request(), path: inBucket(key), precondition: {}, ...more }
    return client.namespace.removeObject(objectVersion === undefined ? request : { ...request, objectVersion })
  }

  async length(key: string, objectVersion?: number): Promise<number | undefined> {
    const which = objectVersion === undefined ? {} : { objectVersion }
    try {
      return (await this.client.namespace.stat({ path: inBucket(key), ...which })).attributes.length
    } catch (error) {
      if (isAshlarError(error, 'not-found')) return undefined
      throw error
    }
  }

  /** As `key length` or `key marker`, `*` the latest, in pages. */
  async versions({ limit = 1000, prefix = '', delimiter = '' } = {}): Promise<string[]> {
    const seen: string[] = []
    let cursor: Buffer | undefined
    do {
      const page = await this.client.namespace.listVersions({
        ...{ bucket: 'b', prefix, delimiter, after: '', limit },
        ...(cursor === undefined ? {} : { cursor }),
      })
      for (const { name, attributes, isLatest } of page.versions) {
        if (attributes === undefined) seen.push(name)
        else seen.push(`${name} ${attributes.isDeleteMarker ? 'marker' : attributes.length}${isLatest ? '*' : ''}`)
      }
      cursor = page.cursor
    } while (cursor !== undefined)
    return seen
  }
}

// Its sender would not know which version is its own (seed 2 of test/sim/s3-versions.test.ts).
test('commitFile() again answers its own version after another one covered it, or a marker', async () => {
  const bucket = await Bucket.make('enabled')
  const { client } = bucket
  const request = client.commitRequest(inBucket('a'), await client.write(3))
  const first = await client.namespace.commitFile(request)
  assert.notEqual(first.attributes.objectVersion, undefined)
  await bucket.put('a', 5)
  assert.deepEqual(await client.namespace.commitFile(request), first)
  await bucket.remove('a')
  assert.deepEqual(await client.namespace.commitFile(request), first)
})

test('an overwrite keeps what was there as a version, with its bytes, and nothing goes to trash', async () => {
  const bucket = await Bucket.make('enabled')
  const first = await bucket.put('a', 1)
  const second = await bucket.put('a', 2)
  assert.notEqual(first.objectVersion, second.objectVersion)
  assert.deepEqual(await bucket.versions(), ['a 2*', 'a 1'])
  assert.equal(await bucket.length('a'), 2)
  assert.equal(await bucket.length('a', first.objectVersion), 1)
  assert.equal(await bucket.length('a', second.objectVersion), 2)
  assert.equal(await bucket.length('a', 0), undefined)
  const totals = await bucket.client.namespace.totals()
  assert.deepEqual([totals.versions, totals.versionBytes, totals.trashEntries], [1, 1, 0])
  const du = await bucket.client.namespace.summarize({ path: '/b' })
  assert.deepEqual([du.files, du.lengthBytes, du.versions, du.versionBytes], [1, 2, 1, 1])
  const { extents } = await bucket.client.namespace.openFile({
    path: inBucket('a'),
    objectVersion: first.objectVersion as number,
  })
  assert.equal(extents.length, 1)
  await check(bucket.master)
})

test('removeObject() puts a delete marker on top, also of nothing, and removing it brings the file back', async () => {
  const bucket = await Bucket.make('enabled')
  await bucket.put('d/a', 1)
  const marker = await bucket.remove('d/a')
  assert.equal(marker.isDeleteMarker, true)
  assert.equal(await bucket.length('d/a'), undefined)
  const nothing = await bucket.remove('x/y')
  assert.deepEqual(await bucket.versions(), ['d/a marker*', 'd/a 1', 'x/y marker*'])
  await check(bucket.master)
  assert.equal((await bucket.remove('x/y', nothing.objectVersion)).isDeleteMarker, true)
  await bucket.remove('d/a', marker.objectVersion)
  assert.deepEqual(await bucket.versions(), ['d/a 1*'])
  assert.equal(await bucket.length('d/a'), 1)
  await bucket.master.purgeAll()
  assert.deepEqual(await bucket.client.names('/b'), ['d/'], 'the directory that held only the marker is gone')
  await check(bucket.master)
})

test('removing a version for good takes it to trash and makes the next one current, until none is left', async () => {
  const bucket = await Bucket.make('enabled')
  const numbers: number[] = []
  for (const length of [1, 2, 3]) numbers.push((await bucket.put('a', length)).objectVersion as number)
  await bucket.remove('a', numbers[1])
  assert.deepEqual(await bucket.versions(), ['a 3*', 'a 1'])
  await bucket.remove('a', numbers[2])
  assert.deepEqual(await bucket.versions(), ['a 1*'])
  assert.equal(await bucket.length('a'), 1)
  await bucket.remove('a', numbers[0])
  assert.deepEqual(await bucket.versions(), [])
  await refused(bucket.remove('a', numbers[0]), 'not-found')
  assert.equal((await bucket.client.namespace.totals()).trashBytes, 6)
  await check(bucket.master)
  await bucket.client.undelete(inBucket('a'))
  assert.deepEqual(await bucket.versions(), ['a 1*'], 'the one that was removed last')
  bucket.master.timeMs += bucket.master.trashKeepMs
  await bucket.master.purgeAll()
  assert.equal((await check(bucket.master)).liveChunks, 1)
})

test('suspended, there is one null version, which writes and removals replace', async () => {
  const bucket = await Bucket.make()
  await bucket.put('a', 1)
  await bucket.set('enabled')
  await bucket.put('a', 2)
  assert.equal(await bucket.length('a', 0), 1)
  await bucket.set('suspended')
  await bucket.put('a', 3)
  assert.deepEqual(await bucket.versions(), ['a 3*', 'a 2'], 'the first null version is in trash')
  await bucket.put('a', 4)
  assert.deepEqual(await bucket.versions(), ['a 4*', 'a 2'])
  assert.equal((await bucket.remove('a')).objectVersion, 0)
  assert.deepEqual(await bucket.versions(), ['a marker*', 'a 2'])
  await bucket.remove('a')
  assert.deepEqual(await bucket.versions(), ['a marker*', 'a 2'], 'one null marker replaces the other')
  await check(bucket.master)
  await bucket.remove('a', 0)
  assert.deepEqual(await bucket.versions(), ['a 2*'])
  await bucket.set('enabled')
  await bucket.put('a', 5)
  assert.deepEqual(await bucket.versions(), ['a 5*', 'a 2'])
  await check(bucket.master)
})

test('file doors keep versions too: a removal, a rename and an overwrite', async () => {
  const bucket = await Bucket.make('enabled')
  const { client } = bucket
  await bucket.put('a', 1)
  await client.put('/b/a', 2)
  assert.equal(await client.remove('/b/a'), 0)
  assert.deepEqual(await bucket.versions(), ['a marker*', 'a 2', 'a 1'])
  await client.put('/b/x', 3)
  await client.put('/b/y', 4)
  await client.rename('/b/x', '/b/y')
  assert.deepEqual(await bucket.versions({ prefix: 'x' }), ['x marker*'])
  assert.deepEqual(await bucket.versions({ prefix: 'y' }), ['y 3*', 'y 4'])
  await check(bucket.master)
  // A version is what it is.
  await refused(client.append('/b/y', 3, 1), 'not-supported')
  await refused(client.truncate('/b/y', 1), 'not-supported')
  await client.put('/other', 1)
  await refused(client.concat('/other', '/b/y'), 'not-supported')
  await client.copy('/b/y', '/copy')
  await check(bucket.master)
})

test('undelete() takes delete markers away, and a removed tree comes back with its versions', async () => {
  const bucket = await Bucket.make('enabled')
  const { client, master } = bucket
  await bucket.put('d/a', 1)
  await bucket.put('d/a', 2)
  await bucket.remove('d/a')
  await bucket.remove('d/a')
  await client.undelete(inBucket('d/a'))
  assert.deepEqual(await bucket.versions(), ['d/a 2*', 'd/a 1'])
  await client.remove('/b/d', true)
  assert.deepEqual(await bucket.versions(), [])
  assert.equal((await client.namespace.totals()).trashBytes, 3)
  await check(master)
  await client.undelete('/b/d')
  assert.deepEqual(await bucket.versions(), ['d/a 2*', 'd/a 1'])
  await check(master)
  await client.remove('/b/d', true)
  master.timeMs += master.trashKeepMs
  await master.purgeAll()
  assert.equal((await check(master)).liveChunks, 0)
  assert.equal((await client.namespace.totals()).purgingBytes, 0)
})

test('a purged tree gives back every version, however many there are of one name', async () => {
  const bucket = await Bucket.make('enabled')
  const { client, master } = bucket
  for (let count = 0; count < 300; count++) await bucket.put('d/a', 1)
  await client.remove('/b/d', true)
  master.timeMs += master.trashKeepMs
  await master.purgeAll()
  assert.equal((await check(master)).liveChunks, 0)
})

test('a bucket with versions left is not empty, and a directory of delete markers stays', async () => {
  const bucket = await Bucket.make('enabled')
  await bucket.put('d/a', 1)
  await bucket.remove('d/a')
  await bucket.master.purgeAll()
  await refused(bucket.client.remove('/b/d'), 'not-empty')
  await refused(bucket.client.remove('/b'), 'not-empty')
  for (const { attributes } of (await listAll(bucket)).versions) {
    await bucket.remove('d/a', attributes?.objectVersion)
  }
  await bucket.client.remove('/b')
  await check(bucket.master)
})

function listAll({ client }: Bucket) {
  return client.namespace.listVersions({ bucket: 'b', prefix: '', delimiter: '', after: '', limit: 1000 })
}

test('listVersions() gives keys by bytes and versions from the newest, the same in pages of any size', async () => {
  const bucket = await Bucket.make('enabled')
  const keys = ['a', 'a/', 'a/b', 'a/b/c', 'a0', 'b//c', 'z']
  for (const length of [1, 2]) for (const key of keys) await bucket.put(key, length)
  await bucket.remove('a/b')
  await bucket.remove('z')
  const expected = keys.flatMap((key) => {
    const isRemoved = ['a/b', 'z'].includes(key)
    return [...(isRemoved ? [`${key} marker*`] : []), `${key} 2${isRemoved ? '' : '*'}`, `${key} 1`]
  })
  for (const limit of [1, 2, 3, 1000]) assert.deepEqual(await bucket.versions({ limit }), expected, `pages of ${limit}`)
  for (const limit of [1, 2, 1000]) {
    const grouped = await bucket.versions({ limit, delimiter: '/' })
    assert.deepEqual(grouped, ['a 2*', 'a 1', 'a/', 'a0 2*', 'a0 1', 'b/', 'z marker*', 'z 2', 'z 1'])
  }
  assert.deepEqual(
    await bucket.versions({ prefix: 'a/b' }),
    expected.filter((line) => line.startsWith('a/b')),
  )
  const { namespace } = bucket.client
  const [, second] = (await listAll(bucket)).versions
  const page = { bucket: 'b', prefix: '', delimiter: '', after: 'a', limit: 3 }
  const behindKey = await namespace.listVersions(page)
  assert.deepEqual(
    behindKey.versions.map(({ name }) => name),
    ['a/', 'a/', 'a/b'],
  )
  const first = (await listAll(bucket)).versions[0]
  const behindVersion = await namespace.listVersions({
    ...page,
    afterVersion: first?.attributes?.objectVersion as number,
  })
  assert.deepEqual(behindVersion.versions[0]?.attributes?.objectVersion, second?.attributes?.objectVersion)
  assert.equal(behindVersion.versions[0]?.isLatest, false)
})

test('preconditions hold of the current version; a delete marker is no file', async () => {
  const bucket = await Bucket.make('enabled')
  const { client } = bucket
  const first = await bucket.put('a', 1)
  const put = async (precondition: object) => {
    const request = client.commitRequest(inBucket('a'), await client.write(2), { precondition })
    return (await client.namespace.commitFile(request)).attributes
  }
  await refused(put({ ifAbsent: true }), 'already-exists')
  await bucket.remove('a')
  await refused(put({ ifVersion: first.version }), 'changed')
  const second = await put({ ifAbsent: true })
  await refused(bucket.remove('a', undefined, { precondition: { ifVersion: first.version } }), 'changed')
  await bucket.remove('a', undefined, { precondition: { ifVersion: second.version } })
  assert.deepEqual(await bucket.versions(), ['a marker*', 'a 2', 'a marker', 'a 1'])
})

test('attributes of an older version change in place, and it can be copied', async () => {
  const bucket = await Bucket.make('enabled')
  const { client } = bucket
  const { objectVersion = 0 } = await bucket.put('a', 1)
  await bucket.put('a', 2)
  const set = { xattrs: [{ name: 't', value: Buffer.from('old') }] }
  const path = inBucket('a')
  await client.namespace.setXattrs({ request: client.request(), path, set, remove: [], objectVersion })
  const old = (await client.namespace.stat({ path, objectVersion, wantXattrs: true })).attributes
  assert.equal(String(old.xattrs?.[0]?.value), 'old')
  assert.deepEqual((await client.namespace.stat({ path, wantXattrs: true })).attributes.xattrs, [])
  const copy = { request: client.request(), from: path, to: inBucket('c'), objectVersion, precondition: {} }
  await client.namespace.copyFile({ ...copy, makeParents: false, attributes: {} })
  assert.equal(await bucket.length('c'), 1)
  assert.deepEqual(await bucket.versions(), ['a 2*', 'a 1', 'c 1*'])
  assert.equal((await check(bucket.master)).sharedChunks, 1)
})

test('a directory made where its object has an older null version leaves one null version', async () => {
  const bucket = await Bucket.make()
  await bucket.put('d/', 1)
  await bucket.set('enabled')
  await bucket.remove('d/')
  await bucket.client.makeDirectory('/b/d', true)
  await bucket.remove('d/')
  await check(bucket.master)
  await bucket.remove('d/', 0)
  await refused(bucket.remove('d/', 0), 'not-found')
  await check(bucket.master)
})

test('a file written where versions lay while nothing kept them leaves one null version', async () => {
  const bucket = await Bucket.make()
  await bucket.put('d/a', 1)
  await bucket.set('enabled')
  await bucket.put('d/a', 2)
  await bucket.client.rename('/b/d', '/loose')
  await bucket.client.put('/loose/a', 3)
  await bucket.client.rename('/loose', '/b/d')
  await bucket.put('d/a', 4)
  assert.equal(await bucket.length('d/a', 0), 3)
  await check(bucket.master)
})

test('a removal covers the object that making a directory made, however versions are kept', async () => {
  for (const versioning of [undefined, 'enabled', 'suspended'] as const) {
    const bucket = await Bucket.make(versioning)
    await bucket.client.makeDirectory('/b/d')
    await bucket.remove('d/')
    assert.equal(await bucket.length('d/'), undefined, `versions: ${versioning}`)
    await check(bucket.master)
    await bucket.put('d/', 1)
    assert.equal(await bucket.length('d/'), 1)
    await check(bucket.master)
  }
})

test('a file that is older than the versions of the name it takes is the newest of them all the same', async () => {
  const bucket = await Bucket.make()
  await bucket.client.put('/old', 3)
  await bucket.set('enabled')
  await bucket.put('d/a', 1)
  await bucket.put('d/a', 2)
  await bucket.client.rename('/b/d', '/loose')
  await bucket.client.rename('/old', '/loose/a')
  await check(bucket.master)
  await bucket.client.rename('/loose', '/b/d')
  await bucket.put('d/a', 4)
  assert.deepEqual(await bucket.versions({ prefix: 'd/a' }), ['d/a 4*', 'd/a 3', 'd/a 1'])
  await check(bucket.master)
})
