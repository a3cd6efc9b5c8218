/**
 * The atomic steps that a history is made of: what a client asked for in one call that takes effect at one moment, and
 * what came of it. An operation is one or several steps (a list is one per page).
 * @module
 */
import type { ErrorCode } from '../base/error-table.ts'
import type { ContentSpec, PlainAction } from './operations.ts'

export type Step =
  | {
      readonly kind: 'write'
      readonly path: string
      readonly content: ContentSpec
      readonly ifAbsent?: boolean
      readonly ifVersion?: number
    }
  | { readonly kind: 'append'; readonly path: string; readonly content: ContentSpec; readonly expectedLength?: number }
  /** Nobody asked for it: what was acknowledged after `sinceMs` may be undone, from some moment on, and nothing else. */
  | { readonly kind: 'rollback'; readonly sinceMs: number }
  | { readonly kind: 'list-page'; readonly path: string; readonly after: string; readonly limit: number }
  | PlainAction

/** What a step answered, as far as a model can foresee it. Absent fields are not compared. */
export interface Answer {
  readonly kind?: 'file' | 'directory'
  readonly size?: number
  readonly version?: number | undefined
  /** A number that the master issued for it. Not compared: it only hints at the order of changes. */
  readonly issued?: number | undefined
  /** Of the bytes that were read. */
  readonly digest?: string
  readonly made?: boolean
  /** A page of a list, in order; a directory's name ends in `/`. */
  readonly names?: readonly string[]
  /** Entries of trash that went. */
  readonly entries?: number
  /** Of trash: `path size`, sorted. */
  readonly trash?: readonly string[]
}

/** Refusals that the state of the files alone explains. */
export const refusalCodes = [
  'not-found',
  'already-exists',
  'is-a-directory',
  'not-a-directory',
  'not-empty',
  'changed',
  'invalid-argument',
] as const satisfies readonly ErrorCode[]
export type RefusalCode = (typeof refusalCodes)[number]

export type Outcome =
  | { readonly kind: 'ok'; readonly answer: Answer }
  /** The store said no, for a reason (`words`: in its own) that must have been true at some moment of the call. */
  | { readonly kind: 'refused'; readonly code: RefusalCode; readonly words?: string }
  /** It may take effect at any time from its beginning on, once, or never. */
  | { readonly kind: 'unknown'; readonly code: string }
  /** It certainly had no effect, and says nothing about the files. */
  | { readonly kind: 'void'; readonly code: string }

/** Steps that change nothing, whatever they answer. */
export function isReading(step: Step): boolean {
  return ['read', 'stat', 'list-page', 'list-trash'].includes(step.kind)
}

/** Steps whose answer carries a version that no file ever had before. */
export function givesVersion(step: Step): boolean {
  return ['write', 'append', 'copy', 'truncate', 'concat'].includes(step.kind)
}
