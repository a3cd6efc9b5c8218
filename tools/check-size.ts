/**
 * Rules of the house that a reader would otherwise have to watch: files stay short, no line names a folder of
 * somebody's machine, no lockfile names a registry, and a test is skipped only with a reason.
 *
 * `node tools/check-size.ts` prints each violation as `file:line: why`, and exits 1 when there is one.
 * @module
 */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Token, tokenize } from './tokens.ts'

const medianLinesMax = 180
const longFileLines = 500
const longFilesMaxFraction = 0.04

/** Written apart, so that this file does not match itself. */
const machineFolders = ['work', 'root', 'home/[\\w.-]+', 'Users/[\\w.-]+']
const machinePath = new RegExp(`(?:^|[\\s'"\`(=:,])/(?:${machineFolders.join('|')})/`)
const registryAddress = /"resolved":/
const binary = /\.(?:wasm|png|ico|gif|bin|gz|woff2)$/

export interface TextFile {
  /** Relative to the project. */
  readonly path: string
  readonly text: string
}

/** @returns one line per violation; empty when all is well */
export function checkHouse(files: readonly TextFile[]): string[] {
  return [...sizeViolations(files), ...files.flatMap(lineViolations), ...files.flatMap(skipViolations)]
}

function sizeViolations(files: readonly TextFile[]): string[] {
  const sources = files.filter(({ path }) => path.startsWith('src/') && path.endsWith('.ts'))
  const counts = sources.filter(({ path }) => !path.endsWith('.test.ts')).map(lineCount)
  const median = counts.sort((a, b) => a - b)[Math.floor(counts.length / 2)] ?? 0
  const long = sources.filter((file) => lineCount(file) > longFileLines)
  const violations: string[] = []
  if (median > medianLinesMax) violations.push(`src: the median file has ${median} lines, ${medianLinesMax} at most`)
  if (long.length > sources.length * longFilesMaxFraction) {
    const names = long.map((file) => `${file.path} (${lineCount(file)})`).join(', ')
    violations.push(`src: ${long.length} of ${sources.length} files have more than ${longFileLines} lines: ${names}`)
  }
  return violations
}

function lineCount({ text }: TextFile): number {
  return text.split('\n').length - (text.endsWith('\n') ? 1 : 0)
}

function lineViolations({ path, text }: TextFile): string[] {
  const isLockfile = path.endsWith('package-lock.json')
  return text.split('\n').flatMap((line, index) => {
    if (isLockfile && registryAddress.test(line)) return [`${path}:${index + 1}: names a registry`]
    return !isLockfile && machinePath.test(line) ? [`${path}:${index + 1}: names a folder of one machine`] : []
  })
}

/** A skip states its reason as text (`skip: 'why'`, `t.skip('why')`); `only` is never committed. */
function skipViolations({ path, text }: TextFile): string[] {
  if (!path.endsWith('.test.ts')) return []
  const tokens = tokenize(text)
  return tokens.flatMap((token, index) => {
    const why = token.kind === 'word' ? reasonAgainstSkip(tokens, index) : undefined
    return why === undefined ? [] : [`${path}:${token.line}: ${why}`]
  })
}

function reasonAgainstSkip(tokens: readonly Token[], index: number): string | undefined {
  const word = tokens[index]?.text
  const before = tokens[index - 1]?.text
  const after = tokens[index + 1]?.text
  const value = tokens[index + 2]
  const end = tokens[index + 3]?.text
  const isBareTrue = after === ':' && value?.text === 'true'
  const ofSuite = before === '.' && /^(?:test|it|describe|suite)$/.test(tokens[index - 2]?.text ?? '')
  if (word === 'only')
    return isBareTrue || (ofSuite && after === '(') ? 'a test with `only` hides the others' : undefined
  if (word !== 'skip' && word !== 'todo') return undefined
  if (isBareTrue) return `write why: { ${word}: 'reason' }`
  if (ofSuite && after === '(') return `write why: test(name, { ${word}: 'reason' }, …)`
  const isEmptyCall = before === '.' && after === '(' && (value?.text === ')' || (value?.text === '' && end === ')'))
  return isEmptyCall ? `write why: ${word}('reason')` : undefined
}

/** The text files of the project, tracked or new. */
function projectFiles(projectFolder: string): TextFile[] {
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: projectFolder,
    encoding: 'utf8',
  })
  return listed
    .split('\0')
    .filter((path) => path !== '' && !binary.test(path) && existsSync(join(projectFolder, path)))
    .map((path) => ({ path, text: readFileSync(join(projectFolder, path), 'utf8') }))
}

function main(): void {
  const violations = checkHouse(projectFiles(join(import.meta.dirname, '..')))
  for (const line of violations) console.error(line)
  if (violations.length > 0) process.exitCode = 1
  else console.log('Sizes: files are short, no line names a machine, every skipped test says why.')
}

if (import.meta.main) main()
