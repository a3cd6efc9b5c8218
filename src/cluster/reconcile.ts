/**
 * What must happen so that a member holds of a page exactly the chunks that the metadata names.
 *
 * Deleting because something is absent from `C` needs positive knowledge: the page's allocations are all closed, the scan
 * of `C` equals the digest `E` that was kept apart from it, and the member's list was taken before the scan (so that a
 * chunk committed between the two is not taken for an orphan). Short of that an unknown chunk is left where it is.
 * A chunk of another generation, or whose id the metadata never gave out, is no orphan at all: a restore has lost it.
 * Pure: the lists and their circumstances in, steps with reasons out.
 * @module
 */
import type { ChunkFacts } from '../base/digest.ts'
import { chunkIdParts } from '../base/ids.ts'

export interface PageComparison {
  /** The live chunks of the page in `C`: a complete scan. */
  readonly expected: readonly ChunkFacts[]
  /** What the member listed, completely, *before* `expected` was read. */
  readonly held: readonly ChunkFacts[]
  /** Whether the digest of `expected` equals the page's `E` row, read in the same transaction. */
  readonly scanEqualsDigest: boolean
  /** Ids of the group from this sequence on were never given out. Read with `expected`. */
  readonly nextSequence: number
  /** Of the cluster now. */
  readonly generation: number
  /** No open allocation can still write into the page, and gc has nothing to delete there. Known *after* `held` was listed. */
  readonly isClosed: boolean
  /** Whether deleting is allowed at all now: not in safe mode, nor by metadata that was found older than chunks. */
  readonly mayDelete: boolean
}

export type ReconcileStep =
  /** Copy it from a member that holds it. */
  | { readonly kind: 'copy'; readonly facts: ChunkFacts; readonly reason: string }
  /** Its bytes are not those that the metadata names: have it verified (which quarantines it), then copied. */
  | { readonly kind: 'replace'; readonly facts: ChunkFacts; readonly reason: string }
  | { readonly kind: 'delete'; readonly facts: ChunkFacts; readonly reason: string }
  /** Nothing is done to it: not enough is known. */
  | { readonly kind: 'leave'; readonly facts: ChunkFacts; readonly reason: string }

export function planPage(comparison: PageComparison): readonly ReconcileStep[] {
  const held = new Map(comparison.held.map((facts) => [facts.id, facts]))
  const steps: ReconcileStep[] = []
  for (const facts of comparison.expected) {
    const found = held.get(facts.id)
    held.delete(facts.id)
    if (found === undefined) {
      steps.push({ kind: 'copy', facts, reason: 'a file names it and the member does not hold it' })
    } else if (found.length !== facts.length || found.crc !== facts.crc) {
      const reason = `the member holds ${found.length} bytes with crc ${found.crc}, a file names ${facts.length} with ${facts.crc}`
      steps.push({ kind: 'replace', facts, reason })
    }
  }
  for (const facts of held.values()) {
    const doubt = doubtAboutDeleting(facts, comparison)
    steps.push(
      doubt === undefined
        ? { kind: 'delete', facts, reason: 'no file names it and its allocation is closed' }
        : { kind: 'leave', facts, reason: doubt },
    )
  }
  return steps
}

/** Proof that the metadata is older than a chunk that members hold: ids are given out durably before they are used. */
export function wasNeverGivenOut(
  { id }: Pick<ChunkFacts, 'id'>,
  { nextSequence, generation }: Pick<PageComparison, 'nextSequence' | 'generation'>,
): boolean {
  const parts = chunkIdParts(id)
  return parts.sequence >= nextSequence || parts.generation > generation
}

function doubtAboutDeleting(facts: ChunkFacts, comparison: PageComparison): string | undefined {
  const { isClosed, scanEqualsDigest, mayDelete, generation } = comparison
  if (wasNeverGivenOut(facts, comparison)) return 'the metadata never gave its id out: it is older than the chunk'
  if (chunkIdParts(facts.id).generation < generation) return 'it is of an older generation: a restore may have lost it'
  if (!isClosed) return 'an open allocation may still bring it into a file'
  if (!scanEqualsDigest) return 'the scan of the metadata does not equal its digest'
  if (!mayDelete) return 'safe mode: nothing is deleted yet'
  return undefined
}

export interface LeftoverPage
  extends Pick<PageComparison, 'expected' | 'held' | 'nextSequence' | 'generation' | 'isClosed' | 'scanEqualsDigest'> {
  /** What each member listed of the page, completely, after the scan. */
  readonly heldByMembers: readonly (readonly ChunkFacts[])[]
}

/**
 * What a former member may drop of a page: what a file names and every member holds just so, and what no file can ever name.
 * Nothing while a member lacks anything that a file names.
 */
export function planLeftovers(page: LeftoverPage): readonly ChunkFacts[] {
  const { held, expected, scanEqualsDigest, heldByMembers } = page
  const isHeldByAll = heldByMembers.every((member) => {
    const found = new Map(member.map((facts) => [facts.id, facts]))
    return expected.every(({ id, length, crc }) => found.get(id)?.length === length && found.get(id)?.crc === crc)
  })
  if (heldByMembers.length === 0 || !isHeldByAll || !scanEqualsDigest) return []
  const live = new Set(expected.map(({ id }) => id))
  return held.filter(
    (facts) => live.has(facts.id) || doubtAboutDeleting(facts, { ...page, mayDelete: true }) === undefined,
  )
}
