/** From the options of a write to what the wire carries, checked at the door. @module */
import type { Infer } from '../base/codec.ts'
import { AshlarError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { Rising } from '../base/rising.ts'
import type { NewAttributes, precondition, Xattr } from '../wire/types/attributes.ts'
import type { FileTarget } from './file-sink.ts'
import type { Precondition, WriteOptions, Xattrs } from './options.ts'
import { checkPath } from './paths.ts'

const nothingAsked: Infer<typeof precondition> = {}
const nothingChosen: NewAttributes = {}

/** @throws {AshlarError} `invalid-argument` — both conditions, or a version that is none */
export function preconditionOf(path: string, { ifAbsent, ifVersion }: Precondition): Infer<typeof precondition> {
  if (ifVersion === undefined) return ifAbsent === true ? { ifAbsent: true } : nothingAsked
  if (ifAbsent === true)
    throw new AshlarError('invalid-argument', `Cannot write ${path}: ifAbsent and ifVersion exclude each other`)
  if (!Number.isSafeInteger(ifVersion) || ifVersion < 0) {
    throw new AshlarError('invalid-argument', `Cannot write ${path}: ${ifVersion} is not a version`)
  }
  return { ifVersion: ifVersion as Rising }
}

export function targetOf(path: string, options: WriteOptions): FileTarget {
  const { xattrs } = options
  const chosen = attributesOf(path, options)
  return {
    path: checkPath(path),
    precondition: preconditionOf(path, options),
    attributes:
      typeof xattrs === 'function'
        ? ({ length, crc }) => ({ ...chosen, xattrs: xattrsOf(path, xattrs({ length, crc32: crc })) })
        : chosen,
    makeParents: options.makeParents ?? false,
    signal: options.signal,
  }
}

/** @throws {AshlarError} `too-large`, `invalid-name` */
export function xattrOf(path: string, name: string, value: Uint8Array | string): Xattr {
  const bytes =
    typeof value === 'string' ? Buffer.from(value) : Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  if (name.length === 0 || !name.isWellFormed() || name.includes('\0')) {
    throw new AshlarError('invalid-name', `Cannot set an attribute of ${path}: its name is empty or not UTF-8`)
  }
  if (Buffer.byteLength(name) > limits.xattrNameBytes || bytes.length > limits.xattrValueBytes) {
    throw new AshlarError(
      'too-large',
      `Cannot set attribute ${name.slice(0, 80)} of ${path}: a name has at most ${limits.xattrNameBytes} bytes, a value ${limits.xattrValueBytes}`,
    )
  }
  return { name, value: bytes }
}

function attributesOf(path: string, options: WriteOptions): NewAttributes {
  const { mode, modifiedMs, owner, ownerGroup, xattrs, retention, legalHold } = options
  if (
    mode === undefined &&
    modifiedMs === undefined &&
    owner === undefined &&
    ownerGroup === undefined &&
    xattrs === undefined &&
    retention === undefined &&
    legalHold === undefined
  ) {
    return nothingChosen
  }
  return {
    ...(mode === undefined ? {} : { mode: modeOf(path, mode) }),
    ...(modifiedMs === undefined ? {} : { modifiedMs: timeOf(path, modifiedMs) }),
    ...(owner === undefined ? {} : { owner }),
    ...(ownerGroup === undefined ? {} : { ownerGroup }),
    ...(retention === undefined ? {} : { retention }),
    ...(legalHold === undefined ? {} : { legalHold }),
    ...(xattrs === undefined || typeof xattrs === 'function' ? {} : { xattrs: xattrsOf(path, xattrs) }),
  }
}

export function xattrsOf(path: string, xattrs: Xattrs): Xattr[] {
  return Object.entries(xattrs).map(([name, value]) => xattrOf(path, name, value))
}

export function modeOf(path: string, mode: number): number {
  if (!Number.isInteger(mode) || mode < 0 || mode > 0o7777) {
    throw new AshlarError('invalid-argument', `Cannot set the mode of ${path}: ${mode} is not made of permission bits`)
  }
  return mode
}

/** Whole milliseconds since 1970. */
export function timeOf(path: string, time: Date | number): number {
  const timeMs = Math.floor(Number(time))
  if (!Number.isSafeInteger(timeMs) || timeMs < 0) {
    throw new AshlarError('invalid-argument', `Cannot set a time of ${path}: it is not a time since 1970`)
  }
  return timeMs
}
