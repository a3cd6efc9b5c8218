import assert from 'node:assert/strict'
import { test } from 'node:test'
import { crc32 } from '../base/crc.ts'
import { limits } from '../base/limits.ts'
import { rising } from '../base/rising.ts'
import { createMemoryDisk } from '../env/memory-disk.ts'
import { createNodeEnv } from '../env/node-env.ts'
import { pieceName } from '../wire/types/backup.ts'
import { BackupShelf } from './backup-shelf.ts'

const { clock } = createNodeEnv({ log: 'silent' })
const base = pieceName({ kind: 'base', leaderEpoch: rising(0, 1), start: rising(0, 5) })
const log = pieceName({ kind: 'log', leaderEpoch: rising(0, 1), start: rising(0, 5) })

function rig(refusal?: string) {
  const disk = createMemoryDisk({ clock })
  const open = () => new BackupShelf({ env: { disk: disk.mount() }, folder: '/data/backup', refusal: () => refusal })
  return { disk, open, shelf: open() }
}

const readAll = (shelf: BackupShelf, name: string) => shelf.read(name, { offset: 0, length: 1000, manifest: false })

test('append() adds at the end; what a call without an answer left is written over, and a gap refused', async () => {
  const { shelf } = rig()
  assert.equal(await shelf.append(log, Buffer.from('one'), { offset: 0 }), 3)
  assert.equal(await shelf.append(log, Buffer.from('TWO'), { offset: 3 }), 6)
  assert.equal(await shelf.append(log, Buffer.from('two, again'), { offset: 3 }), 13)
  assert.equal((await readAll(shelf, log)).toString(), 'onetwo, again')
  await shelf.append(log, Buffer.from('2'), { offset: 3 })
  assert.equal((await readAll(shelf, log)).toString(), 'one2')
  await assert.rejects(shelf.append(log, Buffer.from('x'), { offset: 5 }), { code: 'range-not-satisfiable' })
  await assert.rejects(shelf.append(base, Buffer.from('x'), { offset: 1 }), { code: 'range-not-satisfiable' })
})

// Of a connection that broke: the master went on over another one, and what the first still carried arrives now.
test('append() that comes late and again takes back nothing of what came after it', async () => {
  const { disk, shelf, open } = rig()
  await shelf.append(log, Buffer.from('one'), { offset: 0 })
  await shelf.append(log, Buffer.from('two'), { offset: 3 })
  await shelf.append(log, Buffer.from('three'), { offset: 6 })
  for (const [text, offset] of [
    ['one', 0],
    ['two', 3],
  ] as const) {
    assert.equal(await shelf.append(log, Buffer.from(text), { offset }), offset + 3)
  }
  assert.equal((await readAll(shelf, log)).toString(), 'onetwothree')
  assert.equal(await shelf.append(log, Buffer.from('threefour'), { offset: 6 }), 15)
  disk.crash()
  assert.equal((await readAll(open(), log)).toString(), 'onetwothreefour')
})

test('append() is durable when it resolves: a power cut takes nothing of it, nor its name', async () => {
  const { disk, shelf, open } = rig()
  await shelf.append(log, Buffer.from('one'), { offset: 0 })
  await shelf.append(log, Buffer.from('two'), { offset: 3 })
  disk.crash()
  const after = open()
  assert.equal((await readAll(after, log)).toString(), 'onetwo')
  assert.equal(await after.append(log, Buffer.from('three'), { offset: 6 }), 11)
})

test('finish() reads the piece back, and completes it only when it is what was sent', async () => {
  const { disk, shelf, open } = rig()
  const bytes = Buffer.alloc(3_000_000, 'a base')
  for (let offset = 0; offset < bytes.length; offset += limits.framePayloadBytes) {
    await shelf.append(base, bytes.subarray(offset, offset + limits.framePayloadBytes), { offset })
  }
  const manifest = Buffer.from('sealed')
  const right = { lengthBytes: bytes.length, crc: crc32(bytes) >>> 0, manifest }
  for (const wrong of [
    { ...right, crc: 1 },
    { ...right, lengthBytes: bytes.length - 1 },
  ]) {
    await assert.rejects(shelf.finish(base, wrong), { code: 'corrupt' })
  }
  assert.equal((await shelf.list())[0]?.manifestBytes, undefined)
  await shelf.finish(base, right)
  disk.crash()
  assert.deepEqual(await open().list(), [{ name: base, lengthBytes: bytes.length, manifestBytes: 6 }])
  await assert.rejects(open().append(base, Buffer.from('x'), { offset: 0 }), { code: 'already-exists' })
})

test('names that are none of a piece never reach the disk', async () => {
  const { shelf } = rig()
  for (const name of [
    '../identity.json',
    'base-1-2',
    `${base}.manifest`,
    `${log}/x`,
    '',
    `base-${'f'.repeat(16)}-${'0'.repeat(16)}`,
  ]) {
    await assert.rejects(shelf.append(name, Buffer.from('x'), { offset: 0 }), { code: 'protocol' }, name)
    await assert.rejects(shelf.read(name, { offset: 0, length: 1, manifest: false }), { code: 'protocol' }, name)
    await assert.rejects(shelf.remove([base, name]), { code: 'protocol' }, name)
  }
  assert.deepEqual(await shelf.list(), [])
})

test('a full disk takes no base, and goes on with the log', async () => {
  const { shelf } = rig('disk-full')
  await assert.rejects(shelf.append(base, Buffer.from('x'), { offset: 0 }), { code: 'no-space' })
  assert.equal(await shelf.append(log, Buffer.from('x'), { offset: 0 }), 1)
  assert.equal(await rig('capacity').shelf.append(base, Buffer.from('x'), { offset: 0 }), 1)
})

test('remove() takes pieces with their manifests, and no other', async () => {
  const { shelf } = rig()
  await shelf.append(base, Buffer.from('x'), { offset: 0 })
  await shelf.finish(base, { lengthBytes: 1, crc: crc32(Buffer.from('x')) >>> 0, manifest: Buffer.from('m') })
  await shelf.append(log, Buffer.from('x'), { offset: 0 })
  assert.equal(await shelf.remove([base, base]), 1)
  assert.deepEqual(
    (await shelf.list()).map(({ name }) => name),
    [log],
  )
  await assert.rejects(shelf.read(base, { offset: 0, length: 9, manifest: true }), { code: 'not-found' })
})

test('what a caller gave up before its turn is not written: it may have gone on from there', async () => {
  const { shelf } = rig()
  await shelf.append(log, Buffer.from('one'), { offset: 0 })
  const given = new AbortController()
  const first = shelf.append(log, Buffer.from('two'), { offset: 3 })
  const late = shelf.append(log, Buffer.from('late'), { offset: 0, signal: given.signal })
  given.abort()
  await first
  await assert.rejects(late, { code: 'cancelled' })
  assert.equal((await readAll(shelf, log)).toString(), 'onetwo')
})
