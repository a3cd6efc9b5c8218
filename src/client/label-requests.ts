/**
 * Gives each operation of a client a label of its own, so that what it does in the master and in chunk servers can be found in their logs.
 *
 * One place for all operations, so that none is forgotten. An operation that runs for a labelled request already (of a door, or of another
 * operation) keeps that label. Streams and listings go on under the label of the operation that began them; web streams do not.
 * @module
 */
import { Readable, Writable } from 'node:stream'
import { toAshlarError } from '../base/errors.ts'
import type { Env } from '../env/env.ts'
import type { Log } from '../env/log.ts'
import { currentLabel, formatLabel, type RequestLabel, underLabel } from '../env/request-label.ts'

type Operation = (...given: unknown[]) => unknown

/** They run what the caller gives them, which has operations of its own; or end all of them. */
const unlabelled: ReadonlySet<string> = new Set(['constructor', 'withLock', 'close'])

/** Replaces the methods of `target`, as they stand in its class, on this one object. @returns it */
export function labelRequests<Target extends object>(
  target: Target,
  { nextLabel, log }: Pick<Env, 'nextLabel' | 'log'>,
): Target {
  if (nextLabel === undefined) return target
  const prototype: object = Object.getPrototypeOf(target)
  for (const name of Object.getOwnPropertyNames(prototype)) {
    const method: unknown = Object.getOwnPropertyDescriptor(prototype, name)?.value
    if (typeof method !== 'function' || unlabelled.has(name)) continue
    const bare: Operation = method.bind(target)
    const operation: Operation = log.isDebugging === true ? told(name, bare, log) : bare
    const value: Operation = (...given) => {
      if (currentLabel() !== undefined) return operation(...given)
      const label = nextLabel()
      return keptUnder(label, underLabel(label, operation, ...given))
    }
    Object.defineProperty(target, name, { value, configurable: true, writable: true })
  }
  return target
}

/** What is driven later, by whoever got it, is done under the label too. */
function keptUnder(label: RequestLabel, result: unknown): unknown {
  if (result instanceof Promise) return result
  if (result instanceof Readable) keep(label, result, '_read')
  else if (result instanceof Writable) for (const name of ['_write', '_final'] as const) keep(label, result, name)
  else if (typeof result === 'object' && result !== null && Symbol.asyncIterator in result) keep(label, result, 'next')
  return result
}

function keep(label: RequestLabel, target: object, name: string): void {
  const method: unknown = Reflect.get(target, name)
  if (typeof method !== 'function') return
  const bare: Operation = method.bind(target)
  Object.defineProperty(target, name, { value: (...given: unknown[]) => underLabel(label, bare, ...given) })
}

/** With a line for each operation that ended. */
function told(name: string, operation: Operation, log: Log): Operation {
  return (...given) => {
    const result = operation(...given)
    const label = currentLabel()
    const fields = { operation: name, ...(label === undefined ? {} : { request: formatLabel(label) }) }
    if (!(result instanceof Promise)) log.debug('Began an operation', fields)
    else {
      result.then(
        () => log.debug('Did an operation', fields),
        (error: unknown) => log.debug('An operation failed', { ...fields, code: toAshlarError(error).code }),
      )
    }
    return result
  }
}
