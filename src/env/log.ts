/**
 * Structured log lines. Fields never hold secrets: keys, tokens, MACs and file bytes stay out.
 * @module
 */

export type LogFields = Readonly<Record<string, unknown>>

export interface Log {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
  /** Whether lines of `debug` are written: where one a request would cost too much to make in vain. */
  readonly isDebugging?: boolean
  /** A log that adds `fields` to each line. */
  child(fields: LogFields): Log
}
