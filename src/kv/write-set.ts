/**
 * Writes that are not in the store yet, in key order: those of one transaction, or of a batch of them.
 *
 * It lies over a base (the store, or another write set): {@link WriteSet.over} gives the value that a reader sees through
 * it, {@link WriteSet.mergeOver} does so for a range. `add` stays a sum until someone reads it, so it needs no read.
 * Invariant: `sizeBytes` counts the keys and values held; it never passes what its limits allow.
 * @module
 */
import { assert } from '../base/assert.ts'
import { AshlarError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { addInto, addLanes, allZero, assertLanes } from './lanes.ts'
import { keyText, SortedMap } from './sorted-map.ts'

/** What happens to one key. `add`: `value` holds the lanes to add; `del`: there is none. */
export type Write = PutWrite | DelWrite | AddWrite

interface AnyWrite {
  readonly key: Uint8Array
  /** The key must be absent beneath this write. */
  readonly mustBeAbsent: boolean
}

interface PutWrite extends AnyWrite {
  readonly kind: 'put'
  readonly value: Uint8Array
}

interface DelWrite extends AnyWrite {
  readonly kind: 'del'
  readonly value?: undefined
}

interface AddWrite extends AnyWrite {
  readonly kind: 'add'
  readonly value: Uint8Array
  /** `value` is memory of this set's own: nobody else has it, and more can be added to it. */
  readonly isSum?: boolean
}

/** A pair of the base: the key as text, the key, the value. */
export type Pair = readonly [text: string, key: Uint8Array, value: Uint8Array]

export interface TextRange {
  readonly start: string
  readonly end: string
  readonly reverse: boolean
  /** The reader stops after about so many pairs. */
  readonly rows?: number
}

export class WriteSet {
  readonly #writes = new SortedMap<Write>()
  #sizeBytes = 0
  #insertCount = 0

  get size(): number {
    return this.#writes.size
  }

  get sizeBytes(): number {
    return this.#sizeBytes
  }

  /** Whether any write demands that its key be absent. */
  get hasInserts(): boolean {
    return this.#insertCount > 0
  }

  put(key: Uint8Array, value: Uint8Array): void {
    checkValue(value)
    const text = checkKey(key)
    const before = this.#writes.get(text)
    this.#set(text, { key, kind: 'put', value, mustBeAbsent: before?.mustBeAbsent ?? false }, before)
  }

  del(key: Uint8Array): void {
    const text = checkKey(key)
    const before = this.#writes.get(text)
    this.#set(text, { key, kind: 'del', mustBeAbsent: before?.mustBeAbsent ?? false }, before)
  }

  /** @throws {AshlarError} `already-exists` — this set itself wrote the key */
  insert(key: Uint8Array, value: Uint8Array): void {
    checkValue(value)
    const text = checkKey(key)
    const before = this.#writes.get(text)
    assert(before?.kind !== 'add', 'insert of a key that the same transaction adds to')
    if (before?.kind === 'put') throw alreadyExists(key)
    this.#set(text, { key, kind: 'put', value, mustBeAbsent: before === undefined || before.mustBeAbsent }, before)
  }

  add(key: Uint8Array, lanes: Uint8Array): void {
    assertLanes(lanes)
    checkValue(lanes)
    const text = checkKey(key)
    const before = this.#writes.get(text)
    this.#set(text, added(before, { key, kind: 'add', value: lanes, mustBeAbsent: false }), before)
  }

  /** Lays `upper`, a later transaction's writes, over these. Its demands of absence were met and are dropped. */
  absorb(upper: WriteSet): void {
    for (const [text, write] of upper.#writes.entries()) {
      const before = this.#writes.get(text)
      if (write.kind === 'add' && canGrow(before, write)) addInto(before.value, write.value)
      else if (write.kind === 'add') this.#set(text, added(before, write), before)
      else this.#set(text, write.mustBeAbsent ? { ...write, mustBeAbsent: false } : write, before)
    }
  }

  get(text: string): Write | undefined {
    return this.#writes.get(text)
  }

  holds(text: string): boolean {
    return this.#writes.get(text) !== undefined
  }

  holdsWithin({ start, end }: TextRange): boolean {
    return this.#writes.size > 0 && this.#writes.ascending(start, end).next().done !== true
  }

  /** All writes in key order. */
  writes(): Generator<readonly [text: string, write: Write]> {
    return this.#writes.ascending()
  }

  /** What a reader sees of key `text` through these writes; `base` reads what lies beneath, and only if it matters. */
  over(text: string, base: () => Uint8Array | undefined): Uint8Array | undefined {
    const write = this.#writes.get(text)
    return write === undefined ? base() : seenThrough(write, base)
  }

  /** The pairs of `base` (those of `range`, in its order) as a reader sees them through these writes, lazily. */
  mergeOver(base: Iterable<Pair>, range: TextRange): Iterable<Pair> {
    return this.#writes.size === 0 ? base : this.#merge(base, range)
  }

  *#merge(base: Iterable<Pair>, range: TextRange): Generator<Pair> {
    const { start, end, reverse } = range
    const upper = reverse ? this.#writes.descending(start, end) : this.#writes.ascending(start, end)
    let next = upper.next()
    for (const pair of base) {
      const text = pair[0]
      while (!next.done && (reverse ? next.value[0] > text : next.value[0] < text)) {
        yield* visible(next.value, undefined)
        next = upper.next()
      }
      if (!next.done && next.value[0] === text) {
        yield* visible(next.value, pair[2])
        next = upper.next()
      } else yield pair
    }
    for (; !next.done; next = upper.next()) yield* visible(next.value, undefined)
  }

  /** @param before what is there now */
  #set(text: string, write: Write, before: Write | undefined): void {
    if (before !== undefined) {
      this.#sizeBytes -= sizeOf(before)
      if (before.mustBeAbsent) this.#insertCount--
    }
    this.#writes.set(text, write)
    this.#sizeBytes += sizeOf(write)
    if (write.mustBeAbsent) this.#insertCount++
  }
}

/** What a reader sees of a key through `write`; `base` reads what lies beneath, and only if it matters. */
export function seenThrough(write: Write, base: () => Uint8Array | undefined): Uint8Array | undefined {
  return write.kind === 'add' ? appliedCopy(write, base()) : copyOf(write.value)
}

/** As {@link applied}, in memory that no later `add` changes. */
function appliedCopy(write: Write, base: Uint8Array | undefined): Uint8Array | undefined {
  const value = applied(write, base)
  return value === write.value ? copyOf(value) : value
}

/** What `write` leaves of a key whose value beneath is `base`; undefined: absent. */
export function applied(write: Write, base: Uint8Array | undefined): Uint8Array | undefined {
  if (write.kind !== 'add') return write.value
  const sum = base === undefined ? write.value : addLanes(base, write.value)
  return allZero(sum) ? undefined : sum
}

export function alreadyExists(key: Uint8Array): AshlarError {
  const hex = Buffer.from(key).toString('hex')
  return new AshlarError('already-exists', `Cannot insert key ${hex}: it is present`, { details: { key: hex } })
}

/** `write`, an `add`, on top of an earlier write of the same key. */
function added(before: Write | undefined, write: AddWrite): Write {
  if (before === undefined) return write
  const value = before.kind === 'del' ? write.value : addLanes(before.value, write.value)
  const { mustBeAbsent } = before
  if (before.kind === 'add') return { key: before.key, kind: 'add', value, mustBeAbsent, isSum: true }
  return allZero(value)
    ? { key: before.key, kind: 'del', mustBeAbsent }
    : { key: before.key, kind: 'put', value, mustBeAbsent }
}

/** Whether the sum of `before` can take what `write` adds, so that a hot counter takes no memory for each of a batch. */
function canGrow(before: Write | undefined, write: AddWrite): before is AddWrite {
  return before?.kind === 'add' && before.isSum === true && before.value.length >= write.value.length
}

function* visible([text, write]: readonly [string, Write], base: Uint8Array | undefined): Generator<Pair> {
  const value = appliedCopy(write, base)
  if (value !== undefined) yield [text, write.key, value]
}

/** The reader may change what it got; the write must not change with it. */
function copyOf(value: Uint8Array | undefined): Uint8Array | undefined {
  return value === undefined ? undefined : Buffer.from(value)
}

function sizeOf(write: Write): number {
  return write.key.length + (write.value?.length ?? 0)
}

function checkKey(key: Uint8Array): string {
  assert(key.length > 0, 'a key has at least one byte')
  if (key.length > limits.keyBytes) throw tooLarge(`a key of ${key.length} bytes`, 'keyBytes')
  return keyText(key)
}

function checkValue(value: Uint8Array): void {
  if (value.length > limits.valueBytes) throw tooLarge(`a value of ${value.length} bytes`, 'valueBytes')
}

export function tooLarge(what: string, limit: keyof typeof limits): AshlarError {
  return new AshlarError('too-large', `Cannot write ${what}: more than ${limit} (${limits[limit]}) allows`, {
    details: { limit, most: limits[limit] },
  })
}
