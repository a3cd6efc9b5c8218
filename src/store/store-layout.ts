/**
 * Where things lie in a store's folder (`docs/formats/store-folder.md`). Paths are made from numbers and ids only:
 * nothing that a user named ever becomes a path.
 * @module
 */
import { type ChunkId, type GroupId, groupOf, pageOf } from '../base/ids.ts'

export class StoreLayout {
  readonly root: string
  readonly identity: string
  readonly lock: string
  readonly opening: string
  readonly reserve: string
  readonly chunks: string
  readonly segments: string
  readonly index: string
  readonly facts: string
  readonly quarantine: string
  readonly temporary: string
  /** Present: the index is not to be believed. */
  readonly indexDistrust: string

  constructor(root: string) {
    this.root = root
    this.identity = `${root}/identity.json`
    this.lock = `${root}/lock`
    this.opening = `${root}/opening`
    this.reserve = `${root}/reserve`
    this.chunks = `${root}/chunks`
    this.segments = `${root}/segments`
    this.index = `${root}/index`
    this.facts = `${root}/facts`
    this.quarantine = `${root}/quarantine`
    this.temporary = `${root}/tmp`
    this.indexDistrust = `${root}/index-distrusted`
  }

  /** Folders that every store has. */
  get folders(): readonly string[] {
    return [this.chunks, this.segments, this.index, this.facts, this.quarantine, this.temporary]
  }

  groupFolder(group: GroupId): string {
    return `${this.chunks}/${hex(group, 8)}`
  }

  /** The folder of the chunk's page. */
  chunkFolder(id: ChunkId): string {
    return `${this.groupFolder(groupOf(id))}/${hex(pageOf(id), 13)}`
  }

  chunkFile(id: ChunkId): string {
    return `${this.chunkFolder(id)}/${id}`
  }

  segment(number: number): string {
    return `${this.segments}/${hex(number, 8)}.seg`
  }

  /** A segment whose live records were copied: it only waits to be unlinked. */
  retiredSegment(number: number): string {
    return `${this.segments}/${hex(number, 8)}.retired`
  }

  /** @param name checked by `checkFact` */
  /** The first is written first. */
  factFiles(name: string): readonly string[] {
    return [`${this.facts}/${name}`, `${this.facts}/${name}.copy`]
  }
}

/** The number in the name of a segment file; undefined: it is none. */
export function parseSegmentName(name: string): { readonly number: number; readonly isRetired: boolean } | undefined {
  const match = /^([0-9a-f]{8})\.(seg|retired)$/.exec(name)
  if (match === null) return undefined
  return { number: Number.parseInt(match[1] as string, 16), isRetired: match[2] === 'retired' }
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0')
}
