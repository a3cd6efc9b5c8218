/** Runs a server until it is told to stop, and closes it in order, within a bound. @module */
import type { Env } from '../../env/env.ts'

/** A server whose orderly end takes longer than this is ended by force: durability never depends on an orderly end. */
const closeWithinMs = 8_000

export async function serveUntil(
  ended: Promise<void>,
  { env, close }: { readonly env: Env; readonly close: () => Promise<void> },
): Promise<void> {
  await ended
  const overdue = env.clock.after(closeWithinMs, () => process.exit(1), { background: true })
  await close()
  overdue.cancel()
}

/** Resolves when one of them aborts. */
export function stopped(signals: readonly (AbortSignal | undefined)[]): Promise<void> {
  return new Promise<void>((resolve) => {
    for (const signal of signals) {
      if (signal?.aborted) resolve()
      else signal?.addEventListener('abort', () => resolve(), { once: true })
    }
  })
}

/** As long as this stays uncalled, the process lives though nothing else keeps it. */
export function orphanGuard(gone: AbortSignal | undefined, env: Env): void {
  // A parent that died cannot be waited for: two seconds are all that is left for an orderly end.
  gone?.addEventListener('abort', () => env.clock.after(1_500, () => process.exit(1), { background: true }), {
    once: true,
  })
}
