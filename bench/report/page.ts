/**
 * `docs/performance.md` from the last run: what stands between `<!-- bench: NAME -->` and `<!-- /bench -->` is made here, all
 * else is written by hand. Plots go to `docs/performance/`.
 * @module
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Report } from '../figures.ts'
import { projectFolder } from '../package-copy.ts'
import { groupTables, groupTitles, runText, targetTable } from './tables.ts'

export const resultsPath = join(projectFolder, 'bench', 'results', 'last.json')
const pagePath = join(projectFolder, 'docs', 'performance.md')
const plotFolder = join(projectFolder, 'docs', 'performance')

/** @returns the page with every marked part made anew */
export function pageWith(page: string, report: Report, plotted: readonly string[]): string {
  const parts: Readonly<Record<string, () => string>> = {
    run: () => runText(report),
    targets: () => targetTable(report),
    figures: () => groupTables(report),
    plots: () => plotted.map((group) => `![${groupTitles[group]}](performance/${group}.svg)`).join('\n\n'),
  }
  return page.replaceAll(
    /(<!-- bench: ([a-z]+) -->\n).*?(<!-- \/bench -->)/gs,
    (_, open: string, name: string, end: string) => {
      const part = parts[name]
      if (part === undefined) throw new Error(`Cannot make docs/performance.md: there is no part "${name}"`)
      return `${open}\n${part()}\n\n${end}`
    },
  )
}

export async function writePage(report: Report): Promise<void> {
  // Only this needs the library of plots.
  const { plots } = await import('./plots.ts')
  const drawn = plots(report)
  await mkdir(plotFolder, { recursive: true })
  for (const [group, svg] of drawn) await writeFile(join(plotFolder, `${group}.svg`), `${svg}\n`)
  const page = await readFile(pagePath, 'utf8')
  await writeFile(pagePath, pageWith(page, report, [...drawn.keys()]))
}

/** @throws {Error} the file is no report of this version */
export async function readReport(path: string): Promise<Report> {
  const report = JSON.parse(await readFile(path, 'utf8')) as Report
  if (report.version !== 1) throw new Error(`Cannot read ${path}: it is of another version of the bench`)
  return report
}
