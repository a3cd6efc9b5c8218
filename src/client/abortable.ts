/** Waiting for work that others wait for too: one caller may give up, the work goes on. @module */
import { cancelled } from '../env/waiting.ts'

/** `work`, or `cancelled` as soon as `signal` aborts. A later rejection of `work` stays handled. */
export function abortable<T>(work: Promise<T>, signal: AbortSignal | undefined, doing: string): Promise<T> {
  if (signal === undefined) return work
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(cancelled(doing, signal))
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort, { once: true })
  })
}
