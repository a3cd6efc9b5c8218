import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkRows } from '../../test/namespace/check-rows.ts'
import { servers, TestMaster, testGroup } from '../../test/namespace/test-master.ts'
import type { ChunkId, GroupId, ServerId } from '../base/ids.ts'
import type { Group } from '../wire/types/cluster-map.ts'

const [a, b, c] = servers as [ServerId, ServerId, ServerId]
const d = 'd'.repeat(32) as ServerId

async function groupNow(master: TestMaster): Promise<Group> {
  const records = await master.namespace.getGroups()
  return records.find(({ group }) => group.id === testGroup)?.group as Group
}

test('replaceMember() raises the epoch and the version of the map, and is durable', async () => {
  const master = await TestMaster.start()
  const version = await master.namespace.mapVersion()
  const { epoch } = await groupNow(master)
  const group = await master.leader.replaceMember({ group: testGroup, epoch, from: c, to: d, duty: 'repair' })
  assert.ok(group.epoch > epoch)
  assert.deepEqual(await groupNow(master), group)
  assert.ok((await master.namespace.mapVersion()) > version)
})

test('replaceMember() refuses a plan made on an older epoch, and a group that is not there', async () => {
  const master = await TestMaster.start()
  const { epoch } = await groupNow(master)
  await master.leader.replaceMember({ group: testGroup, epoch, from: c, to: d, duty: 'repair' })
  const stale = { group: testGroup, epoch, from: b, to: 'e'.repeat(32) as ServerId, duty: 'drain' as const }
  await assert.rejects(master.leader.replaceMember(stale), { code: 'stale-epoch' })
  await assert.rejects(master.leader.replaceMember({ ...stale, group: 99 as GroupId }), { code: 'stale-epoch' })
})

// A commit that went without its receipt has queued what it owes: dropping the old member before that is paid loses a replica.
test('settleMember() waits until the member owes nothing, and counts it then', async () => {
  const master = await TestMaster.start()
  const client = await master.client()
  const written = await client.write(5)
  await client.namespace.commitFile(client.commitRequest('/f', written))
  const chunk = written.extents[0]?.chunk as ChunkId
  const { epoch } = await groupNow(master)
  const group = await master.leader.replaceMember({ group: testGroup, epoch, from: c, to: d, duty: 'repair' })
  const settlement = { group: testGroup, epoch: group.epoch, joined: d }
  await master.leader.queueRepair(chunk, a)
  await master.leader.queueRepair(chunk, d)
  assert.equal(await master.leader.settleMember(settlement), undefined)
  assert.deepEqual(await groupNow(master), group)
  await master.leader.repairDone(chunk, d)
  const settled = await master.leader.settleMember(settlement)
  assert.deepEqual(
    settled?.members.map(({ server, state }) => [server, state]),
    [
      [a, 'in'],
      [b, 'in'],
      [d, 'in'],
    ],
  )
  assert.deepEqual(await groupNow(master), settled)
  await assert.rejects(master.leader.settleMember(settlement), { code: 'invalid-argument' })
  await checkRows(master.context.kv)
})

test('allPageDigests() walks the pages of all groups, with their bytes', async () => {
  const master = await TestMaster.start()
  const client = await master.client()
  await client.put('/f', 5, 7)
  const [page] = await master.namespace.allPageDigests({ limit: 1 })
  assert.deepEqual([page?.group, page?.sizeBytes, page?.digest.count], [testGroup, 12, 2n])
  assert.ok(page !== undefined)
  assert.deepEqual(await master.namespace.allPageDigests({ after: page, limit: 9 }), [])
})
