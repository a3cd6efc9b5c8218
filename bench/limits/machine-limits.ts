/**
 * What the machine gives to a program that does nothing else: the limit beside each of our figures.
 *
 * All writes are of random bytes from page-aligned memory, by direct I/O, and end with fdatasync: nothing here is faster
 * by promising less. Files are removed after each run.
 * @module
 */
import { randomFillSync } from 'node:crypto'
import { constants } from 'node:fs'
import { mkdtemp, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createNodeEnv } from '../../src/env/node-env.ts'
import { secondsOf, spread } from '../spread.ts'

const MiB = 1024 * 1024
const pieceBytes = 4 * MiB
const piecesInFlight = 4
const smallBytes = 4096

const { disk } = createNodeEnv({ log: 'silent' })
const pieces = Array.from({ length: piecesInFlight }, () => {
  const piece = disk.alignedBuffer(pieceBytes)
  randomFillSync(piece)
  return piece
})

/** Runs `work` with a new folder below `parent` and removes it. */
async function inFolder<T>(parent: string, work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(parent, 'limit-'))
  try {
    return await work(folder)
  } finally {
    await rm(folder, { recursive: true })
  }
}

/** MiB a second to the disk, all streams together. */
export function diskWriteRate(parent: string, options: { streams: number; totalBytes: number }): Promise<number> {
  const { streams, totalBytes } = options
  const count = Math.ceil(totalBytes / streams / pieceBytes)
  return inFolder(parent, async (folder) => {
    const seconds = await secondsOf(() =>
      spread(streams, streams, (stream) => writeFile(join(folder, `${stream}`), count)),
    )
    return (streams * count * pieceBytes) / MiB / seconds
  })
}

async function writeFile(path: string, count: number): Promise<void> {
  const file = await disk.open(path, { mode: 'create', direct: true })
  await spread(count, piecesInFlight, (index) =>
    file.write([pieces[index % piecesInFlight] as Buffer], index * pieceBytes),
  )
  await file.sync()
  await file.close()
}

/**
 * MiB a second of a program that keeps three copies and nothing else: it copies a source into aligned memory and
 * writes that to three files, two pieces on their way, and syncs each.
 */
export function threeCopyRate(parent: string, { totalBytes }: { totalBytes: number }): Promise<number> {
  const count = Math.ceil(totalBytes / pieceBytes)
  const source = Buffer.allocUnsafe(pieceBytes)
  randomFillSync(source)
  return inFolder(parent, async (folder) => {
    const files = await Promise.all(
      [0, 1, 2].map((copy) => disk.open(join(folder, `${copy}`), { mode: 'create', direct: true })),
    )
    const free = pieces.slice(0, 2)
    const seconds = await secondsOf(async () => {
      await spread(count, free.length, async (index) => {
        const piece = free.pop() as (typeof free)[number]
        piece.set(source)
        await Promise.all(files.map((file) => file.write([piece], index * pieceBytes)))
        free.push(piece)
      })
      await Promise.all(files.map((file) => file.sync()))
    })
    await Promise.all(files.map((file) => file.close()))
    return (count * pieceBytes) / MiB / seconds
  })
}

/** MiB a second from the disk by direct I/O, all streams together. */
export function diskReadRate(parent: string, options: { streams: number; totalBytes: number }): Promise<number> {
  const { streams, totalBytes } = options
  const count = Math.ceil(totalBytes / streams / pieceBytes)
  return inFolder(parent, async (folder) => {
    await spread(streams, streams, (stream) => writeFile(join(folder, `${stream}`), count))
    const seconds = await secondsOf(() =>
      spread(streams, streams, async (stream) => {
        const file = await disk.open(join(folder, `${stream}`), { mode: 'read', direct: true })
        const free = Array.from({ length: piecesInFlight }, () => disk.alignedBuffer(pieceBytes))
        await spread(count, piecesInFlight, async (index) => {
          const piece = free.pop() as (typeof free)[number]
          await file.read(piece, index * pieceBytes)
          free.push(piece)
        })
        await file.close()
      }),
    )
    return (streams * count * pieceBytes) / MiB / seconds
  })
}

/** 4 KiB appends a second, each followed by fdatasync, of `writers` files side by side. */
export function syncRate(parent: string, { writers, count }: { writers: number; count: number }): Promise<number> {
  return inFolder(parent, async (folder) => {
    const bytes = randomFillSync(Buffer.allocUnsafe(smallBytes))
    const seconds = await secondsOf(() =>
      spread(writers, writers, async (writer) => {
        const file = await open(join(folder, `${writer}`), constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL)
        for (let index = 0; index < count; index++) {
          await file.write(bytes, 0, smallBytes, index * smallBytes)
          await file.datasync()
        }
        await file.close()
      }),
    )
    return (writers * count) / seconds
  })
}

/** MiB a second that one thread copies from one buffer to another, both larger than the caches. */
export function memoryCopyRate(): number {
  const [from, to] = [Buffer.alloc(64 * MiB, 1), Buffer.alloc(64 * MiB, 2)]
  const startMs = performance.now()
  let copiedMiB = 0
  while (performance.now() < startMs + 200) {
    to.set(from)
    copiedMiB += 64
  }
  return copiedMiB / ((performance.now() - startMs) / 1000)
}
