/**
 * What a run of the tests prints: Node's own `spec` report without its long table of coverage, then the coverage per
 * folder, then Node's summary lines, last.
 * @module
 */
import { relative } from 'node:path'
import { Readable } from 'node:stream'
import { spec as SpecReporter, type TestEvent } from 'node:test/reporters'

const summaryLine = /^(?:tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) [\d.]+$/

export interface FileCoverage {
  /** Absolute. */
  readonly path: string
  readonly totalLineCount: number
  readonly coveredLineCount: number
  readonly totalBranchCount: number
  readonly coveredBranchCount: number
  readonly totalFunctionCount: number
  readonly coveredFunctionCount: number
}

/** One line per folder of `src/`, and one for all of it. */
export function coverageByFolder(files: readonly FileCoverage[], projectFolder: string): string {
  const folders = new Map<string, FileCoverage[]>()
  for (const file of files) {
    const folder = relative(projectFolder, file.path).split('/').slice(0, 2).join('/')
    folders.set(folder, [...(folders.get(folder) ?? []), file])
  }
  const rows = [...folders].sort(([a], [b]) => (a < b ? -1 : 1))
  const all: [string, readonly FileCoverage[]] = ['all', files]
  const lines = [...rows, all].map(([folder, members]) => {
    const cells = [
      percent(members.map((file) => [file.coveredLineCount, file.totalLineCount])),
      percent(members.map((file) => [file.coveredBranchCount, file.totalBranchCount])),
      percent(members.map((file) => [file.coveredFunctionCount, file.totalFunctionCount])),
      String(members.length),
    ]
    return folder.padEnd(18) + cells.map((cell) => cell.padStart(11)).join('')
  })
  const head =
    'coverage, %'.padEnd(18) + ['lines', 'branches', 'functions', 'files'].map((cell) => cell.padStart(11)).join('')
  return `${[head, ...lines].join('\n')}\n`
}

function percent(counts: readonly (readonly [covered: number, total: number])[]): string {
  const covered = counts.reduce((sum, [part]) => sum + part, 0)
  const total = counts.reduce((sum, [, whole]) => sum + whole, 0)
  return total === 0 ? '–' : ((100 * covered) / total).toFixed(1)
}

async function* report(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const summary = new Map<string, string>()
  let coverage = ''

  async function* withoutSummary(): AsyncGenerator<TestEvent> {
    for await (const event of source) {
      if (event.type === 'test:coverage') {
        coverage = coverageByFolder(event.data.summary.files, event.data.summary.workingDirectory)
      } else if (event.type === 'test:diagnostic' && event.data.nesting === 0 && summaryLine.test(event.data.message)) {
        summary.set(event.data.message.split(' ')[0] as string, `ℹ ${event.data.message}\n`)
      } else yield event
    }
  }

  for await (const text of Readable.from(withoutSummary()).compose(new SpecReporter())) yield String(text)
  if (coverage !== '') yield `\n${coverage}\n`
  yield* summary.values()
}

// biome-ignore lint/style/noDefaultExport: Node takes a reporter from the default export
export default report
