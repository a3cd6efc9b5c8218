/**
 * The process behind `ashlar`: argv in, exit code out. Nothing else in the project exits or reads argv.
 * @module
 */
import { AshlarError, isAshlarError } from '../base/errors.ts'
import { refuseBadUtf8 } from './argv.ts'
import { processHost, releaseStdin } from './host.ts'
import { reportFailure } from './output.ts'
import { runProgram } from './program.ts'
import { stopSignal } from './stop-signal.ts'
import { unfinished } from './unfinished.ts'
import { verbsFor } from './verb-families.ts'

const stop = stopSignal()
let isEnded = false

// A reader that went away (`ashlar ls | head`) is no failure of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  isEnded = true
  process.exit(0)
})

// Not set before: commander takes an exit code that is there for that of its help.
process.once('exit', (exitCode) => {
  if (!isEnded && exitCode === 0) process.exitCode = unfinished
})

export const ended = main(process.argv.slice(2))

async function main(argv: readonly string[]): Promise<void> {
  try {
    refuseBadUtf8(argv)
    process.exitCode = await runProgram(argv, { host: processHost(stop), register: await verbsFor(argv) })
  } catch (error) {
    process.exitCode = reportFailure(explained(error), { json: argv.includes('--json') })
  }
  isEnded = true
  releaseStdin()
}

/** Whoever pressed Ctrl-C knows that something was cancelled, and wants to know what is left of it. */
function explained(error: unknown): unknown {
  if (!stop.aborted || !isAshlarError(error, 'cancelled') || error.applied !== 'no') return error
  return new AshlarError('cancelled', 'Interrupted: nothing is left of what was not finished', {
    cause: error,
    applied: 'no',
  })
}
