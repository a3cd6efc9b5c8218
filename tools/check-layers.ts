/**
 * The layers of the project, held by the build: who may import whom (type-only imports too), no import cycle between
 * files, and nothing of the operating system outside `src/env` and `src/cli`.
 *
 * `node tools/check-layers.ts [folder]` prints each violation as `file:line: why` and exits 1 when there is one;
 * `--table` prints the table of layers as Markdown.
 * @module
 */
import { readdirSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { dirname, join, normalize, relative, resolve } from 'node:path'
import { forbiddenGlobals } from './forbidden-globals.ts'
import { type Import, importsOf, tokenize } from './tokens.ts'

/** What each folder of `src/` may import, itself aside. A door of the gateway is a folder of its own. */
export const layers: Readonly<Record<string, readonly string[] | 'all' | 'all but cli'>> = {
  base: [],
  env: ['base'],
  wire: ['base', 'env'],
  erasure: ['base'],
  kv: ['base', 'env'],
  cluster: ['base', 'wire'],
  namespace: ['base', 'kv', 'cluster', 'wire'],
  store: ['base', 'env', 'wire', 'kv', 'erasure'],
  master: ['base', 'env', 'wire', 'kv', 'namespace', 'cluster'],
  chunkserver: ['base', 'env', 'wire', 'kv', 'store'],
  client: ['base', 'env', 'wire', 'cluster', 'erasure'],
  gateway: ['base', 'env', 'client'],
  'gateway/*': ['base', 'env', 'client', 'gateway'],
  tier: ['base', 'env', 'wire', 'client'],
  testing: 'all but cli',
  sim: 'all but cli',
  cli: 'all',
}

/** Folders that may touch the operating system; everyone else is given an `Env`. */
const systemFolders = new Set(['env', 'cli'])

/** Modules of Node that compute, and reach for no clock, disk, network or randomness by themselves. */
const pureModules = new Set(
  'assert assert/strict async_hooks buffer crypto events path path/posix querystring stream stream/promises stream/web string_decoder url util util/types zlib'
    .split(' ')
    .map((name) => `node:${name}`),
)

/** Further modules of Node, per folder. */
const extraModules: Readonly<Record<string, readonly string[]>> = { kv: ['node:sqlite'] }

/** Modules whose types alone may be imported anywhere. */
const typeOnlyModules = new Set(['node:http', 'node:net'])

/** Which folder may use which package; `docs/dependencies.md` says why each is here. */
export const packages: Readonly<Record<string, readonly string[]>> = {
  '@fastify/busboy': ['gateway/s3'],
  '@node-rs/crc32': ['base'],
  commander: ['cli'],
  pino: ['env'],
  'prom-client': ['cli'],
  saxes: ['gateway/s3'],
}

export interface Violation {
  readonly file: string
  readonly line: number
  readonly why: string
}

interface SourceFile {
  /** Relative to `src/`. */
  readonly path: string
  readonly folder: string
  readonly isTest: boolean
  readonly imports: readonly Import[]
}

/** Checks every TypeScript file below `sourceFolder`. @returns the violations, by file and line; empty when all is well */
export function checkLayers(sourceFolder: string): Violation[] {
  const violations: Violation[] = []
  const files = new Map<string, SourceFile>()
  const names = readdirSync(sourceFolder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'))
  for (const path of names.sort()) {
    const tokens = tokenize(readFileSync(join(sourceFolder, path), 'utf8'))
    const file = { path, folder: folderOf(path), isTest: path.endsWith('.test.ts'), imports: importsOf(tokens) }
    files.set(path, file)
    if (layers[tableRow(file.folder)] === undefined) {
      violations.push({ file: path, line: 1, why: `no folder "${file.folder}" is in the table of layers` })
    }
    violations.push(...file.imports.flatMap((entry) => violationsOfImport(file, entry)))
    if (!file.isTest) {
      const found = forbiddenGlobals(tokens, { isSystem: systemFolders.has(file.folder), isCli: file.folder === 'cli' })
      violations.push(...found.map(({ line, why }) => ({ file: path, line, why })))
    }
  }
  return [...violations, ...cyclesOf(files)]
}

function violationsOfImport(file: SourceFile, { target, isTypeOnly, line }: Import): Violation[] {
  const why = reasonAgainst(file, target, isTypeOnly)
  return why === undefined ? [] : [{ file: file.path, line, why }]
}

function reasonAgainst(file: SourceFile, target: string | undefined, isTypeOnly: boolean): string | undefined {
  const { folder, isTest } = file
  if (target === undefined) {
    return isTest || systemFolders.has(folder) ? undefined : 'a computed import cannot be checked: write its target out'
  }
  if (target.startsWith('.')) return reasonAgainstFile(file, normalize(join(dirname(file.path), target)))
  if (isTest) return undefined
  if (target.startsWith('/') || target.includes('://')) return `"${target}" is not a relative import`
  if (isBuiltin(target)) {
    const name = target.startsWith('node:') ? target : `node:${target}`
    if (systemFolders.has(folder) || pureModules.has(name) || extraModules[folder]?.includes(name)) return undefined
    if (isTypeOnly && typeOnlyModules.has(name)) return undefined
    return `"${name}" is the operating system: take it from Env (only src/env and src/cli may import it)`
  }
  const packageName = target.split('/', target.startsWith('@') ? 2 : 1).join('/')
  const allowed = packages[packageName]
  if (allowed === undefined)
    return `package "${packageName}" has no row in tools/check-layers.ts and docs/dependencies.md`
  return allowed.includes(folder) ? undefined : `package "${packageName}" belongs to ${allowed.join(', ')}`
}

function reasonAgainstFile({ folder, isTest }: SourceFile, target: string): string | undefined {
  if (!/\.(ts|json|wasm)$/.test(target)) return `"${target}" names no file: relative imports end in .ts`
  if (target.startsWith('..')) return isTest ? undefined : 'src/ imports nothing that lies outside of it'
  if (target.endsWith('.test.ts')) return 'a test is not imported'
  const targetFolder = folderOf(target)
  if (targetFolder === folder) return undefined
  const rule = isTest && folder !== 'cli' ? 'all but cli' : (layers[tableRow(folder)] ?? [])
  if (rule === 'all') return undefined
  if (rule === 'all but cli') return targetFolder === 'cli' ? `${folder} may not import cli` : undefined
  if (rule.includes(targetFolder)) return undefined
  return `${folder} may not import ${targetFolder}; it may import ${rule.length === 0 ? 'nothing' : rule.join(', ')}`
}

/** `gateway/s3/x.ts` → `gateway/s3`; `kv/a/b.ts` → `kv`; a file directly in `src/` → its own name. */
function folderOf(path: string): string {
  const parts = path.split('/')
  return parts[0] === 'gateway' && parts.length > 2 ? `gateway/${parts[1]}` : (parts[0] as string)
}

function tableRow(folder: string): string {
  return folder.startsWith('gateway/') ? 'gateway/*' : folder
}

/** One violation for each file from which a cycle of imports is first met, type-only imports included. */
function cyclesOf(files: ReadonlyMap<string, SourceFile>): Violation[] {
  const violations: Violation[] = []
  const done = new Set<string>()
  const trail: string[] = []

  function visit(path: string): void {
    const file = files.get(path)
    if (file === undefined || done.has(path)) return
    trail.push(path)
    for (const { target, line } of file.imports) {
      if (target === undefined || !target.startsWith('.')) continue
      const next = normalize(join(dirname(path), target))
      const start = trail.indexOf(next)
      if (start < 0) visit(next)
      else violations.push({ file: path, line, why: `import cycle: ${[...trail.slice(start), next].join(' → ')}` })
    }
    trail.pop()
    done.add(path)
  }

  for (const path of files.keys()) visit(path)
  return violations
}

/** The table as Markdown. */
export function layersAsMarkdown(): string {
  const rows = Object.entries(layers).map(([folder, rule]) => {
    const text =
      typeof rule === 'string' ? rule.replace(/^all$/, 'everything').replace(/^all /, 'everything ') : rule.join(', ')
    return `| ${folder} | ${text || '—'} |`
  })
  return ['| folder | may import |', '|---|---|', ...rows].join('\n')
}

function main(argument: string | undefined): void {
  if (argument === '--table') {
    console.log(layersAsMarkdown())
    return
  }
  const sourceFolder = resolve(argument ?? join(import.meta.dirname, '../src'))
  const violations = checkLayers(sourceFolder)
  for (const { file, line, why } of violations) {
    console.error(`${relative(process.cwd(), join(sourceFolder, file))}:${line}: ${why}`)
  }
  if (violations.length > 0) process.exitCode = 1
  else console.log('Layers: every import follows the table, no cycles, nothing of the system outside of env and cli.')
}

if (import.meta.main) main(process.argv[2])
