/**
 * A thread that hashes: see `node-hashes.ts`, which alone starts it. Contents come in blocks of memory that both share; an answer
 * gives the block back.
 * @module
 */
import { createHash, type Hash } from 'node:crypto'
import { parentPort, workerData } from 'node:worker_threads'
import type { HashName } from './hashes.ts'

export interface HashThreadData {
  readonly memory: SharedArrayBuffer
  readonly blockBytes: number
}

/** Of one content, in order. */
export type HashOrder =
  | { readonly id: number; readonly names: readonly HashName[] }
  | { readonly id: number; readonly block: number; readonly length: number }
  | { readonly id: number; readonly end: 'digest' | 'drop' }

export type HashReply = { readonly block: number } | { readonly id: number; readonly digests: readonly string[] }

const { memory, blockBytes } = workerData as HashThreadData
const running = new Map<number, readonly Hash[]>()

parentPort?.on('message', (order: HashOrder) => {
  if ('names' in order) {
    running.set(
      order.id,
      order.names.map((name) => createHash(name)),
    )
    return
  }
  const hashes = running.get(order.id) ?? []
  if ('block' in order) {
    const bytes = new Uint8Array(memory, order.block * blockBytes, order.length)
    for (const hash of hashes) hash.update(bytes)
    reply({ block: order.block })
    return
  }
  running.delete(order.id)
  if (order.end === 'digest') reply({ id: order.id, digests: hashes.map((hash) => hash.digest('hex')) })
})

function reply(message: HashReply): void {
  parentPort?.postMessage(message)
}
