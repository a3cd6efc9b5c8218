/**
 * Request labels: the id by which one request of a user is found in the logs of every process that worked for it.
 *
 * Whoever takes the request (the SDK, a door) gives it 64 bits; frames carry them (wire/frame.ts), and whatever runs for the request, across
 * its `await`s, finds them here. Shown as 16 hexadecimal digits, as S3 shows its own. A label says nothing and decides nothing: it is
 * whatever a peer sent, of a fixed length, and goes nowhere but into log lines, messages and further frames.
 * Measured: 0.5 µs to run something under a label, 0.01 µs to ask for it; of a create on three servers, 3 of 650 µs of the processor in all.
 * @module
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import type { Random } from './random.ts'

/** Two unsigned 32-bit halves: a number for each, and no text until somebody reads it. */
export interface RequestLabel {
  readonly high: number
  readonly low: number
}

const labels = new AsyncLocalStorage<RequestLabel | undefined>()

/** Of the request for which the caller runs. */
export function currentLabel(): RequestLabel | undefined {
  return labels.getStore()
}

/** Runs `work`, and all that it begins, under `label`; undefined: for no request. */
export function underLabel<Arguments extends unknown[], T>(
  label: RequestLabel | undefined,
  work: (...given: Arguments) => T,
  ...given: Arguments
): T {
  return label === labels.getStore() ? work(...given) : labels.run(label, work, ...given)
}

/** Labels that differ: a number drawn once, and a count. Those of two processes are as good as never the same. */
export function labelSource(random: Random): () => RequestLabel {
  const high = random.below(2 ** 32)
  let low = random.below(2 ** 32)
  return () => {
    low = (low + 1) >>> 0
    return { high, low }
  }
}

export function formatLabel({ high, low }: RequestLabel): string {
  return (hex32(high) + hex32(low)).toUpperCase()
}

/** @param text 16 hexadecimal digits; anything else is no label */
export function parseLabel(text: string): RequestLabel | undefined {
  if (!/^[0-9a-fA-F]{16}$/.test(text)) return undefined
  return { high: Number.parseInt(text.slice(0, 8), 16), low: Number.parseInt(text.slice(8), 16) }
}

/** For a message about a request: ` (request 7F3A…)`, or nothing. */
export function namedLabel(label: RequestLabel | undefined): string {
  return label === undefined ? '' : ` (request ${formatLabel(label)})`
}

function hex32(word: number): string {
  return word.toString(16).padStart(8, '0')
}
