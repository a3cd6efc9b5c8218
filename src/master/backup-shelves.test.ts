import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ServerId } from '../base/ids.ts'
import { BackupShelves } from './backup-shelves.ts'

const serverId = (number: number) => String(number).repeat(32) as ServerId

function shelvesWith(refusals: readonly (string | undefined)[]): BackupShelves {
  const servers = refusals.map((refusal, at) => ({
    id: serverId(at + 1),
    domain: `host-${at}`,
    refusal,
    freeBytes: at,
  }))
  const find = (id: ServerId) => servers.find((server) => server.id === id)
  const map = { index: { map: { servers }, server: find } }
  const registry = { peerOf: () => ({}), stateOf: () => 'up', loadOf: find }
  return new BackupShelves({ map, registry, leaderEpoch: 1 } as unknown as ConstructorParameters<
    typeof BackupShelves
  >[0])
}

test('BackupShelves.choose() takes no server whose disk is full or failed, also where it kept backups before', () => {
  const shelves = shelvesWith(['fenced', 'disk-full', 'capacity', undefined])
  const before = new Set([serverId(1), serverId(2)])
  assert.deepEqual(shelves.choose(3, before), [serverId(4), serverId(3)])
})

test('BackupShelves.isFull() goes by the servers whose disks work', () => {
  assert.equal(shelvesWith(['disk-full', 'fenced']).isFull(), true)
  assert.equal(shelvesWith(['disk-full', undefined]).isFull(), false)
  assert.equal(shelvesWith(['fenced']).isFull(), false)
})
