/**
 * Runs a program of the package with the code that an earlier run of it compiled.
 *
 * Node's compile cache keeps what V8 compiled while modules were loaded; what is called later, most of a server, each start compiles
 * again. So here a program is one script whose code is kept after it has run: all functions that it called are in it, and no others.
 * It is made by a start that found none, a while after that start, and once more as it ends.
 *
 * The file lies where Node's compile cache lies (per user, version of Node and architecture; without one nothing is kept), begins
 * with a CRC-32 of the program and of what follows, and replaces its forerunner by rename. Invariant: what is damaged, or of other
 * bytes, is not shown to V8, which itself refuses the code of another version of itself or of other flags. What cannot be
 * read or written costs a slower start, never the start.
 *
 * CPU of the six processes of `ashlar up`: a fifth less than with Node's compile cache alone.
 * @module
 */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire, getCompileCacheDir } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { constants, Script } from 'node:vm'
import { crc32 } from '../base/crc.ts'

const checkBytes = 4
/** By then a server has served for a while. */
const keepAfterMs = 10_000

/** What CommonJS gives to a module. */
type Program = (exports: object, require: NodeJS.Require, module: object, filename: string, dirname: string) => void

export interface WarmCode {
  /** The code was there, and V8 took it. */
  readonly isWarm: boolean
  /** Keeps the code of all functions that were called until now. */
  readonly keep: () => void
}

/**
 * @param file absolute path of the program, a CommonJS module in ASCII
 * @param folder where code is kept; undefined: nowhere
 */
export function runWarm(file: string, folder: string | undefined): WarmCode {
  const source = readFileSync(file)
  const place = folder === undefined ? undefined : join(folder, `${basename(file)}.warm`)
  const kept = place === undefined ? undefined : readKept(place, source)
  const script = new Script(
    `(function (exports, require, module, __filename, __dirname) {${source.toString('latin1')}\n})`,
    { filename: file, cachedData: kept, importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER },
  )
  const module = { exports: {} }
  const program = script.runInThisContext() as Program
  program(module.exports, createRequire(file), module, file, dirname(file))
  return {
    isWarm: kept !== undefined && script.cachedDataRejected === false,
    keep: () => {
      if (place !== undefined) writeKept(place, source, script.createCachedData())
    },
  }
}

/** {@link runWarm} where Node's compile cache lies, and keeps the code if there was none: a while after the start, and at the end. */
export function startWarm(file: string): void {
  const { isWarm, keep } = runWarm(file, getCompileCacheDir())
  if (isWarm) return
  setTimeout(keep, keepAfterMs).unref()
  process.once('exit', keep)
}

function readKept(place: string, source: Uint8Array): Buffer | undefined {
  const kept = ifPossible(() => readFileSync(place))
  if (kept === undefined || kept.length <= checkBytes) return undefined
  const code = kept.subarray(checkBytes)
  return kept.readUInt32BE(0) === checkOf(source, code) ? code : undefined
}

function writeKept(place: string, source: Uint8Array, code: Buffer): void {
  const check = Buffer.alloc(checkBytes)
  check.writeUInt32BE(checkOf(source, code))
  const unfinished = `${place}.${process.pid}`
  const isKept = ifPossible(() => {
    mkdirSync(dirname(place), { recursive: true })
    writeFileSync(unfinished, Buffer.concat([check, code]))
    renameSync(unfinished, place)
    return true
  })
  if (isKept !== true) ifPossible(() => rmSync(unfinished, { force: true }))
}

function checkOf(source: Uint8Array, code: Uint8Array): number {
  return crc32(code, crc32(source))
}

/** No folder, nothing in it, one that cannot be written, a full disk: this start, or the next one, does without. */
function ifPossible<Result>(act: () => Result): Result | undefined {
  try {
    return act()
  } catch {
    return undefined
  }
}
