import assert from 'node:assert/strict'
import { test } from 'node:test'
import { plantedBugs } from './bugs.ts'
import { findBug } from './find-all.ts'
import type { PlantedBug } from './grounds.ts'
import { bugNamed, checkFits, withBug } from './plant.ts'

test('every planted bug fits the sources as they are', () => {
  assert.ok(plantedBugs.length >= 16)
  assert.equal(new Set(plantedBugs.map(({ name }) => name)).size, plantedBugs.length)
  for (const bug of plantedBugs) {
    assert.ok(bug.edits.length > 0, bug.name)
    checkFits(bug)
  }
})

test('withBug() refuses a text that is not there once', () => {
  const bug: PlantedBug = { name: 'x', what: 'x', edits: [{ file: 'a.ts', find: 'one', replace: 'two' }] }
  assert.equal(withBug(bug, 'a.ts', 'just one here'), 'just two here')
  assert.equal(withBug(bug, 'b.ts', 'just one here'), 'just one here')
  assert.throws(() => withBug(bug, 'a.ts', 'one and one'), /stands 2 times/)
  assert.throws(() => withBug(bug, 'a.ts', 'two'), /stands 0 times/)
  assert.throws(() => bugNamed('no such bug'))
})

// The others take longer: npm run sim:planted.
test('the simulator finds a bug that is planted, and nothing in the same seeds without it', async () => {
  const bug = bugNamed('append-length-unchecked')
  const planted = await findBug(bug, { from: 1, seeds: 60 })
  assert.notEqual(planted.seed, undefined)
  const clean = await findBug(bug, { from: planted.seed as number, seeds: 1, isControl: true })
  assert.equal(clean.seed, undefined, clean.text)
})
