import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  checkHasObjectLock,
  checkObjectLockConfiguration,
  checkRetention,
  lockOfNewVersion,
  parseLegalHold,
} from './object-lock.ts'
import { S3Error } from './s3-error.ts'

const nowMs = Date.UTC(2026, 4, 7)

function code(run: () => unknown): string {
  try {
    run()
    return 'goes on'
  } catch (error) {
    assert.ok(error instanceof S3Error)
    return error.code
  }
}

test('checkObjectLockConfiguration() wants versions, one period and a mode', () => {
  const enabled = { objectLockEnabled: 'Enabled' }
  const rule = { mode: 'GOVERNANCE', days: '1' }
  assert.deepEqual(checkObjectLockConfiguration(enabled, 'enabled'), {})
  assert.deepEqual(checkObjectLockConfiguration({ ...enabled, rule }, 'enabled'), {
    defaultRetention: { mode: 'GOVERNANCE', days: 1 },
  })
  assert.deepEqual(checkObjectLockConfiguration({ ...enabled, rule: { mode: 'COMPLIANCE', years: '3' } }, 'enabled'), {
    defaultRetention: { mode: 'COMPLIANCE', years: 3 },
  })
  const check = (change: object, versioning: 'off' | 'suspended' | 'enabled' = 'enabled') =>
    code(() => checkObjectLockConfiguration({ ...enabled, rule: { ...rule, ...change } }, versioning))
  assert.equal(check({}, 'off'), 'InvalidBucketState')
  assert.equal(check({}, 'suspended'), 'InvalidBucketState')
  assert.equal(check({ years: '1' }), 'MalformedXML')
  assert.equal(check({ days: undefined }), 'MalformedXML')
  assert.equal(check({ days: '0' }), 'InvalidRetentionPeriod')
  assert.equal(check({ days: undefined, years: '-1' }), 'InvalidRetentionPeriod')
  assert.equal(check({ days: '36501' }), 'InvalidRetentionPeriod')
  assert.equal(check({ days: 'one' }), 'MalformedXML')
  assert.equal(check({ mode: 'governance' }), 'MalformedXML')
  assert.equal(check({ mode: 'abc' }), 'MalformedXML')
  assert.equal(
    code(() => checkObjectLockConfiguration({ objectLockEnabled: 'Disabled' }, 'enabled')),
    'MalformedXML',
  )
})

test('checkRetention() and parseLegalHold() read what a client sends', () => {
  assert.deepEqual(checkRetention({ mode: 'GOVERNANCE', retainUntilDate: '2140-01-01T00:00:00Z' }, nowMs), {
    mode: 'GOVERNANCE',
    retainUntilMs: Date.UTC(2140, 0, 1),
  })
  const check = (mode?: string, retainUntilDate?: string) =>
    code(() => checkRetention({ mode, retainUntilDate }, nowMs))
  assert.equal(check('governance', '2140-01-01T00:00:00Z'), 'MalformedXML')
  assert.equal(check('GOVERNANCE'), 'MalformedXML')
  assert.equal(check('GOVERNANCE', 'later'), 'MalformedXML')
  assert.equal(check('GOVERNANCE', '2026-05-07T00:00:00Z'), 'InvalidArgument')
  assert.ok(parseLegalHold('ON'))
  assert.ok(!parseLegalHold('OFF'))
  assert.equal(
    code(() => parseLegalHold('abc')),
    'MalformedXML',
  )
})

test('lockOfNewVersion() takes what the headers say, whole and where the bucket has object lock', () => {
  const lock = (headers: Record<string, string>, hasObjectLock = true) =>
    lockOfNewVersion(headers, { hasObjectLock, nowMs })
  const mode = { 'x-amz-object-lock-mode': 'COMPLIANCE' }
  const date = { 'x-amz-object-lock-retain-until-date': '2026-05-09T00:00:00Z' }
  assert.deepEqual(lock({}), {})
  assert.deepEqual(lock({}, false), {})
  assert.deepEqual(lock({ ...mode, ...date }), {
    retention: { mode: 'COMPLIANCE', retainUntilMs: Date.UTC(2026, 4, 9) },
  })
  assert.deepEqual(lock({ 'x-amz-object-lock-legal-hold': 'ON' }), { hasLegalHold: true })
  assert.deepEqual(lock({ 'x-amz-object-lock-legal-hold': 'OFF' }), { hasLegalHold: false })
  for (const headers of [{ ...mode, ...date }, mode, { 'x-amz-object-lock-legal-hold': 'OFF' }]) {
    assert.equal(
      code(() => lock(headers, false)),
      'InvalidRequest',
    )
  }
  const badHold = { 'x-amz-object-lock-legal-hold': 'on' }
  for (const headers of [mode, date, { ...mode, 'x-amz-object-lock-retain-until-date': 'later' }, badHold]) {
    assert.equal(
      code(() => lock(headers)),
      'InvalidArgument',
    )
  }
  assert.equal(
    code(() => checkHasObjectLock(false)),
    'InvalidRequest',
  )
  checkHasObjectLock(true)
})
