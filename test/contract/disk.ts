/**
 * What every {@link Disk} does, whatever is behind it.
 * @module
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { ErrorCode } from '../../src/base/error-table.ts'
import { isAshlarError } from '../../src/base/errors.ts'
import { type Disk, pageBytes } from '../../src/env/disk.ts'

/** One disk under test, and an empty folder on it. */
export interface DiskUnderTest extends AsyncDisposable {
  readonly disk: Disk
  readonly folder: string
}

export function testDisk(name: string, open: () => Promise<DiskUnderTest>): void {
  const contract = (behaviour: string, run: (under: DiskUnderTest) => Promise<void>) => {
    test(`${name}: ${behaviour}`, async () => {
      await using under = await open()
      await run(under)
    })
  }

  contract('open() refuses what its mode does not take', async ({ disk, folder }) => {
    const path = `${folder}/file`
    await refuses('not-found', disk.open(path, { mode: 'read' }))
    await refuses('not-found', disk.open(path, { mode: 'read-write' }))
    await (await disk.open(path, { mode: 'create' })).close()
    await refuses('already-exists', disk.open(path, { mode: 'create' }))
    await refuses('not-found', disk.open(`${folder}/missing/file`, { mode: 'create' }))
    await refuses('not-a-directory', disk.open(`${path}/below`, { mode: 'create' }))
    await refuses('is-a-directory', disk.open(folder, { mode: 'read-write' }))
  })

  contract("open() 'append-or-create' makes a file, and keeps one", async ({ disk, folder }) => {
    for (const expected of [0, 3]) {
      const file = await disk.open(`${folder}/file`, { mode: 'append-or-create' })
      assert.equal(await file.lengthBytes(), expected)
      await file.write([Buffer.from('abc')], 0)
      await file.close()
    }
  })

  contract('an error says the path, the errno and its cause', async ({ disk, folder }) => {
    const error = await refuses('not-found', disk.open(`${folder}/no-such`, { mode: 'read' }))
    assert.match(error.message, /^Cannot open .*\/no-such: it does not exist$/)
    assert.equal(error.details['errno'], 'ENOENT')
    assert.ok(error.cause instanceof Error)
  })

  contract('File.write() gathers buffers, and File.read() stops where the file ends', async ({ disk, folder }) => {
    const file = await disk.open(`${folder}/file`, { mode: 'create' })
    await file.write([Buffer.from('one'), Buffer.alloc(0), Buffer.from('two')], 2)
    const buffer = Buffer.alloc(20, 0xff)
    assert.equal(await file.read(buffer, 0), 8)
    assert.deepEqual(buffer.subarray(0, 9), Buffer.from('\0\0onetwo\xff', 'latin1'))
    assert.equal(await file.read(buffer, 100), 0)
    assert.equal(await file.read(Buffer.alloc(0), 0), 0)
    await file.write([], 0)
    assert.equal(await file.lengthBytes(), 8)
    await file.close()
  })

  contract('File.truncate() cuts, and what it adds reads as zeros', async ({ disk, folder }) => {
    const file = await disk.open(`${folder}/file`, { mode: 'create' })
    await file.write([Buffer.alloc(200_000, 7)], 0)
    await file.truncate(70_000)
    await file.truncate(150_000)
    const buffer = Buffer.alloc(200_000)
    assert.equal(await file.read(buffer, 0), 150_000)
    assert.ok(buffer.subarray(0, 70_000).every((byte) => byte === 7))
    assert.ok(buffer.subarray(70_000, 150_000).every((byte) => byte === 0))
    await file.close()
  })

  contract('File behaves as an array of bytes does, whatever is done to it', async ({ disk, folder }) => {
    const edge = fc.oneof(fc.nat(200_000), fc.constantFrom(65_535, 65_536, 65_537, 131_072))
    const step = fc.oneof(
      fc.record({
        kind: fc.constant('write' as const),
        at: edge,
        lengthBytes: edge,
        fill: fc.integer({ min: 1, max: 255 }),
      }),
      fc.record({ kind: fc.constant('truncate' as const), lengthBytes: edge }),
      fc.record({ kind: fc.constant('sync' as const) }),
    )
    let number = 0
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        const file = await disk.open(`${folder}/file${number++}`, { mode: 'create' })
        let model = Buffer.alloc(0)
        for (const action of steps) {
          if (action.kind === 'sync') {
            await file.sync()
          } else if (action.kind === 'truncate') {
            await file.truncate(action.lengthBytes)
            model = resized(model, action.lengthBytes)
          } else if (action.lengthBytes > 0) {
            await file.write([Buffer.alloc(action.lengthBytes, action.fill)], action.at)
            model = resized(model, Math.max(model.length, action.at + action.lengthBytes))
            model.fill(action.fill, action.at, action.at + action.lengthBytes)
          }
        }
        const bytes = Buffer.alloc(model.length + 10)
        assert.equal(await file.read(bytes, 0), model.length)
        assert.ok(bytes.subarray(0, model.length).equals(model))
        await file.close()
      }),
      { numRuns: 30 },
    )
  })

  contract('direct I/O takes aligned buffers, and refuses others', async ({ disk, folder }) => {
    const file = await disk.open(`${folder}/file`, { mode: 'create', direct: true })
    const buffer = disk.alignedBuffer(2 * pageBytes)
    buffer.fill(1, 0, pageBytes).fill(2, pageBytes)
    await file.write([buffer.subarray(pageBytes), buffer.subarray(0, pageBytes)], pageBytes)
    await file.sync()
    const back = disk.alignedBuffer(8 * pageBytes)
    assert.equal(await file.read(back, 0), 3 * pageBytes)
    assert.deepEqual([back[0], back[pageBytes], back[2 * pageBytes]], [0, 2, 1])
    assert.equal(await file.read(back, 3 * pageBytes), 0)
    await file.truncate(pageBytes + 10)
    assert.equal(await file.read(back, 0), pageBytes + 10)
    if (file.direct) {
      await assert.rejects(file.write([Buffer.alloc(pageBytes)], 0), /aligned/)
      await assert.rejects(file.write([buffer.subarray(0, 100)], 0), /aligned/)
      await assert.rejects(file.write([buffer], 100), /page boundary/)
      await assert.rejects(file.read(Buffer.alloc(pageBytes), 0), /aligned/)
    }
    await file.close()
  })

  contract('alignedBuffer() gives whole, zeroed pages that nobody else has', async ({ disk }) => {
    const sizes = [1, pageBytes, pageBytes + 1, 5 * 1024 * 1024, ...Array.from({ length: 100 }, () => 300_000)]
    const buffers = sizes.map((size) => disk.alignedBuffer(size))
    for (const [index, buffer] of buffers.entries()) {
      assert.equal(buffer.length, Math.ceil((sizes[index] as number) / pageBytes) * pageBytes)
      assert.ok(buffer[0] === 0 && buffer.at(-1) === 0, 'someone else wrote there')
      buffer.fill(index + 1)
    }
    for (const [index, buffer] of buffers.entries()) {
      assert.ok(buffer[0] === ((index + 1) & 255) && buffer.at(-1) === ((index + 1) & 255))
    }
  })

  contract('File.close() is idempotent, waits for what is under way, and ends the file', async ({ disk, folder }) => {
    const file = await disk.open(`${folder}/file`, { mode: 'create' })
    let written = false
    const write = file.write([Buffer.alloc(1_000_000, 1)], 0).then(() => {
      written = true
    })
    await Promise.all([file.close(), file.close()])
    assert.ok(written)
    await write
    await file.close()
    await refuses('closed', file.write([Buffer.from('x')], 0))
    await refuses('closed', file.read(Buffer.alloc(1), 0))
    await refuses('closed', file.sync())
    await refuses('closed', file.lengthBytes())
    assert.equal((await disk.info(file.path)).lengthBytes, 1_000_000)
  })

  contract('a removed file lives on for those who have it open', async ({ disk, folder }) => {
    const file = await disk.open(`${folder}/file`, { mode: 'create' })
    await file.write([Buffer.from('still')], 0)
    await disk.remove(file.path)
    assert.deepEqual(await disk.list(folder), [])
    const buffer = Buffer.alloc(5)
    assert.equal(await file.read(buffer, 0), 5)
    assert.equal(buffer.toString(), 'still')
    await file.close()
  })

  contract('readSmall() reads up to a limit', async ({ disk, folder }) => {
    await disk.writeSmall(`${folder}/file`, Buffer.from('12345'))
    assert.equal((await disk.readSmall(`${folder}/file`, 5)).toString(), '12345')
    await refuses('too-large', disk.readSmall(`${folder}/file`, 4))
    await refuses('not-found', disk.readSmall(`${folder}/missing`, 4))
    await refuses('is-a-directory', disk.readSmall(folder, 1_000_000))
  })

  contract('writeSmall() replaces, several at once too, and leaves nothing beside', async ({ disk, folder }) => {
    const path = `${folder}/file`
    await (await disk.open(`${path}.tmp`, { mode: 'create' })).close()
    const texts = Array.from({ length: 8 }, (_, index) => `text ${index}`)
    await Promise.all(texts.map((text) => disk.writeSmall(path, Buffer.from(text))))
    assert.equal((await disk.readSmall(path, 100)).toString(), texts.at(-1))
    assert.deepEqual(await disk.list(folder), ['file'])
    await refuses('not-found', disk.writeSmall(`${folder}/missing/file`, Buffer.from('x')))
  })

  contract('list() and info() tell what is there', async ({ disk, folder }) => {
    await disk.makeDirectory(`${folder}/directory`)
    await disk.writeSmall(`${folder}/file`, Buffer.alloc(5000))
    assert.deepEqual((await disk.list(folder)).sort(), ['directory', 'file'])
    const file = await disk.info(`${folder}/file`)
    assert.equal(file.kind, 'file')
    assert.equal(file.lengthBytes, 5000)
    assert.ok(file.allocatedBytes >= 5000)
    const directory = await disk.info(`${folder}/directory`)
    assert.equal(directory.kind, 'directory')
    assert.equal(directory.device, file.device)
    assert.notEqual(directory.inode, file.inode)
    await refuses('not-found', disk.list(`${folder}/missing`))
    await refuses('not-a-directory', disk.list(`${folder}/file`))
    await refuses('not-found', disk.info(`${folder}/missing`))
  })

  contract('makeDirectory() makes parents, and takes what exists', async ({ disk, folder }) => {
    await disk.makeDirectory(`${folder}/a/b/c`)
    await disk.makeDirectory(`${folder}/a/b`)
    await Promise.all(['x', 'y', 'z'].map((name) => disk.makeDirectory(`${folder}/new/${name}`)))
    assert.deepEqual((await disk.list(`${folder}/new`)).sort(), ['x', 'y', 'z'])
    await disk.writeSmall(`${folder}/file`, Buffer.from('x'))
    await refuses('already-exists', disk.makeDirectory(`${folder}/file`))
    await refuses('not-a-directory', disk.makeDirectory(`${folder}/file/below`))
  })

  contract('rename() replaces a file, and no directory that has entries', async ({ disk, folder }) => {
    await disk.writeSmall(`${folder}/from`, Buffer.from('new'))
    await disk.writeSmall(`${folder}/to`, Buffer.from('old'))
    await disk.rename(`${folder}/from`, `${folder}/to`)
    assert.equal((await disk.readSmall(`${folder}/to`, 10)).toString(), 'new')
    assert.deepEqual(await disk.list(folder), ['to'])
    await refuses('not-found', disk.rename(`${folder}/from`, `${folder}/to`))

    await disk.makeDirectory(`${folder}/empty`)
    await disk.makeDirectory(`${folder}/full/entry`)
    await refuses('not-empty', disk.rename(`${folder}/empty`, `${folder}/full`))
    await refuses('is-a-directory', disk.rename(`${folder}/to`, `${folder}/empty`))
    await refuses('not-a-directory', disk.rename(`${folder}/empty`, `${folder}/to`))
    await disk.rename(`${folder}/full`, `${folder}/empty`)
    assert.deepEqual(await disk.list(`${folder}/empty`), ['entry'])
  })

  contract('remove(), removeDirectory() and removeTree() each remove their own kind', async ({ disk, folder }) => {
    await disk.makeDirectory(`${folder}/tree/branch/twig`)
    await disk.writeSmall(`${folder}/tree/branch/leaf`, Buffer.from('x'))
    await refuses('is-a-directory', disk.remove(`${folder}/tree`))
    await refuses('not-empty', disk.removeDirectory(`${folder}/tree`))
    await refuses('not-a-directory', disk.removeDirectory(`${folder}/tree/branch/leaf`))
    await refuses('not-found', disk.remove(`${folder}/missing`))
    await refuses('not-found', disk.removeDirectory(`${folder}/missing`))
    await refuses('not-found', disk.removeTree(`${folder}/missing`))
    await disk.removeDirectory(`${folder}/tree/branch/twig`)
    await disk.remove(`${folder}/tree/branch/leaf`)
    await disk.writeSmall(`${folder}/tree/branch/leaf`, Buffer.from('x'))
    await disk.removeTree(`${folder}/tree`)
    assert.deepEqual(await disk.list(folder), [])
  })

  contract('syncDirectory() syncs a directory only', async ({ disk, folder }) => {
    await disk.writeSmall(`${folder}/file`, Buffer.from('x'))
    await disk.syncDirectory(folder)
    await refuses('not-a-directory', disk.syncDirectory(`${folder}/file`))
    await refuses('not-found', disk.syncDirectory(`${folder}/missing`))
  })

  contract('space() tells the size of the disk that a path is on', async ({ disk, folder }) => {
    const { totalBytes, freeBytes, device } = await disk.space(folder)
    assert.ok(freeBytes > 0 && freeBytes <= totalBytes)
    assert.equal(device, (await disk.info(folder)).device)
    await refuses('not-found', disk.space(`${folder}/missing`))
  })

  contract('lock() has one holder at a time, and a refusal names it', async ({ disk, folder }) => {
    const path = `${folder}/lock`
    const lock = await disk.lock(path, 'process 17')
    const error = await refuses('in-use', disk.lock(path, 'process 18'))
    assert.match(error.message, /process 17/)
    // A refused attempt must not loosen the lock.
    await refuses('in-use', disk.lock(path, 'process 19'))
    const other = await disk.lock(`${folder}/other`, 'process 18')
    await lock.release()
    await lock.release()
    const next = await disk.lock(path, 'process 18')
    await lock.release()
    assert.match((await refuses('in-use', disk.lock(path, 'process 19'))).message, /process 18/)
    await Promise.all([next.release(), other.release()])
    await refuses('not-found', disk.lock(`${folder}/missing/lock`, 'process 1'))
  })

  contract('lock() lets one of many win', async ({ disk, folder }) => {
    const attempts = await Promise.allSettled(
      Array.from({ length: 10 }, (_, index) => disk.lock(`${folder}/lock`, `process ${index}`)),
    )
    const won = attempts.filter((attempt) => attempt.status === 'fulfilled')
    assert.equal(won.length, 1)
    for (const attempt of attempts) {
      if (attempt.status === 'rejected') assert.ok(isAshlarError(attempt.reason, 'in-use'))
    }
    await won[0]?.value.release()
  })
}

async function refuses(code: ErrorCode, work: Promise<unknown>) {
  try {
    await work
  } catch (error) {
    assert.ok(isAshlarError(error), `not an AshlarError: ${error}`)
    assert.equal(error.code, code, error.message)
    return error
  }
  assert.fail(`expected ${code}, and it succeeded`)
}

function resized(bytes: Buffer, lengthBytes: number): Buffer<ArrayBuffer> {
  const result = Buffer.alloc(lengthBytes)
  bytes.copy(result, 0, 0, lengthBytes)
  return result
}
