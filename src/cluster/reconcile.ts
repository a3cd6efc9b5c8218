/**
 * What must happen so that a member holds of a page exactly the chunks that the metadata names.
 *
 * Deleting because something is absent from `C` needs positive knowledge: the page's allocations are all closed, the scan
 * of `C` equals the digest `E` that was kept apart from it, and the member's list was taken before the scan (so that a
 * chunk committed between the two is not taken for an orphan). Short of that an unknown chunk is left where it is.
 * Pure: the lists and their circumstances in, steps with reasons out.
 * @module
 */
import type { ChunkFacts } from '../base/digest.ts'

export interface PageComparison {
  /** The live chunks of the page in `C`: a complete scan. */
  readonly expected: readonly ChunkFacts[]
  /** What the member listed, completely, *before* `expected` was read. */
  readonly held: readonly ChunkFacts[]
  /** Whether the digest of `expected` equals the page's `E` row, read in the same transaction. */
  readonly scanEqualsDigest: boolean
  /** No open allocation can still write into the page, and gc has nothing to delete there. Known *after* `held` was listed. */
  readonly isClosed: boolean
  /** Whether deleting is allowed at all now: not in safe mode. */
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
    const doubt = doubtAboutDeleting(comparison)
    steps.push(
      doubt === undefined
        ? { kind: 'delete', facts, reason: 'no file names it and its allocation is closed' }
        : { kind: 'leave', facts, reason: doubt },
    )
  }
  return steps
}

function doubtAboutDeleting({ isClosed, scanEqualsDigest, mayDelete }: PageComparison): string | undefined {
  if (!isClosed) return 'an open allocation may still bring it into a file'
  if (!scanEqualsDigest) return 'the scan of the metadata does not equal its digest'
  if (!mayDelete) return 'safe mode: nothing is deleted yet'
  return undefined
}
