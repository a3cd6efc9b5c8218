/**
 * What simulated processes log, handed to whoever listens. Without a listener nothing is made of it.
 * @module
 */
import type { Log, LogFields } from '../env/log.ts'
import { silentLog } from '../env/node-log.ts'
import type { Scheduler } from './scheduler.ts'
import type { LogLine } from './world.ts'

export type LogSink = (line: LogLine) => void

export function simLog({
  host,
  scheduler,
  sink,
}: {
  readonly host: string
  readonly scheduler: Scheduler
  readonly sink: LogSink | undefined
}): Log {
  if (sink === undefined) return silentLog
  const withFields = (common: LogFields): Log => {
    const at = (level: LogLine['level']) => (message: string, fields?: LogFields) =>
      sink({ atMs: scheduler.nowMs, host, level, message, fields: { ...common, ...fields } })
    return {
      debug: at('debug'),
      info: at('info'),
      warn: at('warn'),
      error: at('error'),
      child: (fields) => withFields({ ...common, ...fields }),
    }
  }
  return withFields({})
}
