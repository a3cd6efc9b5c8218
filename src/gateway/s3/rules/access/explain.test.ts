import assert from 'node:assert/strict'
import { test } from 'node:test'
import { explainDecision } from './explain.ts'

test('explainDecision() names the rule and the statement that decided', () => {
  const asked = { action: 's3:GetObject', resource: 'arn:aws:s3:::b/key' }
  assert.equal(
    explainDecision({ isAllowed: false, reason: 'bucket-policy', statement: 'no' }, asked),
    `s3:GetObject on arn:aws:s3:::b/key was refused: the bucket's policy says so (statement "no")`,
  )
  assert.equal(
    explainDecision({ isAllowed: true, reason: 'owner' }, asked),
    's3:GetObject on arn:aws:s3:::b/key was allowed: it was asked by the owner',
  )
})
