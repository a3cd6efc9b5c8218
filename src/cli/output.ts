/**
 * What a person or a script reads: results on stdout, messages on stderr, and the exit code.
 *
 * Exit codes: 0 done, 1 error, 2 usage, 3 not found, 4 conflict, 5 unavailable (see docs/errors.md); 13 is in `unfinished.ts`.
 * With `--json` stdout holds one object, or one per line, and errors are one JSON line on stderr.
 * @module
 */
import { errorTable } from '../base/error-table.ts'
import { type AshlarError, toAshlarError } from '../base/errors.ts'

export interface Output {
  readonly json: boolean
  /** Whether stdout is a terminal: progress bars and colours only then. */
  readonly isTerminal: boolean
  /** A line of result for people. Nothing with `--json`. */
  line(text: string): void
  /** A result for programs: one line of JSON. Nothing without `--json`. */
  object(value: unknown): void
  /** A message for people, on stderr. */
  note(text: string): void
  /** Something that was left out or went another way, for people and programs: on stderr, with `--json` as one line of it. */
  warning(text: string, details: Readonly<Record<string, unknown>>): void
  /** Raw bytes to stdout; resolves when they are taken. */
  bytes(bytes: Uint8Array): Promise<void>
}

export function createOutput({ json }: { readonly json: boolean }): Output {
  return {
    json,
    // Asked when it is needed: Node makes the stream then.
    get isTerminal() {
      return process.stdout.isTTY === true
    },
    line: (text) => {
      if (!json) process.stdout.write(`${text}\n`)
    },
    object: (value) => {
      if (json) process.stdout.write(`${JSON.stringify(value)}\n`)
    },
    note: (text) => {
      process.stderr.write(`${text}\n`)
    },
    warning: (message, details) => {
      process.stderr.write(`${json ? JSON.stringify({ event: 'warning', message, ...details }) : message}\n`)
    },
    bytes: (bytes) =>
      new Promise((resolve, reject) => {
        isLineOpen = bytes.at(-1) !== newline
        process.stdout.write(bytes, (error) => (error ? reject(error) : resolve()))
      }),
  }
}

const newline = 0x0a
/** Whether raw bytes on stdout ended in the middle of a line. One for the process, as stdout is. */
let isLineOpen = false

/** So that a prompt does not overwrite the end of what `cat` printed. */
export function closeLine(): void {
  if (isLineOpen) process.stdout.write('\n')
  isLineOpen = false
}

/** Prints a failure. @returns the exit code */
export function reportFailure(thrown: unknown, { json }: { readonly json: boolean }): number {
  const error = toAshlarError(thrown)
  if (json) {
    const { code, message, retry, applied, details } = error
    process.stderr.write(`${JSON.stringify({ event: 'error', code, message, retry, applied, details })}\n`)
  } else {
    process.stderr.write(`ashlar: ${describe(error)}\n`)
  }
  return errorTable[error.code].exit
}

function describe(error: AshlarError): string {
  const lines = [error.message]
  for (const { short, line } of reasonsOf(error)) {
    if (!error.message.includes(short)) lines.push(`  ${line}`)
  }
  if (error.applied === 'unknown' && error.code !== 'internal') {
    lines.push('It is not known whether it took effect: look before you try again.')
  }
  return lines.join('\n')
}

/** One line for each server that refused, where the error carries them; `short`: as a message may have it already. */
function reasonsOf({ details }: AshlarError): { readonly short: string; readonly line: string }[] {
  const { reasons } = details
  if (!Array.isArray(reasons)) return []
  return reasons.map((entry: unknown) => {
    const { server, domain, reason } = entry as Record<string, unknown>
    const id = String(server).slice(0, 8)
    const line = `${id}${domain === undefined ? '' : ` (${String(domain)})`}: ${String(reason)}`
    return { short: `${id} is ${String(reason)}`, line }
  })
}
