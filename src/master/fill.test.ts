import assert from 'node:assert/strict'
import { test } from 'node:test'
import { limits } from '../base/limits.ts'
import { groupsAtOnceOf } from './fill.ts'

// So that the disks bound a repair, and not the master, until its memory does.
test('groupsAtOnceOf() rises with the servers, within bounds', () => {
  assert.deepEqual(
    [3, 32, 100, 10_000].map((servers) => groupsAtOnceOf(servers)),
    [32, 32, 100, limits.groupsFilledAtOnce],
  )
})

test('groupsAtOnceOf() leaves the disks to groups down to their last copy, while there are some', () => {
  assert.equal(groupsAtOnceOf(200, 1), 32)
  assert.equal(groupsAtOnceOf(200, 90), 90)
  assert.equal(groupsAtOnceOf(200, 900), 200)
})
