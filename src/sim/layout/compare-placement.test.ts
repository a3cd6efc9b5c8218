import assert from 'node:assert/strict'
import { test } from 'node:test'
import { strategyNames } from '../../cluster/placement-strategy.ts'
import { comparePlacement, type PlacementReport, replicatedPolicy } from './compare-placement.ts'
import { placementTables, placementTitle } from './tell-placement.ts'

const report = compare()

function compare(): PlacementReport {
  const policy = replicatedPolicy('replicated-3')
  assert.ok(policy)
  // So that the same seed gives the same report, times included.
  let nowMs = 0
  return comparePlacement({
    ...{ servers: 60, racks: 12, policy, chunks: 1e6, deaths: [3, 8], trials: 2000, seed: 1 },
    nowMs: () => nowMs++,
  })
}

function rowOf(name: string) {
  const row = [...report.strategies, ...report.baselines].find((each) => each.name === name)
  assert.ok(row, name)
  return row
}

test('comparePlacement() has a row for each strategy, and the same figures for the same seed', () => {
  assert.deepEqual(
    report.strategies.map(({ name }) => name),
    [...strategyNames],
  )
  assert.deepEqual(compare(), report)
})

test('comparePlacement() measures what the closed form says, and chunks placed one by one beside it', () => {
  for (const { name, loss, copysets } of report.strategies) {
    const most = loss[1]
    assert.ok(most && copysets > 0)
    assert.ok(Math.abs(most.probability - most.formula) < 5 * most.standardError + 0.05, `${name}: ${most.probability}`)
  }
  const random = rowOf('random for each chunk')
  const ring = rowOf('consistent hashing of chunks')
  assert.ok((random.loss[1]?.probability ?? 0) > 0.99)
  assert.ok(ring.copysets > 2 * rowOf('spread').copysets)
  assert.ok((ring.loss[1]?.probability ?? 0) > (rowOf('spread').loss[1]?.probability ?? 1))
  assert.ok((rowOf('range').loss[1]?.probability ?? 1) < (rowOf('spread').loss[1]?.probability ?? 0))
})

// Dying servers take the same part of all chunks with them on average, whatever the placement.
test('comparePlacement() loses the same on average everywhere', () => {
  const means = [...report.strategies, ...report.baselines].map(({ loss }) => {
    const { probability = 0, lostFraction = 0 } = loss[1] ?? {}
    return probability * lostFraction
  })
  for (const mean of means) assert.ok(mean > 0.3 * (means.at(-1) ?? 0) && mean < 3 * (means.at(-1) ?? 0), means.join())
})

test('comparePlacement() fills evenly by room, and moves little but for a hash', () => {
  assert.ok(rowOf('load-sorted').maxOfMean < 1.05)
  assert.ok(rowOf('spread').maxOfMean < 1.2)
  assert.ok(rowOf('hash').maxOfMean > rowOf('spread').maxOfMean)
  for (const name of ['spread', 'load-sorted', 'consistent-hash']) {
    assert.ok(rowOf(name).movedOfLeast > 0.4 && rowOf(name).movedOfLeast < 1.7, `${name}: ${rowOf(name).movedOfLeast}`)
  }
  assert.ok(rowOf('hash').movedOfLeast > 40)
})

test('placementTables() shows every row, and as many cells as columns', () => {
  assert.match(
    placementTitle(report),
    /^60 chunk servers in 12 racks of .+, 1,000,000 chunks of 8\.0 MiB, replicated-3/,
  )
  for (const { title, header, rows, note } of placementTables(report)) {
    assert.ok(title.length > 0 && note.length > 0)
    assert.ok(rows.length >= strategyNames.length)
    for (const row of rows) assert.equal(row.length, header.length, title)
  }
})
