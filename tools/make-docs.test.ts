import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { errorTable } from '../src/base/error-table.ts'
import { limits } from '../src/base/limits.ts'
import { errorsPage, limitsPage } from './make-docs.ts'

const source = readFileSync(join(import.meta.dirname, '../src/base/limits.ts'), 'utf8')

test('errorsPage() has one whole row for each code', () => {
  const rows = errorsPage()
    .split('\n')
    .filter((line) => line.startsWith('| `'))
  assert.equal(rows.length, Object.keys(errorTable).length)
  for (const row of rows) assert.equal(row.split('|').length, 10, row)
  assert.ok(rows.some((row) => /^\| `not-found` \| 3 \| .* \| never \| no \| 3 \| 404 \| NoSuchKey \|$/.test(row)))
})

test('limitsPage() has one row for each limit, with its unit and its reason', () => {
  const page = limitsPage(source)
  for (const name of Object.keys(limits)) assert.match(page, new RegExp(`^\\| \`${name}\` \\| .+ \\|`, 'm'))
  assert.match(page, /^\| `chunkSizeDefaultBytes` \| 8 MiB \| {2}\|$/m)
  assert.match(page, /^\| `trashKeepMs` \| 7d \| /m)
  assert.match(page, /^\| `chunkServers` \| 10,000 \| /m)
  assert.match(page, /^\| `chunkFileMinBytes` \| 1 MiB \| From this length on, /m)
})

test('limitsPage() refuses a source that does not show every limit', () => {
  assert.throws(() => limitsPage(source.replace('  nameBytes: 1024,\n', '')), /no line of its own.*nameBytes/)
})
