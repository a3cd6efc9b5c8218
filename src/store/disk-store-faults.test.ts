import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { idAt, readWhole, refused, someBytes } from '../../test/contract/chunk-store.ts'
import { cluster, StoreRig } from '../../test/store/store-rig.ts'
import { AshlarError } from '../base/errors.ts'
import type { ChunkId, ClusterId, ServerId } from '../base/ids.ts'
import { createMemoryKV } from '../kv/memory-kv.ts'
import { openDiskStore } from './open-disk-store.ts'
import { recordHeadMinBytes, segmentHeaderBytes } from './segment-format.ts'
import { StoreLayout } from './store-layout.ts'

const MiB = 1024 * 1024
const layout = new StoreLayout('/store')
const small = idAt(1)
const large = idAt(2)
const other = idAt(3)
/** Of a segment, where that is of one block. */
const firstPayload = segmentHeaderBytes + recordHeadMinBytes

async function filled(options: ConstructorParameters<typeof StoreRig>[0] = {}): Promise<StoreRig> {
  const rig = new StoreRig(options)
  await rig.open()
  await rig.store.put(small, someBytes(5000, 1), {})
  await rig.store.put(large, someBytes(2 * MiB, 2), {})
  await rig.store.put(other, someBytes(2 * MiB, 3), {})
  return rig
}

const contents = (): Map<ChunkId, Buffer> =>
  new Map([
    [small, someBytes(5000, 1)],
    [large, someBytes(2 * MiB, 2)],
    [other, someBytes(2 * MiB, 3)],
  ])

function eio(): AshlarError {
  return new AshlarError('disk-failed', 'Cannot sync: EIO', { details: { errno: 'EIO' } })
}

suite('disk store, damage', () => {
  test('verify() looks at the disk: a segment or chunk file that was taken away is missed, though it is still open', async () => {
    const rig = await filled()
    for (const [id, path] of [
      [small, layout.segment(1)],
      [large, layout.chunkFile(large)],
    ] as const) {
      await readWhole(rig.store, id)
      await rig.disk.remove(path)
      const reported: string[] = []
      rig.store.onQuarantine((quarantined) => reported.push(quarantined))
      await refused('chunk-missing', rig.store.verify(id))
      assert.deepEqual(reported, [id])
    }
    await rig.store.close()
  })

  for (const [what, path, offset, id] of [
    ['data of a chunk file', layout.chunkFile(large), 100_000, large],
    ['footer of a chunk file', layout.chunkFile(large), 2 * MiB + 20, large],
    ['trailer of a chunk file', layout.chunkFile(large), 2 * MiB + 4095, large],
    ['payload of a record', layout.segment(1), firstPayload + 100, small],
    ['head of a record', layout.segment(1), 40 + 20, small],
  ] as const) {
    test(`a flipped bit in the ${what} is never returned: quarantine, report, gone from digests`, async () => {
      const rig = await filled()
      await rig.reopen()
      const reported: string[] = []
      rig.store.onQuarantine((quarantined) => reported.push(quarantined))
      await rig.flip(path, offset)
      await refused('corrupt', rig.store.verify(id))
      assert.deepEqual(reported, [id])
      await refused('chunk-missing', rig.store.open(id))
      assert.equal(rig.store.space().quarantinedChunks, 1)
      assert.equal((await rig.list('quarantine')).length, 1)
      const expected = contents()
      expected.delete(id)
      await rig.check(expected)
      await rig.reopen()
      await rig.check(expected)
      // A repair brings it back.
      await rig.store.put(id, contents().get(id) as Buffer, {})
      await rig.reopen()
      await rig.check(contents())
    })
  }

  test('two chunk files swapped are both recognised', async () => {
    const rig = await filled()
    await rig.reopen()
    await rig.disk.rename(layout.chunkFile(large), '/store/held')
    await rig.disk.rename(layout.chunkFile(other), layout.chunkFile(large))
    await rig.disk.rename('/store/held', layout.chunkFile(other))
    await refused('corrupt', readWhole(rig.store, large))
    await refused('corrupt', readWhole(rig.store, other))
    await rig.check(new Map([[small, someBytes(5000, 1)]]))
  })

  test('swapped chunk files are recognised by a rebuild too', async () => {
    const rig = await filled()
    await rig.store.close()
    await rig.disk.rename(layout.chunkFile(large), '/store/held')
    await rig.disk.rename(layout.chunkFile(other), layout.chunkFile(large))
    await rig.disk.rename('/store/held', layout.chunkFile(other))
    rig.loseIndex()
    await rig.open()
    assert.equal(rig.store.space().quarantinedChunks, 2)
    await rig.check(new Map([[small, someBytes(5000, 1)]]))
  })

  test('a chunk file that vanished is reported, not served', async () => {
    const rig = await filled()
    const reported: string[] = []
    rig.store.onQuarantine((id) => reported.push(id))
    await rig.disk.remove(layout.chunkFile(large))
    await refused('chunk-missing', rig.store.open(large))
    assert.deepEqual(reported, [large])
    const expected = contents()
    expected.delete(large)
    await rig.check(expected)
  })

  test('rot before a valid record is set aside; what follows is kept', async () => {
    for (const offset of [40 + 10, firstPayload + 10]) {
      const rig = new StoreRig()
      await rig.open()
      for (const sequence of [1, 2, 3]) await rig.store.put(idAt(sequence), someBytes(100, sequence), {})
      await rig.store.close()
      await rig.flip(layout.segment(1), offset)
      rig.loseIndex()
      await rig.open()
      await rig.check(new Map([2, 3].map((sequence) => [idAt(sequence), someBytes(100, sequence)])))
      assert.equal((await rig.list('quarantine')).length, 1)
    }
  })

  test('a torn tail is cut off, and the log goes on there', async () => {
    const rig = new StoreRig()
    await rig.open()
    for (const sequence of [1, 2]) await rig.store.put(idAt(sequence), someBytes(1000, sequence), {})
    rig.crash(() => true)
    const length = await rig.lengthOf(layout.segment(1))
    const file = await rig.disk.open(layout.segment(1), { mode: 'read-write' })
    await file.truncate(length - 10)
    await file.close()
    await rig.open()
    assert.equal(await rig.lengthOf(layout.segment(1)), firstPayload + 1000)
    assert.deepEqual(await rig.list('quarantine'), [])
    await rig.store.put(idAt(3), someBytes(10, 3), {})
    await rig.reopen()
    await rig.check(
      new Map([
        [idAt(1), someBytes(1000, 1)],
        [idAt(3), someBytes(10, 3)],
      ]),
    )
  })

  test('a record inside the bytes of a chunk is not believed, also when the scan looks for the next one', async () => {
    const rig = new StoreRig()
    await rig.open()
    await rig.store.put(idAt(1), someBytes(100, 1), {})
    await rig.store.delete([idAt(1)])
    const segment = await rig.disk.readSmall(layout.segment(1), MiB)
    await rig.store.put(idAt(2), segment, {})
    const offset = segment.length
    await rig.store.put(idAt(3), someBytes(50, 3), {})
    await rig.store.close()
    // The head of the record is hit, so the scan goes through the payload.
    await rig.flip(layout.segment(1), offset + 20)
    rig.loseIndex()
    await rig.open()
    await rig.check(new Map([[idAt(3), someBytes(50, 3)]]))
  })

  test('a hit segment header loses nothing else', async () => {
    const rig = await filled()
    await rig.store.close()
    await rig.flip(layout.segment(1), 9)
    await rig.open()
    await rig.check(contents())
  })
})

suite('disk store, index', () => {
  test('an index that is lost, from a backup, or ahead of the disk is rebuilt', async () => {
    const rig = await filled()
    await rig.store.delete([other])
    const expected = contents()
    expected.delete(other)
    await rig.reopen()
    await rig.check(expected)
    await rig.store.close()
    rig.loseIndex()
    await rig.open()
    await rig.check(expected)
    await rig.store.put(idAt(9), someBytes(77, 9), {})
    await rig.store.close()
    // Ahead: the segment lost its end, as on a disk that lied.
    const file = await rig.disk.open(layout.segment(1), { mode: 'read-write' })
    await file.truncate((await file.lengthBytes()) - 1)
    await file.close()
    await rig.open()
    await rig.check(expected)
  })

  test('an index of an earlier opening is not believed', async () => {
    const rig = await filled()
    await rig.store.close()
    const old = rig.takeIndex()
    rig.loseIndex()
    await rig.open()
    await rig.store.delete([large, small])
    await rig.reopen()
    await rig.reopen()
    await rig.store.close()
    rig.putIndexBack(old)
    await rig.open()
    await rig.check(new Map([[other, someBytes(2 * MiB, 3)]]))
  })
})

suite('disk store, failing disk', () => {
  for (const [what, path] of [
    ['the log', 'segments/'],
    ['a chunk file', 'tmp/'],
  ] as const) {
    test(`a failed sync of ${what} fences the store, once and for all`, async () => {
      const rig = await filled()
      await rig.reopen()
      rig.failWhen((operation, at) => (operation === 'sync' && at.includes(path) ? eio() : undefined))
      await refused('disk-failed', rig.store.put(idAt(10), someBytes(path === 'tmp/' ? MiB : 10), {}))
      rig.heal()
      assert.equal(rig.store.space().refusal, 'fenced')
      await refused('disk-failed', rig.store.put(idAt(11), someBytes(10), {}))
      await refused('disk-failed', rig.store.begin(idAt(11), 10))
      await refused('disk-failed', rig.store.delete([small]))
      await refused('disk-failed', rig.store.setFact('x', Buffer.from('1')))
      await refused('disk-failed', rig.store.list({ first: small, last: large, limit: 1 }))
      // What was verified may still be read.
      assert.deepEqual(await readWhole(rig.store, small), someBytes(5000, 1))
      await rig.store.close()
      // The kernel has dropped what it could not write.
      rig.disk.crash()
      await rig.open()
      await rig.check(contents())
    })
  }

  test('a write that fails fences; a read that fails does not', async () => {
    const rig = await filled()
    rig.failWhen((operation) => (operation === 'read' ? eio() : undefined))
    await refused('disk-failed', readWhole(rig.store, large))
    rig.heal()
    assert.deepEqual(await readWhole(rig.store, large), someBytes(2 * MiB, 2))
    rig.failWhen((operation) => (operation === 'write' ? eio() : undefined))
    await refused('disk-failed', rig.store.put(idAt(10), someBytes(10), {}))
    rig.heal()
    assert.equal(rig.store.space().refusal, 'fenced')
  })

  test('out of file descriptors is a clean refusal', async () => {
    const rig = await filled()
    rig.failWhen((operation) => (operation === 'open' ? new AshlarError('busy', 'Cannot open: EMFILE') : undefined))
    await refused('busy', rig.store.put(idAt(10), someBytes(MiB), {}))
    rig.heal()
    await rig.store.put(idAt(10), someBytes(MiB), {})
    assert.equal(rig.store.space().reservedBytes, 0)
  })
})

suite('disk store, full disk', () => {
  test('a full disk refuses puts and leaves nothing of them; deletes work, and room returns without a restart', async () => {
    const rig = await filled({ mark: { usedFraction: 1, freeBytes: 0 } })
    const { usedBytes } = rig.disk
    rig.disk.setCapacity(usedBytes)
    // More than the room that the log has made ahead.
    await refused('no-space', rig.store.put(idAt(10), someBytes(MiB - 1), {}))
    await refused('no-space', rig.store.put(idAt(11), someBytes(MiB), {}))
    await rig.check(contents())
    assert.deepEqual(await rig.list('tmp'), [])
    assert.equal(await rig.store.delete([large, small]), 2)
    await rig.store.put(idAt(11), someBytes(MiB, 5), {})
    const expected = new Map([
      [other, someBytes(2 * MiB, 3)],
      [idAt(11), someBytes(MiB, 5)],
    ])
    await rig.check(expected)
    await rig.reopen()
    await rig.check(expected)
  })

  // Seed 120070: the copy that the full disk cut off was in the way of every later one.
  test('a damaged record that a full disk has no room to set aside is set aside when there is room', async () => {
    const rig = await filled()
    await rig.flip(layout.segment(1), firstPayload + 100)
    rig.failWhen((operation, path) =>
      operation === 'write' && path.includes('/tmp/') ? new AshlarError('no-space', 'full') : undefined,
    )
    await refused('no-space', rig.store.quarantine(small, 'it is damaged'))
    rig.heal()
    await rig.store.quarantine(small, 'it is damaged')
    assert.equal((await rig.list('quarantine')).length, 1)
    assert.deepEqual(await rig.list('tmp'), [])
    assert.equal(await rig.store.info(small), undefined)
  })

  test('past the write mark of the disk beneath, writes are refused before anything is written', async () => {
    const options = { mark: { usedFraction: 1, freeBytes: 0 } }
    const rig = await filled(options)
    await rig.store.close()
    Object.assign(rig.options, { mark: { usedFraction: 0, freeBytes: 2 ** 50 } })
    await rig.open()
    assert.equal(rig.store.space().refusal, 'disk-full')
    await refused('no-space', rig.store.begin(idAt(10), 1))
    assert.deepEqual(await readWhole(rig.store, small), someBytes(5000, 1))
    assert.equal(await rig.store.delete([small]), 1)
  })
})

suite('openDiskStore()', () => {
  const open = (rig: StoreRig, options: object) =>
    openDiskStore({ env: { ...rig.env, disk: rig.disk.mount() }, path: '/store', identity: { cluster }, ...options })

  test('refuses an empty folder: the disk may not be mounted', async () => {
    const rig = new StoreRig()
    await rig.disk.makeDirectory('/store')
    await refused('bad-store', open(rig, {}))
    assert.deepEqual(await rig.disk.list('/store'), [])
  })

  test('refuses to make a store in a folder that holds something else', async () => {
    const rig = new StoreRig()
    await rig.disk.makeDirectory('/store/photos')
    await refused('bad-store', open(rig, { create: true }))
    assert.deepEqual(await rig.disk.list('/store'), ['photos'])
  })

  test('refuses the store of another cluster or server, a damaged identity, and a second opening', async () => {
    const rig = await filled()
    await refused('in-use', open(rig, {}))
    await rig.store.close()
    await refused('wrong-cluster', open(rig, { identity: { cluster: 'd'.repeat(32) as ClusterId } }))
    await refused('bad-store', open(rig, { identity: { cluster, server: 'b'.repeat(32) as ServerId } }))
    await rig.flip('/store/identity.json', 60)
    await refused('bad-store', open(rig, {}))
  })

  test('two that make one store at the same time: one has it, and it keeps the identity it opened with', async () => {
    const rig = new StoreRig()
    const common = { create: true, index: async () => createMemoryKV(rig.env) }
    let first: ReturnType<typeof open> | undefined
    const slow = rig.disk.mount()
    const writeSmall = slow.writeSmall.bind(slow)
    slow.writeSmall = async (path, bytes) => {
      first ??= open(rig, common)
      await first.catch(() => undefined)
      await writeSmall(path, bytes)
    }
    const env = { ...rig.env, disk: slow }
    const second = openDiskStore({ env, path: '/store', identity: { cluster }, ...common })
    const opened = [...(await Promise.allSettled([second])), ...(await Promise.allSettled([first]))]
    const stores = opened.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
    assert.equal(stores.length, 1)
    const kept = JSON.parse((await rig.disk.readSmall('/store/identity.json', 4096)).toString())
    assert.equal(kept.server, stores[0]?.identity.server)
    await stores[0]?.close()
  })

  test('a creation that was cut off can go on', async () => {
    for (let count = 1; count < 12; count++) {
      const rig = new StoreRig()
      const isDead = rig.crashAfter(count)
      await assert.rejects(rig.open())
      assert.ok(isDead())
      rig.heal()
      await rig.open()
      await rig.store.put(small, someBytes(10), {})
    }
  })
})

suite('compaction', () => {
  test('under reads and puts: every read is right, dead bytes go, needed deletes stay', async () => {
    const rig = new StoreRig()
    const store = await rig.open()
    const expected = new Map<ChunkId, Buffer>()
    for (let round = 0; round < 6; round++) {
      const base = round * 100
      await Promise.all(
        Array.from({ length: 60 }, async (_, index) => {
          const bytes = someBytes(3000, base + index + 1)
          await store.put(idAt(base + index), bytes, {})
          expected.set(idAt(base + index), bytes)
        }),
      )
      const gone = [...expected.keys()].filter((_, index) => index % 3 !== 0)
      const readers = [...expected].map(async ([id, bytes]) => {
        const reader = await store.open(id)
        const slice = await reader.read({ offset: 0, length: 3000 })
        assert.ok(slice.bytes.equals(bytes))
        slice.release()
        await reader.close()
      })
      await Promise.all([store.compact(), ...readers])
      for (const id of gone) expected.delete(id)
      await Promise.all([store.delete(gone), store.compact()])
      await store.compact()
    }
    await rig.check(expected)
    const lengths = await Promise.all(
      (await rig.list('segments')).map((name) => rig.lengthOf(`/store/segments/${name}`)),
    )
    const total = lengths.reduce((sum, length) => sum + length, 0)
    assert.ok(total < 2.2 * store.space().usedBytes + 2 * 64 * 1024, `${total} bytes for ${store.space().usedBytes}`)
    await store.close()
    rig.loseIndex()
    await rig.open()
    await rig.check(expected)
  })

  test('a delete outlives the compaction of its segment as long as an older put of its id is elsewhere', async () => {
    const rig = new StoreRig()
    const store = await rig.open()
    // Segment 1: mostly live, with one chunk that will be dead.
    for (const sequence of [1, 2, 3]) await store.put(idAt(sequence), someBytes(20_000, sequence), {})
    // Segment 2: mostly dead, with the delete.
    await store.put(idAt(4), someBytes(40_000, 4), {})
    await store.delete([idAt(3), idAt(4)])
    await store.put(idAt(5), someBytes(60_000, 5), {})
    await store.compact()
    const segments = await rig.list('segments')
    assert.deepEqual([segments.includes('00000001.seg'), segments.includes('00000002.seg')], [true, false])
    const expected = new Map([1, 2].map((sequence) => [idAt(sequence), someBytes(20_000, sequence)]))
    expected.set(idAt(5), someBytes(60_000, 5))
    await store.close()
    rig.loseIndex()
    await rig.open()
    await rig.check(expected)
    // The put goes with its segment, and then the delete with its own.
    await rig.store.delete([idAt(1), idAt(2)])
    await rig.store.compact()
    await rig.store.compact()
    assert.deepEqual(await rig.list('segments'), ['00000003.seg'])
    await rig.check(new Map([[idAt(5), someBytes(60_000, 5)]]))
  })

  test('a segment whose file was taken away does not hold up the others', async () => {
    const rig = new StoreRig()
    const store = await rig.open()
    // Three segments: the first two are all dead but for one chunk each, the third takes what comes.
    for (const sequence of [1, 2, 3]) await store.put(idAt(sequence), someBytes(20_000, sequence), {})
    for (const sequence of [4, 5, 6]) await store.put(idAt(sequence), someBytes(20_000, sequence), {})
    await store.put(idAt(7), someBytes(60_000, 7), {})
    await store.delete([1, 2, 3, 4, 5].map((sequence) => idAt(sequence)))
    await rig.disk.remove('/store/segments/00000001.seg')
    await store.compact()
    const segments = await rig.list('segments')
    assert.ok(!segments.includes('00000002.seg'), `${segments} are left`)
    await rig.check(new Map([[idAt(6), someBytes(20_000, 6)] as const, [idAt(7), someBytes(60_000, 7)] as const]))
    await store.compact()
    await rig.reopen()
    await rig.check(new Map([[idAt(6), someBytes(20_000, 6)] as const, [idAt(7), someBytes(60_000, 7)] as const]))
  })

  test('a pinned segment waits for its reader', async () => {
    const rig = new StoreRig()
    const store = await rig.open()
    const ids = Array.from({ length: 25 }, (_, sequence) => idAt(sequence))
    for (const [index, id] of ids.entries()) await store.put(id, someBytes(3000, index + 1), {})
    const reader = await store.open(idAt(0))
    await store.delete(ids.slice(1, 22))
    const compacting = store.compact()
    for (let turn = 0; turn < 200; turn++) await new Promise(setImmediate)
    assert.ok((await rig.list('segments')).includes('00000001.seg'))
    const slice = await reader.read({ offset: 0, length: 3000 })
    assert.ok(slice.bytes.equals(someBytes(3000, 1)))
    slice.release()
    await reader.close()
    await compacting
    assert.ok(!(await rig.list('segments')).some((name) => name.startsWith('00000001')))
  })
})
