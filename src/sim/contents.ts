/**
 * Bytes that tell who wrote them and where they belong, and the content of model files as pieces of such bytes.
 *
 * A content is made from a seed and a length; every four bytes of it depend on both the seed and their place, so that any
 * mixture of two contents, and any piece in the wrong place, shows. Model files never hold bytes, only pieces.
 * @module
 */
import { hash } from 'node:crypto'
import type { ContentSpec } from './operations.ts'

/** The bytes of a content; equal on every machine. */
export function bytesOf({ seed, length }: ContentSpec): Buffer {
  const words = new Uint32Array(Math.ceil(length / 4))
  const salt = Math.imul(seed + 1, 0x9e3779b1)
  for (let index = 0; index < words.length; index++) {
    const mixed = Math.imul((index + 1) ^ salt, 0x85ebca6b)
    words[index] = mixed ^ (mixed >>> 13) ^ salt
  }
  return Buffer.from(words.buffer, 0, length)
}

/** What a reader found, in a form that can be compared and shown. */
export function digestOfBytes(bytes: Uint8Array): string {
  return hash('sha1', bytes, 'hex').slice(0, 20)
}

interface Piece {
  readonly seed: number
  /** In the content of that seed. */
  readonly offset: number
  readonly length: number
}

/** What a model file holds. Immutable; equal contents have equal keys. */
export class ModelContent {
  static readonly empty = new ModelContent([])
  readonly #pieces: readonly Piece[]
  readonly key: string
  readonly length: number
  #digest: string | undefined

  private constructor(pieces: readonly Piece[]) {
    this.#pieces = pieces
    this.key = pieces.map(({ seed, offset, length }) => `${seed}:${offset}+${length}`).join(' ')
    this.length = pieces.reduce((sum, { length }) => sum + length, 0)
  }

  static of({ seed, length }: ContentSpec): ModelContent {
    return length === 0 ? ModelContent.empty : new ModelContent([{ seed, offset: 0, length }])
  }

  followedBy(other: ModelContent): ModelContent {
    if (this.length === 0 || other.length === 0) return this.length === 0 ? other : this
    return new ModelContent([...this.#pieces, ...other.#pieces])
  }

  /** @param length at most its own */
  cutTo(length: number): ModelContent {
    const kept: Piece[] = []
    let left = length
    for (const piece of this.#pieces) {
      if (left === 0) break
      kept.push({ ...piece, length: Math.min(left, piece.length) })
      left -= Math.min(left, piece.length)
    }
    return new ModelContent(kept)
  }

  bytes(): Buffer {
    return Buffer.concat(
      this.#pieces.map(({ seed, offset, length }) =>
        bytesOf({ seed, length: offset + length }).subarray(offset, offset + length),
      ),
    )
  }

  get digest(): string {
    this.#digest ??= digestOfBytes(this.bytes())
    return this.#digest
  }
}
