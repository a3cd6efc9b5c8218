/**
 * The process behind `ashlar`: argv in, exit code out. Nothing else in the project exits or reads argv.
 *
 * The first SIGINT or SIGTERM asks the verb to stop in order; a second one ends the process at once.
 * @module
 */
import { AshlarError, isAshlarError } from '../base/errors.ts'
import { refuseBadUtf8 } from './argv.ts'
import { processHost, releaseStdin } from './host.ts'
import { reportFailure } from './output.ts'
import { runProgram } from './program.ts'
import { verbsFor } from './verb-families.ts'

const stopping = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (stopping.signal.aborted) process.exit(signal === 'SIGINT' ? 130 : 143)
    stopping.abort()
  })
}

// A reader that went away (`ashlar ls | head`) is no failure of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
  throw error
})

const argv = process.argv.slice(2)
try {
  refuseBadUtf8(argv)
  process.exitCode = await runProgram(argv, { host: processHost(stopping.signal), register: await verbsFor(argv) })
} catch (error) {
  process.exitCode = reportFailure(explained(error), { json: argv.includes('--json') })
}
releaseStdin()

/** Whoever pressed Ctrl-C knows that something was cancelled, and wants to know what is left of it. */
function explained(error: unknown): unknown {
  if (!stopping.signal.aborted || !isAshlarError(error, 'cancelled') || error.applied !== 'no') return error
  return new AshlarError('cancelled', 'Interrupted: nothing is left of what was not finished', {
    cause: error,
    applied: 'no',
  })
}
