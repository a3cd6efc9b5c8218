import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { AshlarError } from '../base/errors.ts'
import type { Disk, File } from '../env/disk.ts'
import { createNodeDisk } from '../env/node-disk.ts'
import { DiskReserve } from './disk-reserve.ts'

const disk = createNodeDisk()

async function withFolder(run: (path: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'ashlar-reserve-'))
  try {
    await run(join(folder, 'reserve'))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

test('fill() occupies the room on the disk, and release() gives it back', () =>
  withFolder(async (path) => {
    const reserve = new DiskReserve({ disk, path, sizeBytes: 1_000_000 })
    assert.equal(await reserve.fill(), true)
    assert.equal(statSync(path).size, 1_000_000)
    assert.ok(statSync(path).blocks * 512 >= 1_000_000)
    await reserve.release()
    await reserve.release()
    assert.equal(existsSync(path), false)
    assert.equal(reserve.held, false)
  }))

test('fill() takes over what a former process left, longer or shorter', () =>
  withFolder(async (path) => {
    for (const sizeBytes of [500_000, 900_000, 300_000]) {
      assert.equal(await new DiskReserve({ disk, path, sizeBytes }).fill(), true)
      assert.equal(statSync(path).size, sizeBytes)
    }
  }))

test('fill() without room says so, and leaves nothing behind', () =>
  withFolder(async (path) => {
    const short: Disk = {
      ...disk,
      open: async (name, options): Promise<File> => {
        const file = await disk.open(name, options)
        const write = file.write.bind(file)
        return Object.assign(Object.create(file) as File, {
          lengthBytes: () => file.lengthBytes(),
          close: () => file.close(),
          write: async (buffers: readonly Uint8Array[], position: number) => {
            await write(buffers.slice(0, 2), position)
            throw new AshlarError('no-space', 'Cannot write: no room')
          },
        })
      },
    }
    const reserve = new DiskReserve({ disk: short, path, sizeBytes: 5_000_000 })
    assert.equal(await reserve.fill(), false)
    assert.equal(existsSync(path), false)
    assert.equal(reserve.held, false)
  }))

test('fill() completes what a crash left, also of a page', () =>
  withFolder(async (path) => {
    const sizeBytes = 3 * 1024 * 1024
    for (const leftBytes of [0, 4096, 1_050_000]) {
      writeFileSync(path, Buffer.alloc(leftBytes, 1))
      assert.equal(await new DiskReserve({ disk, path, sizeBytes }).fill(), true)
      const bytes = readFileSync(path)
      assert.equal(bytes.length, sizeBytes)
      const untouchedBytes = leftBytes - (leftBytes % 4096)
      assert.equal(bytes.indexOf(Buffer.alloc(64), untouchedBytes), -1, 'room that is not written is no room')
      assert.equal(bytes.indexOf(Buffer.alloc(64, 1), untouchedBytes), -1)
    }
  }))
