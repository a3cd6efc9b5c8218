/** A part of what the other tests say, on the embedded engine, with the end of the process in between. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { checkRows } from '../../test/namespace/check-rows.ts'
import { refused } from '../../test/namespace/refused.ts'
import { TestMaster } from '../../test/namespace/test-master.ts'
import { createNodeClock } from '../env/node-clock.ts'
import { createNodeDisk } from '../env/node-disk.ts'
import { silentLog } from '../env/node-log.ts'
import { openSqliteKV } from '../kv/sqlite-kv.ts'

test('the namespace on SQLite keeps all through a restart, and goes on', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ashlar-namespace-'))
  const open = () =>
    openSqliteKV({
      path: join(folder, 'metadata.db'),
      clock: createNodeClock(),
      disk: createNodeDisk(),
      reserveBytes: 0,
      log: silentLog,
      onFatal: (error) => {
        throw error
      },
    })
  try {
    let kv = await open()
    let master = await TestMaster.start(kv)
    const client = await master.client()
    await client.makeDirectory('/d/e', true)
    await client.putLarge('/d/large', 600)
    await client.copy('/d/large', '/d/copy')
    const requests = []
    for (let index = 0; index < 200; index++)
      requests.push(client.commitRequest(`/d/e/${index}`, await client.write(3)))
    await Promise.all(requests.map((request) => client.namespace.commitFile(request)))
    await client.rename('/d/e', '/f')
    await client.remove('/d', true)
    const before = await checkRows(kv)
    const leader = master.leader
    await kv.close()

    kv = await open()
    master = await TestMaster.start(kv, 2)
    assert.deepEqual(await checkRows(kv), before)
    assert.ok(master.leader.epoch > leader.epoch)
    const [again] = requests
    assert.ok(again)
    const { attributes } = await master.namespace.commitFile(again)
    const { attributes: now } = await master.namespace.stat({ path: '/f/0' })
    assert.equal(attributes.version, now.version)
    const late = await master.client()
    await refused(late.put('/f', 1), 'is-a-directory')
    assert.deepEqual(await late.names('/'), ['f/'])
    await late.undelete('/d')
    assert.deepEqual(await late.names('/d'), ['copy', 'large'])
    await late.remove('/d', true)
    master.timeMs += master.trashKeepMs
    await master.purgeAll()
    assert.equal((await checkRows(kv)).liveChunks, 200)
    await kv.close()
  } finally {
    rmSync(folder, { recursive: true })
  }
})
