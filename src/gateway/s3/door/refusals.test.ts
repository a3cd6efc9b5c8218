import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Refusals, RequestTrail } from './refusals.ts'

test('Refusals.find() knows the last ones, and no more than it may keep', () => {
  const refusals = new Refusals(3)
  const one = {
    atMs: 1,
    method: 'GET',
    resource: '/b',
    code: 'AccessDenied',
    message: 'no',
    ...new RequestTrail().facts(),
  }
  for (const requestId of ['1', '2', '3', '4']) refusals.note({ ...one, requestId })
  assert.deepEqual(
    ['1', '2', '3', '4'].filter((id) => refusals.find(id) !== undefined),
    ['2', '3', '4'],
  )
})

test('RequestTrail.note() keeps a sentence for each question, to a bound', () => {
  const trail = new RequestTrail()
  const decision = { isAllowed: false, reason: 'nothing-allows' } as const
  for (let count = 0; count < 40; count++) {
    trail.note({ action: 's3:DeleteObject', resource: `arn:aws:s3:::b/${count}`, decision })
  }
  assert.equal(trail.facts().reasons.length, 16)
  assert.match(trail.facts().reasons[0] ?? '', /s3:DeleteObject on arn:aws:s3:::b\/0 was refused/)
})
