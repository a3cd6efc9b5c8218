/**
 * Faults of the operating system, which no test can order from a real disk: `node:fs` is replaced before the file is loaded.
 */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, test } from 'node:test'
import { isAshlarError } from '../base/errors.ts'
import { allocateAligned } from './aligned-memory.ts'
import { pageBytes } from './disk.ts'

type Call = 'open' | 'writev' | 'read' | 'fdatasync'
/**
 * Before a call: an errno with which it fails, a number of bytes that it transfers at most, or what is awaited before
 * it reports a count.
 */
type Fault = string | number | { readonly reports: Promise<number> } | undefined
let fault: (call: Call, args: readonly unknown[]) => Fault = () => undefined
const real = { open: fs.open, writev: fs.writev, read: fs.read, fdatasync: fs.fdatasync }

for (const call of ['open', 'writev', 'read', 'fdatasync'] as const) {
  const faulty = (...args: unknown[]) => {
    const outcome = fault(call, args)
    const callback = args.at(-1) as (error: Error) => void
    if (typeof outcome === 'string') {
      setImmediate(callback, Object.assign(new Error(outcome), { code: outcome }))
      return
    }
    if (typeof outcome === 'object') {
      args[args.length - 1] = () =>
        void outcome.reports.then((count) => (callback as (...of: unknown[]) => void)(null, count))
    } else if (outcome !== undefined && call === 'writev') args[1] = firstBytes(args[1] as Uint8Array[], outcome)
    if (typeof outcome === 'number' && call === 'read') args[3] = Math.min(args[3] as number, outcome)
    ;(real[call] as (...args: unknown[]) => void)(...args)
  }
  Object.assign(fs, { [call]: faulty })
}
syncBuiltinESMExports()
const { openNodeFile } = await import('./node-file.ts')

const folder = fs.mkdtempSync(join(tmpdir(), 'ashlar-file-'))
let number = 0
const newPath = () => join(folder, `file${number++}`)

process.on('exit', () => fs.rmSync(folder, { recursive: true, force: true }))
afterEach(() => {
  fault = () => undefined
})

test('File.write() and File.read() continue short transfers', async () => {
  const file = await openNodeFile(newPath(), { mode: 'create' })
  const bytes = Buffer.from(Array.from({ length: 1000 }, (_, index) => index % 251))
  fault = (call) => (call === 'writev' || call === 'read' ? 33 : undefined)
  await file.write([bytes.subarray(0, 10), bytes.subarray(10, 500), bytes.subarray(500)], 7)
  const back = Buffer.alloc(1000)
  assert.equal(await file.read(back, 7), 1000)
  assert.deepEqual(back, bytes)
  await file.close()
})

test('File.write() gives up on a disk that takes nothing', async () => {
  const file = await openNodeFile(newPath(), { mode: 'create' })
  fault = (call) => (call === 'writev' ? 0 : undefined)
  await assert.rejects(file.write([Buffer.from('x')], 0), (error) => isAshlarError(error, 'disk-failed'))
  await file.close()
})

test('File.write() continues a short direct transfer from a whole page', async () => {
  const file = await openNodeFile(newPath(), { mode: 'create', direct: true })
  const bytes = allocateAligned(3 * pageBytes)
  for (const page of [0, 1, 2]) bytes.fill(page + 1, page * pageBytes, (page + 1) * pageBytes)
  const positions: unknown[] = []
  fault = (call, args) => {
    if (call !== 'writev') return undefined
    positions.push(args[2])
    return positions.length > 1 ? undefined : { reports: Promise.resolve(2 * pageBytes + 512) }
  }
  await file.write([bytes], 0)
  assert.deepEqual(positions, [0, 2 * pageBytes])
  fault = () => undefined
  const back = allocateAligned(4 * pageBytes)
  assert.equal(await file.read(back, 0), 3 * pageBytes)
  assert.ok(back.subarray(0, 3 * pageBytes).equals(bytes))
  await file.close()
})

test('openNodeFile() falls back to the page cache where direct I/O is refused at open', async () => {
  for (const left of ['the file', 'nothing'] as const) {
    const path = newPath()
    fault = (call, args) => {
      if (call !== 'open' || ((args[1] as number) & fs.constants.O_DIRECT) === 0) return undefined
      // Linux has created the file by then.
      if (left === 'the file') fs.writeFileSync(path, '')
      return 'EINVAL'
    }
    const file = await openNodeFile(path, { mode: 'create', direct: true })
    assert.equal(file.direct, false)
    await file.write([Buffer.from('any buffer')], 1)
    assert.equal(await file.lengthBytes(), 11)
    await file.close()
    await assert.rejects(openNodeFile(path, { mode: 'create' }), (error) => isAshlarError(error, 'already-exists'))
  }
})

const { O_DIRECT } = fs.constants
test('File falls back at its first transfers, also when several run and the file was renamed', {
  skip: O_DIRECT === undefined,
}, async () => {
  const path = newPath()
  const file = await openNodeFile(path, { mode: 'create', direct: true })
  fs.renameSync(path, `${path}.renamed`)
  const directFds = new Set<unknown>()
  fault = (call, args) => {
    if (call !== 'writev') return undefined
    if (directFds.size === 0) directFds.add(args[0])
    return directFds.has(args[0]) ? 'EINVAL' : undefined
  }
  const pages = [1, 2, 3].map((fill) => allocateAligned(pageBytes).fill(fill))
  await Promise.all(pages.map((page, index) => file.write([page], index * pageBytes)))
  assert.equal(file.direct, false)
  await file.write([Buffer.from('end')], 3 * pageBytes)
  await file.sync()
  await file.close()
  const bytes = fs.readFileSync(`${path}.renamed`)
  assert.deepEqual([bytes.length, bytes[0], bytes[pageBytes], bytes[2 * pageBytes]], [3 * pageBytes + 3, 1, 2, 3])
})

test('File.sync() that failed is final', async () => {
  const file = await openNodeFile(newPath(), { mode: 'create' })
  await file.write([Buffer.from('x')], 0)
  fault = (call) => (call === 'fdatasync' ? 'EIO' : undefined)
  await assert.rejects(file.sync(), (error) => isAshlarError(error, 'disk-failed') && error.applied === 'unknown')
  let syncs = 0
  fault = (call) => {
    if (call === 'fdatasync') syncs++
    return undefined
  }
  await assert.rejects(file.sync(), (error) => isAshlarError(error, 'disk-failed'))
  await assert.rejects(file.write([Buffer.from('y')], 0), (error) => isAshlarError(error, 'disk-failed'))
  assert.equal(syncs, 0)
  await file.close()
})

test('File.close() waits for what is under way', async () => {
  const file = await openNodeFile(newPath(), { mode: 'create' })
  const held = Promise.withResolvers<number>()
  fault = (call) => (call === 'writev' ? { reports: held.promise } : undefined)
  const write = file.write([Buffer.from('x')], 0)
  let closed = false
  const close = file.close().then(() => {
    closed = true
  })
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setTimeout(resolve, 1))
  assert.equal(closed, false)
  held.resolve(1)
  await Promise.all([write, close])
})

test('errors of the disk have their codes', async () => {
  const file = await openNodeFile(newPath(), { mode: 'create' })
  const codes = {
    ENOSPC: 'no-space',
    EDQUOT: 'no-space',
    EROFS: 'read-only',
    EACCES: 'read-only',
    EIO: 'disk-failed',
  } as const
  for (const [errno, code] of Object.entries(codes)) {
    fault = (call) => (call === 'writev' ? errno : undefined)
    await assert.rejects(file.write([Buffer.from('x')], 0), (error) => {
      assert.ok(isAshlarError(error, code))
      assert.equal(error.details['errno'], errno)
      return error.message.includes(file.path)
    })
  }
  fault = (call) => (call === 'open' ? 'EMFILE' : undefined)
  await assert.rejects(openNodeFile(newPath(), { mode: 'create' }), (error) => isAshlarError(error, 'busy'))
  fault = () => undefined
  await file.close()
})

function firstBytes(buffers: readonly Uint8Array[], count: number): Uint8Array[] {
  return [Buffer.concat(buffers).subarray(0, count)]
}
