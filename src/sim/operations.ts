/**
 * What simulated clients do: plain data, so that a script is JSON and a failing one can lose any of its operations.
 *
 * Invariant: no operation depends on the outcome of another one. What it needs to know (the version to replace, the
 * length to append to) it asks for itself when it runs, so every subset of a script is again a legal script.
 * @module
 */

/** Bytes that are made from two numbers; see contents.ts. */
export interface ContentSpec {
  /** Unique per operation, so that bytes tell who wrote them. */
  readonly seed: number
  /** Bytes. */
  readonly length: number
}

/** A write under a condition: the path is absent; the file is as a look just before said; it is as that look denies. */
export type WriteCondition = 'absent' | 'current' | 'stale'

export type Action =
  | {
      readonly kind: 'write'
      readonly path: string
      readonly content: ContentSpec
      readonly condition?: WriteCondition
    }
  | {
      readonly kind: 'append'
      readonly path: string
      /** At least one byte. */
      readonly content: ContentSpec
      readonly condition?: 'current' | 'stale'
    }
  | { readonly kind: 'list'; readonly path: string; readonly pageEntries: number }
  | PlainAction

/** What a script asks for and a client does in the same words. */
export type PlainAction =
  | { readonly kind: 'read'; readonly path: string }
  | { readonly kind: 'stat'; readonly path: string }
  | { readonly kind: 'make-directory'; readonly path: string; readonly recursive: boolean }
  | { readonly kind: 'rename'; readonly from: string; readonly to: string; readonly replace: boolean }
  | { readonly kind: 'remove'; readonly path: string; readonly recursive: boolean }
  | { readonly kind: 'copy'; readonly from: string; readonly to: string }
  | { readonly kind: 'truncate'; readonly path: string; readonly length: number }
  | { readonly kind: 'concat'; readonly path: string; readonly sources: readonly string[] }
  | { readonly kind: 'undelete'; readonly path: string }
  | { readonly kind: 'empty-trash'; readonly path: string }
  | { readonly kind: 'list-trash'; readonly path: string }

export type Operation = Action & {
  /** Unique in its script. */
  readonly id: number
  /** Which client, from 0. */
  readonly client: number
  /** When it begins, in virtual milliseconds from the start of the run. */
  readonly atMs: number
}
