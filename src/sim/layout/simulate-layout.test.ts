import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isAshlarError } from '../../base/errors.ts'
import { strategyNames } from '../../cluster/placement-strategy.ts'
import { groupsAtOnceOf } from '../../master/fill.ts'
import { type LayoutOptions, simulateLayout } from './simulate-layout.ts'
import { tellLayout } from './tell-layout.ts'

const MiB = 2 ** 20
const GiB = 2 ** 30

function layout(options: Partial<LayoutOptions>): LayoutOptions {
  return {
    servers: 40,
    racks: 8,
    domain: 'rack',
    policy: 'replicated-3',
    strategy: 'spread',
    capacityBytes: 1024 * GiB,
    diskBytesPerSecond: 100 * MiB,
    netBytesPerSecond: 1000 * MiB,
    repairShare: 0.5,
    copyLatencyMs: 10,
    kill: { kind: 'nothing' },
    deadAfterMs: 30_000,
    holdOffMs: 300_000,
    seed: 1,
    ...options,
  }
}

test('simulateLayout() loses nothing with a rack, by any strategy, and repairs exactly what the rack held', () => {
  for (const strategy of strategyNames) {
    const { killed, lost, lastCopy, underReplicated, repair, after } = simulateLayout(
      layout({ strategy, kill: { kind: 'rack', number: 3 } }),
    )
    assert.equal(killed.servers, 5)
    assert.deepEqual(killed.serverNumbers, [3, 11, 19, 27, 35])
    assert.equal(lost.chunks + lastCopy.chunks, 0)
    assert.ok(Math.abs(repair.copiedBytes - killed.bytes) < MiB)
    assert.ok(Math.abs(underReplicated.bytes - killed.bytes) < MiB)
    assert.equal(repair.groups, underReplicated.groups)
    assert.deepEqual(repair.waiting, [])
    assert.ok(Math.abs(after.usedFraction - (0.5 * 40) / 35) < 1e-6)
  }
})

// Racks that nobody told the cluster of do not keep copies apart.
test('simulateLayout() loses chunks with a rack when only hosts are apart', () => {
  const { lost, lastCopy, repair } = simulateLayout(
    layout({ racks: 4, domain: 'host', kill: { kind: 'rack', number: 3 } }),
  )
  assert.ok(lost.chunks > 0 && lost.files > 0 && lastCopy.chunks > lost.chunks)
  assert.ok(repair.safeMs > repair.beginsMs && repair.safeMs < repair.endsMs)
  const waiting = repair.waiting.reduce((sum, { groups }) => sum + groups, 0)
  assert.equal(waiting, 3 * lost.groups, 'each lost member of a lost group')
})

test('simulateLayout() repairs one server at the rate that its partners and the limits allow', () => {
  const { repair, killed } = simulateLayout(layout({ kill: { kind: 'server', number: 7 } }))
  assert.equal(repair.beginsMs, 30_000)
  assert.ok(repair.bytesPerSecond <= repair.peakBytesPerSecond)
  // A copy is written and read back, so one that has both disks to itself runs at half of what repair may take.
  assert.ok(repair.peakBytesPerSecond <= groupsAtOnceOf(40) * 25 * MiB)
  assert.ok(repair.endsMs - repair.beginsMs >= repair.idealMs)
  assert.ok(Math.abs(repair.idealMs - (killed.bytes * 3 * 1000) / (39 * 50 * MiB)) < 1)
  assert.equal(repair.limits[0]?.limit, 'disks')
  const slow = simulateLayout(layout({ kill: { kind: 'server', number: 7 }, repairShare: 0.25 }))
  assert.ok(Math.abs((slow.repair.endsMs - 30_000) / (repair.endsMs - 30_000) - 2) < 1e-6)
})

test('simulateLayout() repairs a group twice that lost two members, also where nothing is lost', () => {
  for (let seed = 1; ; seed++) {
    assert.ok(seed < 20)
    const { lost, lastCopy, underReplicated, repair } = simulateLayout(
      layout({ seed, kill: { kind: 'servers', count: 4 } }),
    )
    if (lost.groups > 0 || lastCopy.groups === 0) continue
    assert.equal(repair.groups, underReplicated.groups + lastCopy.groups)
    assert.deepEqual(repair.waiting, [])
    break
  }
})

test('simulateLayout() names the limit that binds', () => {
  const kill = { kind: 'server', number: 1 } as const
  const limitOf = (options: Partial<LayoutOptions>) =>
    simulateLayout(layout({ kill, ...options })).repair.limits[0]?.limit
  assert.equal(limitOf({ netBytesPerSecond: MiB }), 'network links')
  assert.equal(limitOf({ uplinkBytesPerSecond: MiB }), 'uplinks of racks')
  assert.equal(limitOf({ files: 1e8, fileBytes: 1e12 }), 'copies at once')
})

test('simulateLayout() holds repairs back in a mass loss, but for what is down to its last copy', () => {
  const { repair, underReplicated, lastCopy, lost } = simulateLayout(
    layout({ fileBytes: GiB, kill: { kind: 'servers', count: 16 } }),
  )
  assert.ok(lastCopy.groups > 0 && lost.groups > 0)
  assert.equal(repair.groups, underReplicated.groups + lastCopy.groups, 'one that lost two is repaired twice')
  assert.equal(repair.beginsMs, 30_000)
  assert.ok(repair.safeMs > 0 && repair.safeMs < 300_000)
  assert.ok(repair.endsMs >= 300_000)
})

test('simulateLayout() says why what cannot be repaired is not', () => {
  const three = simulateLayout(layout({ servers: 9, racks: 3, kill: { kind: 'rack', number: 1 } }))
  assert.equal(three.repair.groups, 0)
  assert.equal(three.writableGroups, 0)
  assert.match(three.repair.waiting[0]?.why ?? '', /in the failure domain of another member/)
  const full = simulateLayout(
    layout({ fileBytes: 40 * 300 * GiB, capacityBytes: 1000 * GiB, kill: { kind: 'rack', number: 1 } }),
  )
  assert.ok(full.repair.waiting.some(({ why }) => /too full|free/.test(why)))
  assert.ok(full.after.fullestFraction <= 1)
})

test('simulateLayout() gives the same answer to the same seed, and refuses what cannot be', () => {
  const options = layout({ kill: { kind: 'servers', count: 6 } })
  assert.deepEqual(simulateLayout(options), simulateLayout(options))
  const refused = (change: Partial<LayoutOptions>, code: 'invalid-argument' | 'no-space') =>
    assert.throws(
      () => simulateLayout(layout(change)),
      (error) => isAshlarError(error, code),
    )
  refused({ policy: 'rs-6-3' }, 'invalid-argument')
  refused({ racks: 2 }, 'invalid-argument')
  refused({ kill: { kind: 'rack', number: 9 } }, 'invalid-argument')
  refused({ kill: { kind: 'server', number: 41 } }, 'invalid-argument')
  refused({ kill: { kind: 'servers', count: 41 } }, 'invalid-argument')
  refused({ fileBytes: 40 * 1024 * GiB }, 'no-space')
})

test('tellLayout() answers what is lost, how long repair takes and what limits it, in sentences', () => {
  const rack = { kind: 'rack', number: 3 } as const
  const safe = tellLayout(simulateLayout(layout({ kill: rack })), rack).join('\n')
  assert.match(safe, /^Rack 3 is lost: 5 servers with [\d.]+ TiB of copies\.$/m)
  assert.match(safe, /^Lost or unreadable: nothing\./m)
  assert.match(safe, /none is down to its last copy\.$/m)
  assert.match(safe, /^Repair begins after 30s and is done .+ after the loss: /m)
  assert.match(safe, /^Limits that bind: disks \(100 % of the bytes\)/m)
  const lossy = tellLayout(simulateLayout(layout({ racks: 4, domain: 'host', kill: rack })), rack).join('\n')
  assert.match(lossy, /^Lost or unreadable: [\d,]+ chunks, .+ in about [\d,]+ files\./m)
  assert.match(lossy, /^Not repaired: \d+ groups: no member answers/m)
  assert.match(tellLayout(simulateLayout(layout({})), { kind: 'nothing' }).join('\n'), /Nothing was killed/)
})
