import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { SqliteTable } from './sqlite-table.ts'
import { WriteSet } from './write-set.ts'

const key = (text: string) => Buffer.from(text)
const one = Buffer.from([1, 0, 0, 0, 0, 0, 0, 0])

test('SqliteTable.commit() that is rolled back leaves no row for absent that it had deleted', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'ashlar-table-'))
  t.after(() => rm(folder, { recursive: true }))
  const table = new SqliteTable({ path: join(folder, 'db'), cacheBytes: 1 << 20, unsafeNoSync: false })
  t.after(() => table.close())
  const rows = new WriteSet()
  for (const name of ['a', 'm', 'z']) rows.put(key(name), Buffer.from(name))
  assert.ok(!('outcome' in table.commit(rows)))

  const failing = new WriteSet()
  failing.del(key('m'))
  // Its base is looked for, and found absent, while `m` is gone in this transaction.
  failing.add(key('n'), one)
  failing.put(key('q'), Buffer.from('q'))
  const writes = failing.writes.bind(failing)
  failing.writes = function* () {
    for (const [text, write] of writes()) {
      if (text === 'q') throw new RangeError('no more')
      yield [text, write]
    }
  }
  const failed = table.commit(failing)
  assert.equal('outcome' in failed && failed.error.code, 'internal')
  assert.equal(table.read(key('m'))?.toString(), 'm')
  assert.equal(table.read(key('n')), undefined)
})
