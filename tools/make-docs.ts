/**
 * Writes the pages of `docs/` that are made from tables in the sources: `errors.md` and `limits.md`.
 * `--check` writes nothing, and exits 1 when a page is not what the tables say.
 * @module
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { errorTable } from '../src/base/error-table.ts'
import { diskMarks, limits } from '../src/base/limits.ts'
import { formatDuration, formatSize } from '../src/base/sizes.ts'

const projectFolder = join(import.meta.dirname, '..')
const limitsSource = 'src/base/limits.ts'

export function errorsPage(): string {
  const rows = Object.entries(errorTable).map(
    ([code, { number, retry, applied, exit, http, s3, meaning }]) =>
      `| \`${code}\` | ${number} | ${meaning} | ${retry} | ${applied} | ${exit} | ${http} | ${s3} |`,
  )
  return `# Errors

Every failure is an \`AshlarError\` with one of these codes. React to \`code\`, \`retry\` and \`applied\`, never to the message.

- \`retry\`: whether doing the same again can help. \`never\`; \`later\`: same place, after a pause; \`elsewhere\`: another
  replica or group, now; \`if-idempotent\`: the outcome is not known, so only if doing it twice does no harm.
- \`applied\`: whether it may have taken effect. \`no\` is a guarantee that nothing changed.
- *exit* is the exit code of the command line; *HTTP* and *S3* are what those doors answer. *No.* travels on the wire, and is
  never used again for something else.

A single error may know better than the table: its own \`retry\` and \`applied\` count.

| code | no. | meaning | retry | applied | exit | HTTP | S3 |
|---|---|---|---|---|---|---|---|
${rows.join('\n')}

_Made from \`src/base/error-table.ts\` by \`npm run docs\`._
`
}

export function limitsPage(source: string): string {
  const { placement, write } = diskMarks
  return `# Limits

Every limit, from one table. What passes one is refused with a message that names it (\`too-large\`, \`busy\`,
\`invalid-name\`), before memory is taken for it. Nothing is shortened or clamped silently.

| limit | value | |
|---|---|---|
${limitRows(source).join('\n')}

The marks of the disk beneath a store or the metadata; whichever leaves less free space is the one that counts:

| | used | free |
|---|---|---|
| no new chunk is placed from | ${100 * placement.usedFraction} % | ${formatSize(placement.freeBytes)} |
| writes are refused from | ${100 * write.usedFraction} % | ${formatSize(write.freeBytes)} |

_Made from \`${limitsSource}\` by \`npm run docs\`._
`
}

/** The table's own order, sections and comments, read from its source; the values from the table itself. */
function limitRows(source: string): string[] {
  const body = source.slice(source.indexOf('export const limits = {'), source.indexOf('} as const'))
  const rows: string[] = []
  let why = ''
  for (const line of body.split('\n').map((text) => text.trim())) {
    const section = /^\/\/ (.*?)\.?$/.exec(line)?.[1]
    const comment = /^\/\*\* (.*?)\.? \*\/$/.exec(line)?.[1]
    const name = /^(\w+):/.exec(line)?.[1] as keyof typeof limits | undefined
    if (section !== undefined) rows.push(`| **${section}** | | |`)
    if (comment !== undefined) why = comment
    if (name === undefined) continue
    rows.push(`| \`${name}\` | ${formatLimit(name, limits[name])} | ${why} |`)
    why = ''
  }
  const missing = Object.keys(limits).filter((name) => !rows.some((row) => row.startsWith(`| \`${name}\` `)))
  if (missing.length > 0) throw new Error(`Cannot make docs/limits.md: no line of its own in the source: ${missing}`)
  return rows
}

/** The unit is in the name: `frameHeadBytes`, `unsentBytesPerConnection`, `deadAfterMs`. */
function formatLimit(name: string, value: number): string {
  if (/Bytes(?![a-z])/.test(name)) return formatSize(value).replace('.0 ', ' ')
  return /Ms(?![a-z])/.test(name) ? formatDuration(value) : value.toLocaleString('en')
}

function main(isCheck: boolean): void {
  const pages = {
    'docs/errors.md': errorsPage(),
    'docs/limits.md': limitsPage(readFileSync(join(projectFolder, limitsSource), 'utf8')),
  }
  for (const [path, text] of Object.entries(pages)) {
    if (!isCheck) writeFileSync(join(projectFolder, path), text)
    else if (readOrEmpty(path) !== text) {
      console.error(`${path} is not what its table says: run \`npm run docs\``)
      process.exitCode = 1
    }
  }
}

/** A page that is not there yet is as stale as a wrong one. */
function readOrEmpty(path: string): string {
  const full = join(projectFolder, path)
  return existsSync(full) ? readFileSync(full, 'utf8') : ''
}

if (import.meta.main) main(process.argv.includes('--check'))
