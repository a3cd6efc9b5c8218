/**
 * Strict serializability, checked: random transactions run at once, and a search looks for one order of them that explains
 * every value they saw, the state they left, and that what had answered came before what was asked later.
 * @module
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isAshlarError } from '../../src/base/errors.ts'
import type { Transaction } from '../../src/kv/txn-kv.ts'
import type { KVUnderTest } from './kv-under-test.ts'

type Step =
  | { readonly do: 'get' | 'del' | 'insert' | 'put' | 'add' | 'guard'; readonly key: string }
  | {
      readonly do: 'range'
      readonly from: string
      readonly to: string
      readonly limit: number
      readonly reverse: boolean
    }
  | { readonly do: 'throw' }

interface Program {
  readonly steps: readonly Step[]
  /** Turns of the event loop before it is asked for. */
  readonly startTurn: number
}

/** What a body saw and how it ended; two runs with equal outcomes cannot be told apart. */
interface Outcome {
  readonly seen: readonly string[]
  readonly end: 'done' | 'thrown' | 'exists'
}

interface Ran {
  readonly id: string
  readonly program: Program
  readonly outcome: Outcome
  readonly askedAt: number
  readonly answeredAt: number
}

type State = ReadonlyMap<string, string>

const plainKeys = ['a', 'b', 'b\0', 'c', 'd']
const counterKeys = ['m', 'n']
const allKeys = [...plainKeys, ...counterKeys]

class Thrown extends Error {}

const steps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('get' as const), key: fc.constantFrom(...allKeys) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('range' as const),
      from: fc.constantFrom('', ...allKeys),
      to: fc.constantFrom(...allKeys, 'z'),
      limit: fc.integer({ min: 1, max: 4 }),
      reverse: fc.boolean(),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constantFrom('put' as const, 'del' as const), key: fc.constantFrom(...plainKeys) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('insert' as const, 'guard' as const),
      key: fc.constantFrom(...plainKeys),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('add' as const), key: fc.constantFrom(...counterKeys) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('del' as const), key: fc.constantFrom(...counterKeys) }) },
  { weight: 1, arbitrary: fc.constant({ do: 'throw' as const }) },
)

const programs = fc.array(
  fc.record({ steps: fc.array(steps, { minLength: 1, maxLength: 6 }), startTurn: fc.nat({ max: 3 }) }),
  { minLength: 2, maxLength: 6 },
)

/** Registers the test for one engine. */
export function testSerializability(open: () => Promise<KVUnderTest>): void {
  test('transact() is strictly serializable under random concurrent transactions', async () => {
    await using under = await open()
    let round = 0
    await fc.assert(
      fc.asyncProperty(fc.array(programs, { minLength: 1, maxLength: 3 }), async (rounds) => {
        let state = await stored(under)
        for (const concurrent of rounds) {
          const ran = await runTogether(under, concurrent, `r${round++}`)
          const after = await stored(under)
          assert.ok(
            explained(ran, { state, after }),
            `no order explains ${JSON.stringify({ state: [...state], ran, after: [...after] }, null, 1)}`,
          )
          state = after
        }
      }),
      { numRuns: 150 },
    )
  })
}

async function runTogether(under: KVUnderTest, concurrent: readonly Program[], name: string): Promise<Ran[]> {
  let now = 0
  const run = async (program: Program, index: number): Promise<Ran> => {
    for (let turn = 0; turn < program.startTurn; turn++) await new Promise((resolve) => setImmediate(resolve))
    const id = `${name}.${index}`
    const witnessKey = Buffer.from(`\xffw${id}`, 'latin1')
    let seen: string[] = []
    let end: Outcome['end'] = 'done'
    const askedAt = now++
    try {
      const body = async (tx: Transaction): Promise<void> => {
        seen = []
        tx.put(witnessKey, Buffer.of(1))
        await runOn(tx, { id, program, seen })
      }
      const witness = async (tx: Transaction): Promise<boolean> => (await tx.get(witnessKey)) !== undefined
      await under.kv.transact(body, { witness })
    } catch (error) {
      if (error instanceof Thrown) end = 'thrown'
      else if (isAshlarError(error, 'already-exists')) end = 'exists'
      else throw error
    }
    return { id, program, outcome: { seen, end }, askedAt, answeredAt: now++ }
  }
  return Promise.all(concurrent.map(run))
}

async function runOn(
  tx: Transaction,
  { id, program, seen }: { readonly id: string; readonly program: Program; readonly seen: string[] },
): Promise<void> {
  for (const [at, step] of program.steps.entries()) {
    if (step.do === 'throw') throw new Thrown()
    if (step.do === 'range') {
      const { from, to, limit, reverse } = step
      const pairs = await tx.range({ start: latin1(from), end: latin1(to), limit, reverse })
      seen.push(pairs.map(({ key, value }) => `${key.toString('latin1')}=${value.toString('latin1')}`).join())
      continue
    }
    const key = latin1(step.key)
    if (step.do === 'get') seen.push((await tx.get(key))?.toString('latin1') ?? '-')
    else if (step.do === 'put') tx.put(key, latin1(`${id}:${at}`))
    else if (step.do === 'insert') tx.insert(key, latin1(`${id}:${at}`))
    else if (step.do === 'del') tx.del(key)
    else if (step.do === 'add') tx.add(key, one)
    else tx.guard(key)
  }
}

/** The same on the model. @returns the outcome, and the state afterwards */
function runOnModel({ id, program }: Ran, before: State): { readonly outcome: Outcome; readonly after: State } {
  const state = new Map(before)
  const seen: string[] = []
  // Whether an insert must find its key absent is said when the transaction ends.
  let exists = false
  for (const [at, step] of program.steps.entries()) {
    if (step.do === 'throw') return { outcome: { seen, end: 'thrown' }, after: before }
    if (step.do === 'range') {
      const { from, to, limit, reverse } = step
      const keys = [...state.keys()].filter((key) => key >= from && key < to).sort()
      if (reverse) keys.reverse()
      seen.push(
        keys
          .slice(0, limit)
          .map((key) => `${key}=${state.get(key)}`)
          .join(),
      )
    } else if (step.do === 'get') seen.push(state.get(step.key) ?? '-')
    else if (step.do === 'del') state.delete(step.key)
    else if (step.do === 'put') state.set(step.key, `${id}:${at}`)
    else if (step.do === 'add') {
      const sum = Buffer.from(state.get(step.key) ?? '\0'.repeat(8), 'latin1')
      sum.writeBigUInt64LE(sum.readBigUInt64LE() + 1n)
      state.set(step.key, sum.toString('latin1'))
    } else if (step.do === 'insert') {
      exists ||= state.has(step.key)
      // An engine says so at once when the transaction itself wrote the key: nothing after that is seen.
      if (writtenBefore(program.steps.slice(0, at), step.key))
        return { outcome: { seen, end: 'exists' }, after: before }
      state.set(step.key, `${id}:${at}`)
    }
  }
  return exists ? { outcome: { seen, end: 'exists' }, after: before } : { outcome: { seen, end: 'done' }, after: state }
}

function writtenBefore(steps: readonly Step[], key: string): boolean {
  const last = steps.findLast((step) => 'key' in step && step.key === key && step.do !== 'get' && step.do !== 'guard')
  return last !== undefined && last.do !== 'del'
}

/** Depth first: whether some order of `ran` from `state` shows each what it saw and ends in `after`. */
function explained(ran: readonly Ran[], { state, after }: { readonly state: State; readonly after: State }): boolean {
  if (ran.length === 0) return sameState(state, after)
  const firstAnswer = Math.min(...ran.map(({ answeredAt }) => answeredAt))
  for (const next of ran) {
    // Something else had answered before this one was asked for: that comes first.
    if (next.askedAt > firstAnswer) continue
    const { outcome, after: left } = runOnModel(next, state)
    if (!sameOutcome(outcome, next.outcome)) continue
    if (
      explained(
        ran.filter((other) => other !== next),
        { state: left, after },
      )
    )
      return true
  }
  return false
}

function sameOutcome(left: Outcome, right: Outcome): boolean {
  return left.end === right.end && left.seen.join('\n') === right.seen.join('\n')
}

function sameState(left: State, right: State): boolean {
  return left.size === right.size && [...left].every(([key, value]) => right.get(key) === value)
}

async function stored({ kv }: KVUnderTest): Promise<State> {
  const pairs = await kv.transact((tx) => tx.range({ start: latin1(''), end: latin1('\xff'), limit: 1000 }))
  return new Map(pairs.map(({ key, value }) => [key.toString('latin1'), value.toString('latin1')]))
}

const one = Buffer.of(1, 0, 0, 0, 0, 0, 0, 0)

function latin1(text: string): Buffer {
  return Buffer.from(text, 'latin1')
}
