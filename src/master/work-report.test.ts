import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Group } from '../wire/types/cluster-map.ts'
import { reportWork, type WorkOptions } from './work-report.ts'

const members = [
  { server: 'a', slot: 0, state: 'leaving' },
  { server: 'b', slot: 0, state: 'filling', duty: 'repair' },
]
const changing = [{ id: 1, epoch: 1, policy: 'replicated-1', members }] as unknown as readonly Group[]
const noPlan = { steps: [], waiting: [] }

const nothing = { chunks: 0, bytes: 0 }

function paceOf(bytes: number, leftMs: number) {
  return { rate: { bytes, chunks: 1 }, timeToCopyMs: () => leftMs }
}

function reportRepair(isPaused: boolean, heldChunks = 4, { owed = nothing, isChanging = true } = {}) {
  const options = {
    map: { index: { changingGroups: isChanging ? changing : [], map: { servers: [{ id: 'c' }] } } },
    registry: { heldBy: () => heldChunks, loadOf: () => undefined, peerOf: () => ({}), owed: { of: () => owed } },
    sizes: { of: () => ({ chunks: 10, sizeBytes: 1000 }) },
    // What others copy meanwhile says nothing of the repair.
    orders: { progress: { repair: paceOf(50, 12_000), drain: paceOf(7, 1), rebalance: paceOf(9, 2) } },
    changes: { plans: { repair: noPlan, drain: noPlan, rebalance: noPlan } },
    paused: { has: () => isPaused },
  }
  return reportWork(options as unknown as WorkOptions)[0]
}

test('reportWork() tells what is left of what is under way, and how long it takes', () => {
  const { state, chunksLeft, bytesLeft, bytesPerSecond, timeLeftMs } = reportRepair(false) ?? {}
  assert.deepEqual([state, chunksLeft, bytesLeft, bytesPerSecond, timeLeftMs], ['working', 6, 600, 50, 12_000])
})

// Nothing ends while it is paused, whatever was copied in the last seconds.
test('reportWork() tells no time left of a paused duty', () => {
  const { state, chunksLeft, bytesPerSecond, timeLeftMs } = reportRepair(true) ?? {}
  assert.deepEqual([state, chunksLeft, bytesPerSecond, timeLeftMs], ['paused', 6, 0, undefined])
})

test('reportWork() tells no time left where nothing is left to copy, and members are still to be proven', () => {
  const { state, chunksLeft, timeLeftMs } = reportRepair(false, 10) ?? {}
  assert.deepEqual([state, chunksLeft, timeLeftMs], ['working', 0, undefined])
})

// A write that went without a member is repaired as soon as that is back, with no group changing.
test('reportWork() tells of the copies that members owe which are back', () => {
  const owing = { owed: { chunks: 3, bytes: 30 }, isChanging: false }
  const { state, chunksLeft, bytesLeft, timeLeftMs } = reportRepair(false, 4, owing) ?? {}
  assert.deepEqual([state, chunksLeft, bytesLeft, timeLeftMs], ['working', 3, 30, 12_000])
  assert.equal(reportRepair(false, 4, { isChanging: false })?.state, 'idle')
})
