/**
 * Runs a program of the package with the code that earlier runs of it compiled.
 *
 * Node's compile cache keeps what V8 compiles as modules are loaded; what is called later, most of a server, each start compiles
 * again. So here a program is one script whose code is kept after it has run: all functions that were called, and no others. Runs
 * differ (`--help`, a refused option, a first write), so the first few that end well each add what they called.
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
/** The check, and how many runs the code is of. */
const headBytes = checkBytes + 1
/** To keep code takes 15 ms. */
const runsKept = 4
/** By then a server has served for a while; it may end by SIGKILL. */
const keepAfterMs = 10_000

/** What CommonJS gives to a module. */
type Program = (exports: object, require: NodeJS.Require, module: object, filename: string, dirname: string) => void

interface Kept {
  readonly code: Buffer
  readonly runs: number
}

export interface WarmCode {
  /** Whose code this run began with: so many earlier ones. 0: there was none, or V8 refused it. */
  readonly runs: number
  /** Keeps the code of all functions that were called until now, for the next run. */
  readonly keep: () => void
}

export interface WarmOptions {
  /** Where code is kept. Undefined: nowhere. */
  readonly folder: string | undefined
  /** Runs that call much the same. Default: all of this program. */
  readonly kind?: string | undefined
}

/** @param file absolute path of the program, a CommonJS module, in ASCII but for its comments */
export function runWarm(file: string, { folder, kind = 'all' }: WarmOptions): WarmCode {
  const source = readFileSync(file)
  const place = folder === undefined ? undefined : join(folder, `${basename(file)}.${kind}.warm`)
  const kept = place === undefined ? undefined : readKept(place, source)
  const script = new Script(
    `(function (exports, require, module, __filename, __dirname) {${source.toString('latin1')}\n})`,
    { filename: file, cachedData: kept?.code, importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER },
  )
  const module = { exports: {} }
  const program = script.runInThisContext() as Program
  program(module.exports, createRequire(file), module, file, dirname(file))
  const runs = kept === undefined || script.cachedDataRejected === true ? 0 : kept.runs
  return {
    runs,
    keep: () => {
      if (place !== undefined) writeKept(place, source, { code: script.createCachedData(), runs: runs + 1 })
    },
  }
}

/** {@link runWarm} where Node's compile cache lies; keeps the code of the first runs: a while after the start, and at a good end. */
export function startWarm(file: string, kind?: string): void {
  const { runs, keep } = runWarm(file, { folder: getCompileCacheDir(), kind })
  if (runs >= runsKept) return
  setTimeout(keep, keepAfterMs).unref()
  process.once('exit', (exitCode) => {
    if (exitCode === 0) keep()
  })
}

function readKept(place: string, source: Uint8Array): Kept | undefined {
  const bytes = ifPossible(() => readFileSync(place))
  if (bytes === undefined || bytes.length <= headBytes) return undefined
  const isWhole = bytes.readUInt32BE(0) === checkOf(source, bytes)
  return isWhole ? { code: bytes.subarray(headBytes), runs: bytes[checkBytes] as number } : undefined
}

function writeKept(place: string, source: Uint8Array, { code, runs }: Kept): void {
  const bytes = Buffer.concat([Buffer.alloc(headBytes), code])
  bytes[checkBytes] = runs
  bytes.writeUInt32BE(checkOf(source, bytes))
  const unfinished = `${place}.${process.pid}`
  const isKept = ifPossible(() => {
    mkdirSync(dirname(place), { recursive: true })
    writeFileSync(unfinished, bytes)
    renameSync(unfinished, place)
    return true
  })
  if (isKept !== true) ifPossible(() => rmSync(unfinished, { force: true }))
}

/** @param bytes of the kept file; its check is left out */
function checkOf(source: Uint8Array, bytes: Uint8Array): number {
  return crc32(bytes.subarray(checkBytes), crc32(source))
}

/** No folder, nothing in it, one that cannot be written, a full disk: this start, or the next one, does without. */
function ifPossible<Result>(act: () => Result): Result | undefined {
  try {
    return act()
  } catch {
    return undefined
  }
}
