/** The arguments as bytes: Node has put U+FFFD where they were not UTF-8, and no file may silently get another name. @module */
import { AshlarError } from '../base/errors.ts'

/** @throws {AshlarError} `invalid-argument` — an argument is not UTF-8. Where the system does not show them as bytes, all pass. */
export function refuseBadUtf8(argv: readonly string[]): void {
  const suspect = argv.find((argument) => argument.includes('\ufffd'))
  if (suspect === undefined || process.platform !== 'linux') return
  // Not imported: see src/env/node-file.ts.
  const { readFileSync } = process.getBuiltinModule('node:fs')
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(readFileSync('/proc/self/cmdline'))
  } catch (cause) {
    throw new AshlarError('invalid-argument', `Cannot use the argument "${suspect}": it is not UTF-8`, { cause })
  }
}
