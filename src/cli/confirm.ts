/**
 * Asks before something is destroyed that trash cannot bring back. Where nobody can be asked (no terminal, a script) it goes on:
 * the verb was spelled out.
 * @module
 */
import { AshlarError } from '../base/errors.ts'
import type { Host } from './host.ts'

/** @throws {AshlarError} `cancelled` — the answer was no */
export async function confirm(
  host: Host,
  { question, yes }: { readonly question: string; readonly yes: boolean },
): Promise<void> {
  if (yes || host.ask === undefined) return
  const answer = await host.ask(`${question} [y/N] `)
  if (!/^y(es)?$/i.test(answer.trim())) {
    throw new AshlarError('cancelled', 'Nothing was changed: the answer was no', { applied: 'no' })
  }
}

/** Before a master goes on with metadata that came from an older copy. */
export async function confirmOlderMetadata(host: Host, yes: boolean): Promise<void> {
  const question =
    'Go on with metadata from an older copy? What was written, renamed or deleted since that copy is given up for good.'
  await confirm(host, { question, yes })
}
