/** Runs work on many items, a bounded number at once; the first failure stops the rest and is thrown. @module */

export async function runAll<T>(
  items: readonly T[],
  { atOnce, signal }: { readonly atOnce: number; readonly signal: AbortSignal },
  work: (item: T, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const failed = new AbortController()
  const inner = AbortSignal.any([signal, failed.signal])
  let next = 0
  let firstError: unknown
  const runner = async () => {
    while (next < items.length && !inner.aborted) {
      const item = items[next++] as T
      try {
        await work(item, inner)
      } catch (error) {
        firstError ??= error
        failed.abort()
        return
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, runner))
  if (firstError !== undefined) throw firstError
  signal.throwIfAborted()
}
