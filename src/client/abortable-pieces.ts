/** Reading from a source that may be silent. @module */
import { abortable } from '../env/waiting.ts'

/**
 * The pieces of a source, until `signal` aborts: also while the source is silent, which then is left behind (and destroyed,
 * where it can be).
 */
export async function* abortablePieces(
  source: AsyncIterable<unknown> | Iterable<unknown>,
  signal: AbortSignal | undefined,
  doing: string,
): AsyncGenerator<unknown> {
  const iterator = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]()
  let isAtEnd = false
  try {
    for (;;) {
      const next = await abortable(Promise.resolve(iterator.next()), signal, doing)
      if (next.done === true) {
        isAtEnd = true
        return
      }
      yield next.value
    }
  } finally {
    // Not waited for: a silent source may never answer. How it ends after it was left is nobody's to hear.
    if (!isAtEnd) leave(source, iterator).catch(() => undefined)
  }
}

/** Rejects with what the source says of it, also where it throws: the caller has an error of its own. */
async function leave(source: object, iterator: AsyncIterator<unknown> | Iterator<unknown>): Promise<void> {
  try {
    if ('destroy' in source && typeof source.destroy === 'function') source.destroy()
  } finally {
    await iterator.return?.()
  }
}
