import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Violation } from './oracles/violation.ts'
import type { Script } from './script.ts'
import { shrink } from './shrink.ts'
import type { Outcome } from './simulate.ts'
import { swarm } from './swarm.ts'

/** A run that breaks a promise exactly when `isBroken` says so. */
function runner(isBroken: (script: Script) => Violation['oracle'] | undefined) {
  return async (script: Script): Promise<Outcome> => {
    const oracle = isBroken(script)
    return { violations: oracle === undefined ? [] : [{ oracle, text: 'as told' }] } as unknown as Outcome
  }
}

const script = Array.from({ length: 100 }, (_, seed) => swarm(seed)).find(
  ({ faults, cluster }) => faults.length > 6 && cluster.servers.length > 3 && cluster.clients > 2,
) as Script

test('shrink() leaves only what the failure needs', async () => {
  const fault = script.faults[4]?.id
  const needed = [script.operations[17]?.id, script.operations[90]?.id]
  const isBroken = ({ faults, operations }: Script) =>
    faults.some(({ id }) => id === fault) && needed.every((id) => operations.some((operation) => operation.id === id))
      ? ('order' as const)
      : undefined
  const shrunk = await shrink(script, { simulate: runner(isBroken), oracle: 'order' })
  assert.deepEqual(
    shrunk.script.faults.map(({ id }) => id),
    [fault],
  )
  assert.deepEqual(
    shrunk.script.operations.map(({ id }) => id),
    needed,
  )
  assert.equal(shrunk.script.cluster.clients, 1)
  assert.ok(shrunk.script.cluster.servers.length <= 3)
  assert.ok(shrunk.script.operations.every(({ client }) => client === 0))
  assert.equal(isBroken(shrunk.script), 'order')
})

test('shrink() keeps to the promise that was broken, and leaves a script that needs everything as it is', async () => {
  // With less the run fails too, but otherwise.
  const isBroken = (candidate: Script) => (candidate === script ? ('order' as const) : ('rest' as const))
  const shrunk = await shrink(script, { simulate: runner(isBroken), oracle: 'order' })
  assert.equal(shrunk.script, script)
})

test('shrink() ends when its runs are spent', async () => {
  const shrunk = await shrink(script, { simulate: runner(() => 'order'), oracle: 'order', mostRuns: 3 })
  assert.equal(shrunk.runs, 3)
  assert.ok(
    shrunk.script.operations.length + shrunk.script.faults.length < script.operations.length + script.faults.length,
  )
})
