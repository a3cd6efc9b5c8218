/** How much the processes of the command line log. @module */
import { AshlarError } from '../base/errors.ts'
import type { LogLevel } from '../env/node-log.ts'

const logLevels: readonly string[] = ['debug', 'info', 'warn', 'error', 'silent']

/** `ASHLAR_LOG`: a level from which log lines go to stderr. @throws {AshlarError} `invalid-argument` */
export function logLevel(): LogLevel {
  const level = process.env['ASHLAR_LOG'] ?? 'error'
  if (!logLevels.includes(level)) {
    throw new AshlarError('invalid-argument', `Cannot use ASHLAR_LOG=${level}: the levels are ${logLevels.join(', ')}`)
  }
  return level as LogLevel
}
