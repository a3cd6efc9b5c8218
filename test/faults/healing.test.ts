/**
 * Healing in every test run, small: a rack dies under load, a server comes back. The others run as long ones (rot also in
 * test/cluster/scrub.test.ts, in one process); at their real size by `npm run test:healing`.
 * @module
 */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type ScenarioName, scenarios } from './healing.ts'
import { needs, whyNotLong } from './preloaded.ts'

const small = { files: 150, bytes: 24 * 2 ** 20, deadAfter: '2s' }

function heals(name: ScenarioName, options = small) {
  return async (t: TestContext) => {
    const result = await scenarios[name]({ ...options, say: (line) => t.diagnostic(line) })
    assert.deepEqual(result.violations, [])
    assert.ok(result.files > 100)
    t.diagnostic(JSON.stringify(result))
  }
}

const long = { skip: whyNotLong() }
/** For the kernel's count of what a socket received. */
const counting = { skip: needs(['ss']) }

test('a rack dies under load: no user sees an error, the status tells the truth, and all is whole again', heals('rack'))
test('a server that was away gets only what differs, and nothing rises from the dead', counting, heals('comes-back'))

test('replicas that rot are found by scrubbing alone, and no wrong byte is served', long, heals('rot'))
test('one of six dies under load', long, heals('one-dies'))
test('two die at once in different domains', long, heals('two-at-once'))
test('a second one dies during the repair of the first', long, heals('second-during-repair'))
test('all chunk servers die at once, and come back', long, heals('all'))
test('two empty servers are filled, two others drained, one of which dies meanwhile', long, heals('grow-and-drain'))
test("the master's disk is lost under load, and a new master built from the chunk servers", long, heals('master-disk'))
