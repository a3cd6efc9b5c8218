/**
 * Asks before something is destroyed that trash cannot bring back. Where nobody can be asked (no terminal, a script) it goes on:
 * the verb was spelled out.
 * @module
 */
import { createInterface } from 'node:readline/promises'
import { AshlarError } from '../base/errors.ts'

/** @throws {AshlarError} `cancelled` — the answer was no */
export async function confirm(question: string, { yes }: { readonly yes: boolean }): Promise<void> {
  if (yes || !process.stdin.isTTY || !process.stderr.isTTY) return
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    const answer = await terminal.question(`${question} [y/N] `)
    if (!/^y(es)?$/i.test(answer.trim())) {
      throw new AshlarError('cancelled', 'Nothing was changed: the answer was no', { applied: 'no' })
    }
  } finally {
    terminal.close()
  }
}
