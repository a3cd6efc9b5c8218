/**
 * The bytes of a file in memory, twice: as its readers see them, and as a crash would leave them.
 *
 * Both images share blocks; a block is copied before it is changed while the durable image still has it. So a sync
 * costs what was written since the last one, not the length of the file.
 * @module
 */
/** Small, since an append after a sync copies the block that it ends in. */
const blockBytes = 8 * 1024

/** A part of a file that was written and not synced. */
export type UnsyncedPart = { readonly kind: 'sector'; readonly index: number } | { readonly kind: 'length' }

/** What a disk writes whole or not at all. */
export const sectorBytes = 512
const sectorsPerBlock = blockBytes / sectorBytes

export class FileImage {
  /** A block may be shorter than `blockBytes`, or missing: the rest reads as zeros. */
  #blocks = new Map<number, Buffer>()
  #lengthBytes = 0
  readonly #durableBlocks = new Map<number, Buffer>()
  #durableLengthBytes = 0
  /** Blocks that the next sync makes durable. */
  readonly #unsynced = new Set<number>()

  get lengthBytes(): number {
    return this.#lengthBytes
  }

  /** @returns bytes read: fewer than asked where the file ends */
  read(buffer: Uint8Array, position: number): number {
    const count = Math.max(0, Math.min(buffer.byteLength, this.#lengthBytes - position))
    for (let done = 0; done < count; ) {
      const { index, offset } = placeOf(position + done)
      const end = Math.min(done + blockBytes - offset, count)
      const part = this.#blocks.get(index)?.subarray(offset, offset + end - done)
      buffer.set(part ?? [], done)
      buffer.fill(0, done + (part?.length ?? 0), end)
      done = end
    }
    return count
  }

  write(bytes: Uint8Array, position: number): void {
    for (let done = 0; done < bytes.byteLength; ) {
      const { index, offset } = placeOf(position + done)
      const part = bytes.subarray(done, done + blockBytes - offset)
      this.#own(index, offset + part.byteLength).set(part, offset)
      done += part.byteLength
    }
    this.#lengthBytes = Math.max(this.#lengthBytes, position + bytes.byteLength)
  }

  truncate(lengthBytes: number): void {
    const { index: last, offset } = placeOf(lengthBytes)
    if (lengthBytes < this.#lengthBytes) {
      for (const index of this.#blocks.keys()) {
        if (index < last || (index === last && offset > 0)) continue
        this.#blocks.delete(index)
        this.#unsynced.add(index)
      }
      // So that a later extension reads zeros there.
      if (this.#blocks.has(last)) this.#own(last, offset).fill(0, offset)
    }
    this.#lengthBytes = lengthBytes
  }

  sync(): void {
    for (const index of this.#unsynced) this.#makeDurable(index)
    this.#unsynced.clear()
    this.#durableLengthBytes = this.#lengthBytes
  }

  /** What a kernel does when a sync fails: readers still see the bytes, and no later sync writes them. */
  failSync(): void {
    this.#unsynced.clear()
  }

  /** Keeps what was synced, and of the rest what `keeps` chooses. */
  crash(keeps: (part: UnsyncedPart) => boolean): void {
    for (const index of this.#unsynced) {
      this.#keepSectors(index, (sector) => keeps({ kind: 'sector', index: sector }))
    }
    this.#unsynced.clear()
    if (this.#durableLengthBytes !== this.#lengthBytes && keeps({ kind: 'length' })) {
      this.#durableLengthBytes = this.#lengthBytes
    }
    this.#blocks = new Map(this.#durableBlocks)
    this.#lengthBytes = Number.MAX_SAFE_INTEGER
    this.truncate(this.#durableLengthBytes)
    this.sync()
  }

  flipBit(position: number, bit: number): void {
    const { index, offset } = placeOf(position)
    const current = this.#blocks.get(index)
    const durable = this.#durableBlocks.get(index)
    for (const block of new Set([current, durable])) {
      if (block !== undefined && offset < block.length) block[offset] = (block[offset] as number) ^ (1 << bit)
    }
  }

  /** Makes durable the sectors of a block that `keeps` chooses. */
  #keepSectors(index: number, keeps: (sector: number) => boolean): void {
    const written = this.#blocks.get(index)
    const durable = this.#durableBlocks.get(index)
    const sizeBytes = Math.max(written?.length ?? 0, durable?.length ?? 0)
    if (sizeBytes === 0) return
    const merged = Buffer.alloc(sizeBytes)
    durable?.copy(merged)
    for (let at = 0; at < sizeBytes; at += sectorBytes) {
      if (!keeps(index * sectorsPerBlock + at / sectorBytes)) continue
      const sector = merged.subarray(at, at + sectorBytes)
      sector.fill(0)
      sector.set(written?.subarray(at, at + sectorBytes) ?? [])
    }
    this.#durableBlocks.set(index, merged)
  }

  /** A block that may be changed, at least `sizeBytes` long. */
  #own(index: number, sizeBytes: number): Buffer {
    this.#unsynced.add(index)
    const block = this.#blocks.get(index)
    if (block !== undefined && block.length >= sizeBytes && block !== this.#durableBlocks.get(index)) return block
    const owned = Buffer.alloc(Math.min(blockBytes, 2 ** Math.ceil(Math.log2(Math.max(sizeBytes, block?.length ?? 0)))))
    if (block !== undefined) owned.set(block)
    this.#blocks.set(index, owned)
    return owned
  }

  #makeDurable(index: number): void {
    const block = this.#blocks.get(index)
    if (block === undefined) this.#durableBlocks.delete(index)
    else this.#durableBlocks.set(index, block)
  }
}

function placeOf(position: number): { readonly index: number; readonly offset: number } {
  return { index: Math.floor(position / blockBytes), offset: position % blockBytes }
}
