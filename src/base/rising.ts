/**
 * Numbers that only rise, also across a restore: epochs, versions, fencing tokens, cluster time.
 *
 * The cluster's *generation* is the high part, a counter the low one, packed into one safe integer: so two of them
 * compare with `<`, and everything issued after a restore is greater than everything issued before.
 * Invariant: generation ≤ 2,047, counter < 2^42 (13 years at 10,000 a second).
 * @module
 */
import { assert } from './assert.ts'

export type Rising = number & { readonly brand: 'Rising' }

const counterSpan = 2 ** 42

export const maxGeneration = 2047

export function rising(generation: number, counter: number): Rising {
  assert(Number.isInteger(generation) && generation >= 0 && generation <= maxGeneration, 'generation out of range')
  assert(Number.isInteger(counter) && counter >= 0 && counter < counterSpan, 'counter out of range')
  return (generation * counterSpan + counter) as Rising
}

export function generationOf(value: Rising): number {
  return Math.floor(value / counterSpan)
}

export function counterOf(value: Rising): number {
  return value % counterSpan
}
