import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AshlarError } from '../../base/errors.ts'
import type { AshlarClient } from '../../client/index.ts'
import { ModelContent } from '../contents.ts'
import { History } from '../history.ts'
import type { Answer, Step } from '../steps.ts'
import { judgeAnswers } from './answers.ts'
import { Watch } from './watch.ts'

const options = { trashLastsMs: 1e9 }
const write = (path: string, seed: number): Step => ({ kind: 'write', path, content: { seed, length: 5 } })
const read = (path: string): Step => ({ kind: 'read', path })
const digestOf = (seed: number) => ModelContent.of({ seed, length: 5 }).digest

async function historyOf(...steps: readonly (readonly [Step, Answer | Error])[]): Promise<History> {
  let nowMs = 0
  const history = new History(() => nowMs++)
  for (const [operation, [step, end]] of steps.entries()) {
    const call = async () => {
      if (end instanceof Error) throw end
      return end
    }
    await history.record({ operation, client: 0, step }, call, (answer) => answer)
  }
  return history
}

const oraclesOf = (history: History) => judgeAnswers(history, options).violations.map(({ oracle }) => oracle)

test('judgeAnswers() is content with a history that is right', async () => {
  const history = await historyOf(
    [write('/a', 1), { version: 5 }],
    [read('/a'), { version: 5, digest: digestOf(1) }],
    [write('/b/c', 2), new AshlarError('not-found', 'no /b')],
    [write('/a', 3), new AshlarError('unavailable', 'nobody there', { applied: 'unknown' })],
    [read('/a'), { version: 6, digest: digestOf(3) }],
  )
  assert.deepEqual(judgeAnswers(history, options), { violations: [], isUndecided: false })
})

test('judgeAnswers() notices other bytes under a known version', async () => {
  const history = await historyOf([write('/a', 1), { version: 5 }], [read('/a'), { version: 5, digest: digestOf(2) }])
  assert.deepEqual(oraclesOf(history), ['bytes', 'order'])
})

test('judgeAnswers() notices a version that falls, or comes twice', async () => {
  assert.deepEqual(oraclesOf(await historyOf([write('/a', 1), { version: 5 }], [write('/b', 2), { version: 4 }])), [
    'versions',
  ])
  assert.deepEqual(oraclesOf(await historyOf([write('/a', 1), { version: 5 }], [write('/b', 2), { version: 5 }])), [
    'versions',
    'versions',
  ])
})

test('judgeAnswers() lets a read be told `changed` only while somebody may have replaced its file', async () => {
  const changed = new AshlarError('changed', 'it was replaced while it was read')
  const alone = await historyOf([write('/a', 1), { version: 5 }], [read('/a'), changed])
  assert.deepEqual(oraclesOf(alone), ['order'])
  const beside = async (step: Step) => {
    const history = await historyOf(
      [{ kind: 'make-directory', path: '/d', recursive: true }, {}],
      [write('/d/a', 1), {}],
    )
    const reading = Promise.withResolvers<Answer>()
    const noted = history.record(
      { operation: 8, client: 0, step: read('/d/a') },
      () => reading.promise,
      (answer) => answer,
    )
    await history.record(
      { operation: 9, client: 1, step },
      async () => ({ version: 6 }),
      (answer) => answer,
    )
    reading.reject(changed)
    await noted
    return oraclesOf(history)
  }
  assert.deepEqual(await beside(write('/d/a', 2)), [])
  assert.deepEqual(await beside({ kind: 'remove', path: '/d', recursive: true }), [])
  assert.deepEqual(await beside(write('/d/b', 2)), ['order'])
  assert.deepEqual(await beside({ kind: 'stat', path: '/d/a' }), ['order'])
})

test('judgeAnswers() takes no failure for granted that no fault explains', async () => {
  assert.deepEqual(oraclesOf(await historyOf([read('/a'), new TypeError('x is not a function')])), ['surprise'])
  assert.deepEqual(oraclesOf(await historyOf([read('/a'), new AshlarError('internal', 'a bug')])), ['surprise'])
  assert.deepEqual(oraclesOf(await historyOf([read('/a'), new AshlarError('busy', 'later')])), [])
})

function looker(facts: { leaderEpoch: number; mapVersion: number; domains?: readonly string[] }): AshlarClient {
  const { leaderEpoch, mapVersion, domains = ['a', 'b'] } = facts
  return {
    status: async () => ({ leaderEpoch, clusterTime: 1 }),
    map: async () => ({
      version: mapVersion,
      servers: domains.map((domain, index) => ({ id: `s${index}`, domain })),
      groups: [
        { id: 1, epoch: 1, policy: 'p', members: domains.map((_, index) => ({ server: `s${index}`, state: 'in' })) },
      ],
      policies: [{ name: 'p', replicas: 2 }],
    }),
  } as unknown as AshlarClient
}

test('Watch.look() notices an epoch that falls and members that share a domain', async () => {
  const watch = new Watch()
  await watch.look(looker({ leaderEpoch: 2, mapVersion: 9 }))
  await watch.look(looker({ leaderEpoch: 3, mapVersion: 9 }))
  assert.equal(watch.violations.length, 0)
  await watch.look(looker({ leaderEpoch: 2, mapVersion: 8, domains: ['a', 'a'] }))
  assert.deepEqual(
    watch.violations.map(({ oracle }) => oracle),
    ['epochs', 'epochs', 'domains'],
  )
  await watch.look(looker({ leaderEpoch: 4, mapVersion: 9, domains: ['a'] }))
  assert.match(watch.violations.at(-1)?.text ?? '', /1 members, too few/)
  assert.equal(watch.looks, 4)
})
