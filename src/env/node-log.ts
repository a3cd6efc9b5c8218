/**
 * Log lines as JSON on stderr, by pino. Writing never blocks the event loop, and never ends the process: lines past
 * `limits.logBufferBytes` that a slow reader has not taken are dropped, and so is what a broken stderr refuses.
 * Lines that wait at an orderly exit are flushed, not always in order. A line that is written for a request names it, as `request`.
 *
 * Pino is loaded with the first line: a process that has nothing to say, as most commands and servers at the level `error`, starts without
 * its 25 modules (15 ms of CPU).
 * @module
 */
import { createRequire } from 'node:module'
import type { Logger } from 'pino'
import { limits } from '../base/limits.ts'
import type { Log, LogFields } from './log.ts'
import { currentLabel, formatLabel } from './request-label.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

const levels = ['debug', 'info', 'warn', 'error'] as const
type LineLevel = (typeof levels)[number]

/** @param level lines below it are not written; `silent` writes none */
export function createNodeLog(level: LogLevel = 'info'): Log {
  if (level === 'silent') return silentLog
  let logger: Logger | undefined
  return logOf(level, () => {
    logger ??= openLogger(level)
    return logger
  })
}

function openLogger(level: LineLevel): Logger {
  // Synchronous, since a line must not wait: what logs it may be about to end the process.
  const { destination, pino, stdSerializers } = createRequire(import.meta.url)('pino') as typeof import('pino')
  const stderr = destination({ fd: 2, sync: false, maxLength: limits.logBufferBytes })
  // A full disk behind a redirected stderr must not take the server down; there is no better place to report it.
  stderr.on('error', () => undefined)
  return pino(
    {
      level,
      base: { pid: process.pid },
      messageKey: 'message',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: stdSerializers.errWithCause },
      mixin: requestOf,
      redact: ['secret', 'token', 'mac', 'authorization'],
    },
    stderr,
  )
}

function requestOf(): { readonly request?: string } {
  const label = currentLabel()
  return label === undefined ? {} : { request: formatLabel(label) }
}

/** @param open called with the first line that is written */
function logOf(least: LineLevel, open: () => Logger): Log {
  const at = (level: LineLevel): Log[LineLevel] =>
    levels.indexOf(level) < levels.indexOf(least)
      ? () => undefined
      : (message, fields) => open()[level](fields, message)
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    isDebugging: least === 'debug',
    child: (fields: LogFields) => {
      let logger: Logger | undefined
      return logOf(least, () => {
        logger ??= open().child(fields)
        return logger
      })
    },
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
