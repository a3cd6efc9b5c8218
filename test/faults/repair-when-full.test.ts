/** Disks without a free block: what they hold is still a source for repair, and deletes make room again. */
import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { type AshlarClient, connect, isAshlarError } from '../../src/client/index.ts'
import { Arena, whyNoArena } from './arena.ts'
import { master, type ServerName } from './hand-cluster.ts'
import { whyNotLong } from './preloaded.ts'
import { filesBelow } from './rot.ts'

const needs = ['images'] as const
const wiped = 'chunkserver-2' satisfies ServerName
const content = (index: number) => Buffer.alloc(2 * 2 ** 20, index + 1)
const files = 4

test(
  'a server that lost chunks has them again from servers whose disks have no free block',
  {
    skip: whyNoArena(needs),
  },
  () => repairsFrom(['chunkserver-1', 'chunkserver-3']),
)

test(
  'a server that lost chunks comes back, and has them again, while the master has no free block either',
  {
    skip: whyNotLong() || whyNoArena(needs),
  },
  () => repairsFrom([master, 'chunkserver-1', 'chunkserver-3']),
)

async function repairsFrom(full: readonly ServerName[]): Promise<void> {
  await using arena = new Arena({ needs, imageSize: '400M', capacity: '200MiB', masterArgs: ['--trash-keep', '1s'] })
  const { cluster, disks } = arena
  await cluster.start()
  await using client = await connect({ cluster: cluster.clusterPath, timeoutMs: 20_000 })
  for (let index = 0; index < files; index++) await client.writeFile(`/f${index}`, content(index))
  const chunks = filesBelow(join(cluster.data(wiped), 'chunks'))
  assert.ok(chunks.length >= files)
  await cluster.end(wiped, 'SIGTERM')
  for (const chunk of chunks) rmSync(chunk)
  rmSync(join(cluster.data(wiped), 'index'), { recursive: true })
  for (const name of full) disks.get(name)?.fill()
  await cluster.startOne(wiped)
  await until(() => filesBelow(join(cluster.data(wiped), 'chunks')).length >= chunks.length, 'the lost copies')
  await assert.rejects(client.writeFile('/more', content(9)), (error) => isAshlarError(error))
  for (let index = 0; index < files; index++) assert.ok((await client.readFile(`/f${index}`)).equals(content(index)))
  await client.rm('/f0')
  await until(async () => (await client.status()).pendingDeletes === 0 && (await isPurged(client)), 'the deletes')
  for (const name of full) disks.get(name)?.empty()
  await until(() => writes(client), 'a write, once there is room')
}

async function isPurged(client: AshlarClient): Promise<boolean> {
  return (await client.status()).trashEntries === 0
}

async function writes(client: AshlarClient): Promise<boolean> {
  try {
    await client.writeFile('/again', content(99))
    return true
  } catch (error) {
    // The servers tell their room once a second.
    if (isAshlarError(error)) return false
    throw error
  }
}

async function until(isSo: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (let look = 0; look < 300; look++) {
    if (await isSo()) return
    await wait(100)
  }
  throw new Error(`waited in vain for ${what}`)
}
