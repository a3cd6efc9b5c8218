/**
 * Log lines as JSON on stderr, by pino. Writing never blocks the event loop, and never ends the process: lines past
 * `limits.logBufferBytes` that a slow reader has not taken are dropped, and so is what a broken stderr refuses.
 * Lines that wait at an orderly exit are flushed, not always in order.
 * @module
 */
import { destination, type Logger, pino, stdSerializers } from 'pino'
import { limits } from '../base/limits.ts'
import type { Log, LogFields } from './log.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

/** @param level lines below it are not written; `silent` writes none */
export function createNodeLog(level: LogLevel = 'info'): Log {
  if (level === 'silent') return silentLog
  const stderr = destination({ fd: 2, sync: false, maxLength: limits.logBufferBytes })
  // A full disk behind a redirected stderr must not take the server down; there is no better place to report it.
  stderr.on('error', () => undefined)
  const logger = pino(
    {
      level,
      base: { pid: process.pid },
      messageKey: 'message',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: stdSerializers.errWithCause },
      redact: ['secret', 'token', 'mac', 'authorization'],
    },
    stderr,
  )
  return logOf(logger)
}

function logOf(logger: Logger): Log {
  return {
    debug: (message, fields) => logger.debug(fields, message),
    info: (message, fields) => logger.info(fields, message),
    warn: (message, fields) => logger.warn(fields, message),
    error: (message, fields) => logger.error(fields, message),
    child: (fields: LogFields) => logOf(logger.child(fields)),
  }
}

/** Writes nothing. */
export const silentLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLog,
}
