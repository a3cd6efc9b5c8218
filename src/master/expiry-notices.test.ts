import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AshlarError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { Rising } from '../base/rising.ts'
import { ExpiryNotices } from './expiry-notices.ts'

function start() {
  const waiting = new Map<string, number>()
  const warned: unknown[] = []
  const looks: string[] = []
  const notices = new ExpiryNotices({
    namespace: {
      stat: async ({ path }) => {
        looks.push(path)
        const entries = waiting.get(path)
        if (entries === undefined) throw new AshlarError('not-found', 'Cannot stat it: it is not there')
        return { attributes: { entries } } as never
      },
    },
    leader: { epoch: 17 as Rising },
    log: { warn: (_message, fields) => warned.push(fields) },
    nowMs: () => 1000.5,
  })
  return { waiting, warned, looks, notices }
}

const rule = { id: 'r', webhook: 'hook', events: ['s3:LifecycleExpiration:*'], prefix: '', suffix: '' }
const expiry = { bucket: 'b', key: 'k', kind: 'delete' as const }

test('of() writes no more than may wait for a webhook, and says so', async () => {
  const { waiting, warned, notices } = start()
  waiting.set('/.s3/events/hook', limits.s3EventsWaiting - 1)
  assert.equal((await notices.of([rule], expiry))?.({ isDeleteMarker: false }).length, 1)
  waiting.set('/.s3/events/hook', limits.s3EventsWaiting)
  assert.equal(await notices.of([rule], expiry), undefined)
  assert.deepEqual(warned, [{ webhook: 'hook' }])
  const both = await notices.of([rule, { ...rule, webhook: 'other' }], expiry)
  assert.deepEqual(
    both?.({ isDeleteMarker: false }).map(({ path }) => path.split('/')[3]),
    ['other'],
  )
})

test('of() looks at a webhook once for many removals, and anew when its room is used up', async () => {
  const { waiting, looks, notices } = start()
  for (let removal = 0; removal < 250; removal++) await notices.of([rule], expiry)
  assert.equal(looks.length, 3)
  waiting.set('/.s3/events/other', limits.s3EventsWaiting - 3)
  const told = []
  for (let removal = 0; removal < 3; removal++) told.push(await notices.of([{ ...rule, webhook: 'other' }], expiry))
  waiting.set('/.s3/events/other', limits.s3EventsWaiting)
  assert.ok(told.every((notice) => notice !== undefined))
  assert.equal(await notices.of([{ ...rule, webhook: 'other' }], expiry), undefined)
})

test('of() names every notice differently, and the same when it is asked again', async () => {
  const { notices } = start()
  const rules = [rule, { ...rule, id: 's' }]
  const first = await notices.of(rules, expiry)
  const second = await notices.of(rules, expiry)
  const paths = [first, second].flatMap((of) => of?.({ isDeleteMarker: true }) ?? []).map(({ path }) => path)
  assert.equal(new Set(paths).size, 4)
  assert.deepEqual(
    first?.({ isDeleteMarker: true }).map(({ path }) => path),
    paths.slice(0, 2),
  )
})
