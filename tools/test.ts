/**
 * `npm test`: runs every test of the project on the pinned Node, a few files at once, and prints the coverage
 * per folder and Node's summary last. Its exit code is that of `node --test`.
 *
 *     npm test                            all tests, with coverage
 *     npm test -- src/kv tools/bin        files whose path begins with or contains one of these; no coverage
 *     npm test -- --test-name-pattern=x   options go to `node --test`; write them with `=`
 * @module
 */
import { spawn } from 'node:child_process'
import { existsSync, globSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const projectFolder = join(import.meta.dirname, '..')
const testFiles = ['src/**/*.test.ts', 'test/**/*.test.ts', 'tools/*.test.ts']
/** One more than the cores of a small machine: tests of real processes wait for much of their time (rounds of faults use 0.6 of a core). */
const filesAtOnce = 3
/** Of one test; `test-deadline.ts` bounds a file. */
const timeoutMs = 180_000

/** The files that a run is about: all, or those whose path holds one of `filters`. */
export function selectFiles(files: readonly string[], filters: readonly string[]): string[] {
  const wanted = filters.map((filter) => filter.replace(/^\.\//, ''))
  return files.filter((file) => wanted.length === 0 || wanted.some((filter) => file.includes(filter))).sort()
}

/** The arguments of `node` for a run of `files`. */
export function nodeArguments(files: readonly string[], options: readonly string[], withCoverage: boolean): string[] {
  const coverage = [
    '--experimental-test-coverage',
    '--test-coverage-include-all',
    '--test-coverage-include=src/**/*.ts',
    '--test-coverage-exclude=**/*.test.ts',
  ]
  return [
    '--disable-warning=ExperimentalWarning',
    `--import=${pathToFileURL(join(projectFolder, 'tools/test-deadline.ts'))}`,
    '--test',
    `--test-concurrency=${filesAtOnce}`,
    `--test-timeout=${timeoutMs}`,
    `--test-reporter=${join(projectFolder, 'tools/test-reporter.ts')}`,
    '--test-reporter-destination=stdout',
    ...(withCoverage ? coverage : []),
    ...options,
    ...files,
  ]
}

function main(args: readonly string[]): void {
  const options = args.filter((arg) => arg.startsWith('-'))
  const filters = args.filter((arg) => !arg.startsWith('-'))
  const files = selectFiles(globSync(testFiles, { cwd: projectFolder }), filters)
  if (files.length === 0) {
    console.error(`Cannot run tests: no test file matches ${filters.join(' ')}`)
    process.exitCode = 1
    return
  }
  const pinned = join(projectFolder, 'node_modules/node/bin/node')
  const node = existsSync(pinned) ? pinned : process.execPath
  const child = spawn(node, nodeArguments(files, options, args.length === 0), { cwd: projectFolder, stdio: 'inherit' })
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal))
  child.on('exit', (code) => {
    process.exitCode = code ?? 1
  })
}

if (import.meta.main) main(process.argv.slice(2))
