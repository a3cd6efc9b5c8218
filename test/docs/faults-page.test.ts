/**
 * `docs/faults.md` against the tests themselves: their names are read from their files, so a row that claims a test which is
 * not there, or is known to fail, ends the build; and so does a test of a fault that no row knows.
 */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { projectFolder } from './shell-page.ts'

const read = (path: string) => readFileSync(join(projectFolder, path), 'utf8')

interface Row {
  readonly section: string
  /** The first cell. */
  readonly name: string
  /** The last cell. */
  readonly coverage: string
}

/** What rows may wait for, and (where it is known) the files by which it is there. */
const features: Readonly<Record<string, string | undefined>> = {
  'erasure coding': 'src/erasure/*.ts',
  tier: 'src/tier/*.ts',
  console: 'console/package.json',
  S3: 'docs/s3.md',
  WebHDFS: 'src/gateway/webhdfs/*.ts',
  backup: 'docs/backup.md',
  restore: 'docs/backup.md',
  scrub: 'src/master/scrub*.ts',
  'ejection of slow servers': undefined,
  metrics: undefined,
  accounts: undefined,
  'quotas per address': undefined,
  'leader on a shared engine': 'src/kv/{postgres,etcd}*.ts',
  'a first release': 'CHANGELOG.md',
}

const rows = readRows()
const links = rows.flatMap(({ name, coverage }) =>
  [...coverage.matchAll(/\[((?:[^[\]]|\[[^\]]*\])+)\]\(\.\.\/([^)]+)\)/g)].map(([, title = '', file = '']) => ({
    row: name,
    title,
    file,
  })),
)

test('docs/faults.md: every guarantee, fault and rule has one row, and no number is missing', () => {
  const guarantees = rows.filter(({ section }) => section === 'Faults').map(({ name }) => name.split(' ')[0])
  assert.deepEqual(guarantees, numbered(12, 'G'))
  const numbersOf = (start: string) => rows.filter(({ section }) => section.startsWith(start)).map(({ name }) => name)
  assert.deepEqual(numbersOf('2.'), numbered(58))
  assert.deepEqual(numbersOf('3.'), numbered(20))
  assert.ok(numbersOf('1.').length >= 14, 'the incidents')
})

test('docs/faults.md: every row names a test, a feature that it waits for, or why it does not apply', () => {
  for (const { name, coverage } of rows) {
    assert.match(coverage, /\]\(\.\.\/(src|test)\/|waits for: \S|does not apply: \S/, `row ${name}`)
    assert.doesNotMatch(coverage, /not covered|not tested|TODO/i, `row ${name}`)
  }
})

test('docs/faults.md: what a row waits for is a known feature, and is not there yet', () => {
  for (const { name, coverage } of rows) {
    for (const [, text = ''] of coverage.matchAll(/waits? for: ([^;|]+)/g)) {
      // Brackets, a second clause and the like come after the feature's name.
      const feature = Object.keys(features).find(
        (known) => text === known || (/^[\s,(]/.test(text.slice(known.length)) && text.startsWith(known)),
      )
      assert.ok(
        feature !== undefined,
        `row ${name} waits for "${text}", which is none of ${Object.keys(features).join(', ')}`,
      )
      const files = features[feature]
      if (files === undefined) continue
      assert.deepEqual(globSync(files, { cwd: projectFolder }), [], `row ${name} waits for ${feature}, which is there`)
    }
  }
})

test('docs/faults.md: every test that it names exists, and is expected to pass', () => {
  for (const { row, title, file } of links) {
    const found = testsOf(file).filter(({ name }) => isNamedBy(title, name))
    assert.ok(found.length > 0, `row ${row}: ${file} has no test "${title}"`)
    for (const { name, isExpectedToFail } of found)
      assert.ok(!isExpectedToFail, `row ${row}: "${name}" is known to fail`)
  }
})

test('docs/faults.md: every test of test/faults/ stands in a row', () => {
  for (const file of globSync('test/faults/*.test.ts', { cwd: projectFolder })) {
    for (const { name, isExpectedToFail } of testsOf(file)) {
      // Those of the judge itself, by the name of its function.
      if (isExpectedToFail || /^(\w+\.)?\w+\(\)/.test(name)) continue
      assert.ok(
        links.some((link) => link.file === file && isNamedBy(link.title, name)),
        `${file}: "${name}" stands in no row`,
      )
    }
  }
})

function readRows(): Row[] {
  const found: Row[] = []
  let section = ''
  for (const line of read('docs/faults.md').split('\n')) {
    if (line.startsWith('#')) section = line.replace(/^#+ /, '').replace(/:.*/, '')
    // The heading of a table is no row, nor the line below it.
    if (!line.startsWith('| ') || line.includes('| covered by |')) continue
    const cells = line.split(/(?<!\\)\|/).map((cell) => cell.trim())
    found.push({ section, name: cells[1] ?? '', coverage: cells.at(-2) ?? '' })
  }
  return found
}

function numbered(count: number, prefix = ''): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}${index + 1}`)
}

interface NamedTest {
  /** As it stands in the source, escapes undone. */
  readonly name: string
  /** It is marked `todo`. */
  readonly isExpectedToFail: boolean
}

function testsOf(file: string): NamedTest[] {
  const text = read(file)
  return [...text.matchAll(/\btest\(\s*(['"`])(.+?)\1,/g)].map((match) => {
    const options = /^\s*\{[^{}]*\}/.exec(text.slice(match.index + match[0].length))?.[0] ?? ''
    return { name: (match[2] as string).replaceAll(/\\(.)/g, '$1'), isExpectedToFail: /\btodo:/.test(options) }
  })
}

/** `…` stands for any part. */
function isNamedBy(title: string, name: string): boolean {
  let at = 0
  for (const part of title.split('…')) {
    const found = name.indexOf(part, at)
    if (found < 0 || (at === 0 && found > 0)) return false
    at = found + part.length
  }
  return at === name.length || title.endsWith('…')
}
