/**
 * What a memory engine leaves behind: rows that outlive a crash of the engine, as a disk would.
 *
 * Invariant: rows hold copies; nobody outside sees the memory that is stored. Each commit is applied whole.
 * Commits that are not synced yet are remembered so that a crash can take back the latest of them.
 * @module
 */
import { SortedMap } from './sorted-map.ts'
import { applied, type WriteSet } from './write-set.ts'

export interface MemoryRow {
  readonly key: Buffer
  readonly value: Buffer
}

/** Older unsynced commits count as synced: a kernel writes back too. */
const unsyncedCommits = 1024

export class MemoryImage {
  readonly #rows = new SortedMap<MemoryRow>()
  /** For each unsynced commit, what its keys held before. */
  #undo: (readonly (readonly [text: string, row: MemoryRow | undefined])[])[] = []
  #sizeBytes = 0
  /** Whether an engine has it open. */
  held = false

  get sizeBytes(): number {
    return this.#sizeBytes
  }

  get unsyncedCount(): number {
    return this.#undo.length
  }

  get(text: string): MemoryRow | undefined {
    return this.#rows.get(text)
  }

  ascending(start: string, end: string): Iterable<[text: string, row: MemoryRow]> {
    return this.#rows.ascending(start, end)
  }

  descending(start: string, end: string): Iterable<[text: string, row: MemoryRow]> {
    return this.#rows.descending(start, end)
  }

  /** Applies all of `writes`. Unsynced ones can be lost by {@link loseLatest}. */
  apply(writes: WriteSet, { synced }: { readonly synced: boolean }): void {
    const before: (readonly [string, MemoryRow | undefined])[] = []
    for (const [text, write] of writes.writes()) {
      const row = this.#rows.get(text)
      if (!synced) before.push([text, row])
      const value = applied(write, row?.value)
      this.#set(text, value && { key: row?.key ?? Buffer.from(write.key), value: Buffer.from(value) })
    }
    if (synced) return
    this.#undo.push(before)
    if (this.#undo.length > unsyncedCommits) this.#undo.shift()
  }

  sync(): void {
    this.#undo = []
  }

  /** Makes the `count` oldest unsynced commits durable. */
  syncOldest(count: number): void {
    this.#undo.splice(0, count)
  }

  /** Takes back the latest `count` unsynced commits, as a power cut does; the others are synced. */
  loseLatest(count: number): void {
    for (let lost = 0; lost < count; lost++) {
      for (const [text, row] of this.#undo.pop() ?? []) this.#set(text, row)
    }
    this.sync()
  }

  #set(text: string, row: MemoryRow | undefined): void {
    this.#sizeBytes += sizeOf(row) - sizeOf(this.#rows.get(text))
    if (row === undefined) this.#rows.delete(text)
    else this.#rows.set(text, row)
  }
}

function sizeOf(row: MemoryRow | undefined): number {
  return row === undefined ? 0 : row.key.length + row.value.length
}

/** An empty one, for `createMemoryKV`; keep it to open the same data again. */
export function createMemoryImage(): MemoryImage {
  return new MemoryImage()
}
