/**
 * Chunk servers as far as backups see them: real shelves on disks in memory, which can be away, slow, or spoiled.
 * @module
 */
import { AshlarError } from '../../src/base/errors.ts'
import type { ServerId } from '../../src/base/ids.ts'
import { limits } from '../../src/base/limits.ts'
import { BackupShelf } from '../../src/chunkserver/backup-shelf.ts'
import type { Clock } from '../../src/env/clock.ts'
import { createMemoryDisk, type MemoryDisk } from '../../src/env/memory-disk.ts'
import type { BackupSource } from '../../src/master/backup-source.ts'
import type { Shelves } from '../../src/master/backups.ts'

export class ShelfServer {
  readonly id: ServerId
  readonly disk: MemoryDisk
  readonly shelf: BackupShelf
  isAway = false
  /** Orders are answered only when this resolves. */
  delay: Promise<void> = Promise.resolve()
  refusal: string | undefined
  /** It is to leave. */
  isDraining = false
  /** It answers, and its disk takes no piece. */
  failsToAppend = false
  /** Bases are taken, and never completed. */
  failsToFinish = false

  constructor(number: number, clock: Clock) {
    this.id = String(number).padStart(2, '0').repeat(16) as ServerId
    this.disk = createMemoryDisk({ clock })
    this.shelf = new BackupShelf({ env: { disk: this.disk }, folder: '/backup', refusal: () => this.refusal })
  }

  source(): BackupSource {
    return {
      label: this.id.slice(0, 2),
      list: () => this.shelf.list(),
      read: (name, { offset, manifest }) =>
        this.shelf.read(name, { offset, manifest, length: limits.framePayloadBytes }),
    }
  }

  /** Changes one byte of a piece where it lies. */
  async spoil(name: string, at: number): Promise<void> {
    const file = await this.disk.open(`/backup/${name}`, { mode: 'read-write' })
    const byte = Buffer.alloc(1)
    await file.read(byte, at)
    await file.write([Buffer.of((byte[0] as number) ^ 0x55)], at)
    await file.close()
  }

  async cut(name: string, lengthBytes: number): Promise<void> {
    const file = await this.disk.open(`/backup/${name}`, { mode: 'read-write' })
    await file.truncate(lengthBytes)
    await file.close()
  }

  async names(): Promise<string[]> {
    return (await this.shelf.list()).map(({ name }) => name)
  }
}

export function shelvesOf(servers: readonly ShelfServer[]): Shelves {
  const reach = async (id: ServerId): Promise<BackupShelf> => {
    const server = servers.find((each) => each.id === id)
    if (server === undefined || server.isAway) throw new AshlarError('unavailable', 'Cannot reach it: it is away')
    await server.delay
    return server.shelf
  }
  return {
    up: () => servers.filter(({ isAway }) => !isAway).map(({ id }) => id),
    knownCount: () => servers.length,
    isFull: () => {
      const up = servers.filter(({ isAway }) => !isAway)
      return up.length > 0 && up.every(({ refusal }) => refusal === 'disk-full')
    },
    choose: (count, preferred) =>
      servers
        .filter(({ isAway, isDraining, refusal }) => !isAway && !isDraining && refusal !== 'disk-full')
        .map(({ id }) => id)
        .sort((a, b) => Number(preferred.has(b)) - Number(preferred.has(a)))
        .slice(0, count),
    append: async (id, { name, offset, bytes }) => {
      const shelf = await reach(id)
      if (servers.find((each) => each.id === id)?.failsToAppend === true) throw new AshlarError('disk-failed', 'Cannot')
      await shelf.append(name, bytes, { offset })
    },
    finish: async (id, { name, ...expected }) => {
      const shelf = await reach(id)
      if (servers.find((each) => each.id === id)?.failsToFinish === true) throw new AshlarError('disk-failed', 'Cannot')
      await shelf.finish(name, expected)
    },
    list: async (id) => (await reach(id)).list(),
    read: async (id, { name, offset, manifest = false }) =>
      (await reach(id)).read(name, { offset, manifest, length: limits.framePayloadBytes }),
    remove: async (id, names) => {
      await (await reach(id)).remove(names)
    },
  }
}
