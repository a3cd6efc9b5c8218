/**
 * Structs as bytes: one mechanism for rows of the metadata, records on disk and messages on the wire.
 *
 *     struct  = version:u8 field*
 *     field   = key:varint value          key = tag * 2 + (1 if the value has a length before it)
 *     value   = varint | length:varint bytes
 *
 * Fields are written by rising tag; absent optional ones are left out. A tag that the reader does not know is kept
 * and written again, so that an older server never drops what a newer one stored. A newer *version* is refused.
 * Every length is bounded by the declaration: checked before anything is allocated, and before it is written, so that
 * nothing is stored that cannot be read again.
 * Invariant: a tag is never used again for something else.
 * @module
 */
import { assert } from './assert.ts'
import { ByteReader } from './byte-reader.ts'
import { ByteWriter } from './byte-writer.ts'
import { AshlarError } from './errors.ts'

export interface FieldType<T> {
  /** Whether values carry a length before them; otherwise they are one varint. */
  readonly delimited: boolean
  write(writer: ByteWriter, value: T): void
  /** Reads one value; for a delimited type the reader is bounded to it. */
  read(reader: ByteReader): T
}

export interface Field<T, Optional extends boolean> {
  readonly tag: number
  readonly type: FieldType<T>
  readonly optional: Optional
}

type Fields = Readonly<Record<string, Field<unknown, boolean>>>
type ValueOf<F> = F extends Field<infer T, boolean> ? T : never
type RequiredKeys<F extends Fields> = { [K in keyof F]: F[K]['optional'] extends true ? never : K }[keyof F]
type OptionalKeys<F extends Fields> = { [K in keyof F]: F[K]['optional'] extends true ? K : never }[keyof F]

export type StructValue<F extends Fields> = { readonly [K in RequiredKeys<F>]: ValueOf<F[K]> } & {
  readonly [K in OptionalKeys<F>]?: ValueOf<F[K]> | undefined
}

export interface Struct<T> extends FieldType<T> {
  readonly name: string
  /** @throws {AshlarError} `too-large` — a text, bytes or list past what its field declares */
  encode(value: T): Buffer
  /** @throws {AshlarError} `protocol` — malformed; `version-unsupported` — written by a newer version */
  decode(bytes: Uint8Array): T
}

/** The type that a struct describes. */
export type Infer<S> = S extends Struct<infer T> ? T : never

/** Under this key a decoded value carries the fields that its reader does not know. */
const unknownFields = Symbol('unknown fields')

export function field<T>(tag: number, type: FieldType<T>): Field<T, false> {
  return { tag, type, optional: false }
}

export function optional<T>(tag: number, type: FieldType<T>): Field<T, true> {
  return { tag, type, optional: true }
}

/** An unsigned safe integer. */
export const uint: FieldType<number> = {
  delimited: false,
  write: (writer, value) => writer.varint(value),
  read: (reader) => reader.varint(),
}

/** As {@link uint}, for a branded number (an id, a rising number). */
export function id<T extends number>(): FieldType<T> {
  return uint as unknown as FieldType<T>
}

/** Any finite number, as a 64-bit float. */
export const float: FieldType<number> = {
  delimited: true,
  write: (writer, value) => {
    assert(Number.isFinite(value), 'not a finite number')
    const bytes = Buffer.alloc(8)
    bytes.writeDoubleBE(value)
    writer.bytes(bytes)
  },
  read: (reader) => {
    const value = reader.bytes(8).readDoubleBE()
    if (!Number.isFinite(value))
      throw new AshlarError('protocol', 'Cannot read message: found a number that is not finite')
    return value
  },
}

export const bool: FieldType<boolean> = {
  delimited: false,
  write: (writer, value) => writer.varint(value ? 1 : 0),
  read: (reader) => reader.varint() !== 0,
}

/** One of a closed list of words, sent as its index: append to the list, never reorder it. */
export function choice<const T extends string>(...words: readonly T[]): FieldType<T> {
  return {
    delimited: false,
    write: (writer, value) => {
      const index = words.indexOf(value)
      if (index < 0) assert(false, `"${value}" is not one of ${words.join(', ')}`)
      writer.varint(index)
    },
    read: (reader) => {
      const word = words[reader.varint()]
      if (word === undefined) throw new AshlarError('protocol', `Cannot read message: none of ${words.join(', ')}`)
      return word
    },
  }
}

/** Strict UTF-8, at most `maxBytes` bytes. */
export function text(maxBytes: number): FieldType<string> {
  return {
    delimited: true,
    write: (writer, value) => {
      const start = writer.length
      writer.text(value)
      refusePast(maxBytes, writer.length - start)
    },
    read: (reader) => reader.text(atMost(reader.remaining, maxBytes)),
  }
}

/** A copy of at most `maxBytes` bytes. */
export function bytes(maxBytes: number): FieldType<Buffer> {
  return {
    delimited: true,
    write: (writer, value) => {
      refusePast(maxBytes, value.length)
      writer.bytes(value)
    },
    read: (reader) => reader.copy(atMost(reader.remaining, maxBytes)),
  }
}

/** Exactly `count` bytes, in memory as lower-case hex: chunk, server and cluster ids. */
export function hex<T extends string>(count: number): FieldType<T> {
  return {
    delimited: true,
    write: (writer, value) => {
      if (writer.hex(value) !== count) assert(false, `not ${count} bytes of hex`)
    },
    read: (reader) => reader.hex(count) as T,
  }
}

export function list<T>(type: FieldType<T>, maxCount: number): FieldType<readonly T[]> {
  return {
    delimited: true,
    write: (writer, values) => {
      refusePast(maxCount, values.length)
      writer.varint(values.length)
      for (const value of values) writeValue(writer, type, value)
    },
    read: (reader) => {
      const count = atMost(reader.varint(), Math.min(maxCount, reader.remaining))
      const values: T[] = []
      for (let index = 0; index < count; index++) values.push(readValue(reader, type))
      return values
    },
  }
}

/** Declares a struct. `name` is for error messages. */
export function struct<const F extends Fields>(name: string, version: number, fields: F): Struct<StructValue<F>> {
  type Value = StructValue<F>
  const ordered = Object.entries(fields)
    .map(([key, { tag, type, optional: isOptional }]) => ({ key, tag, type, isOptional }))
    .sort((a, b) => a.tag - b.tag)
  /** By tag; tags are few and small. */
  const byTag: ((typeof ordered)[number] | undefined)[] = []
  for (const entry of ordered) {
    assert(byTag[entry.tag] === undefined, `two fields of ${name} share a tag`)
    byTag[entry.tag] = entry
  }
  const required = ordered.filter((entry) => !entry.isOptional).map((entry) => entry.key)

  function write(writer: ByteWriter, value: Value): void {
    const record = value as Record<string, unknown> & { [unknownFields]?: Buffer }
    writer.u8(version)
    for (const { key, tag, type, isOptional } of ordered) {
      const item = record[key]
      if (item === undefined) {
        assert(isOptional, `${name}.${key} is missing`)
        continue
      }
      writer.varint(tag * 2 + (type.delimited ? 1 : 0))
      writeValue(writer, type, item)
    }
    const kept = record[unknownFields]
    if (kept !== undefined) writer.bytes(kept)
  }

  function read(reader: ByteReader): Value {
    const found = reader.u8()
    if (found !== version) {
      throw new AshlarError('version-unsupported', `Cannot read ${name}: version ${found}, where ${version} is known`)
    }
    const record: Record<string, unknown> & { [unknownFields]?: Buffer } = {}
    /** Where unknown fields lie, neighbours joined: start, end, start, end… Copied once, at the end. */
    const unknown: number[] = []
    while (reader.remaining > 0) {
      const start = reader.position
      const key = reader.varint()
      const isDelimited = key % 2 === 1
      const entry = byTag[Math.floor(key / 2)]
      if (entry === undefined || entry.type.delimited !== isDelimited) {
        if (isDelimited) reader.bytes(reader.varint())
        else reader.varint()
        if (unknown.at(-1) === start) unknown[unknown.length - 1] = reader.position
        else unknown.push(start, reader.position)
      } else {
        record[entry.key] = readValue(reader, entry.type)
      }
    }
    if (unknown.length > 0) record[unknownFields] = copyOfRanges(reader, unknown)
    for (const key of required) {
      if (record[key] === undefined) throw new AshlarError('protocol', `Cannot read ${name}: ${key} is missing`)
    }
    return record as unknown as Value
  }

  return {
    name,
    delimited: true,
    write,
    read,
    encode(value) {
      const writer = new ByteWriter()
      write(writer, value)
      return writer.finish()
    },
    decode(encoded) {
      return read(new ByteReader(encoded))
    },
  }
}

function writeValue<T>(writer: ByteWriter, type: FieldType<T>, value: T): void {
  if (!type.delimited) {
    type.write(writer, value)
    return
  }
  const start = writer.beginDelimited()
  type.write(writer, value)
  writer.endDelimited(start)
}

function readValue<T>(reader: ByteReader, type: FieldType<T>): T {
  if (!type.delimited) return type.read(reader)
  const outerEnd = reader.enter(reader.varint())
  const value = type.read(reader)
  reader.leave(outerEnd)
  return value
}

function copyOfRanges(reader: ByteReader, ranges: readonly number[]): Buffer {
  const parts: Buffer[] = []
  for (let index = 0; index < ranges.length; index += 2) {
    parts.push(reader.slice(ranges[index] as number, ranges[index + 1] as number))
  }
  return Buffer.concat(parts)
}

function refusePast(limit: number, length: number): void {
  if (length > limit) {
    throw new AshlarError('too-large', `Cannot write message: a length of ${length}, where ${limit} is the limit`)
  }
}

function atMost(value: number, limit: number): number {
  if (value > limit)
    throw new AshlarError('protocol', `Cannot read message: a length of ${value}, where ${limit} is the limit`)
  return value
}
