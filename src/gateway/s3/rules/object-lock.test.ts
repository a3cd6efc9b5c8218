import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  checkHasObjectLock,
  checkObjectLockConfiguration,
  checkRemoval,
  checkRetention,
  checkRetentionChange,
  lockOfNewVersion,
  parseLegalHold,
  type Retention,
  type RetentionMode,
} from './object-lock.ts'
import { S3Error } from './s3-error.ts'

const nowMs = Date.UTC(2026, 4, 7)
const day = 24 * 3600 * 1000
const asking = { nowMs, bypassGovernance: false }
const bypassing = { nowMs, bypassGovernance: true }

function code(run: () => unknown): string {
  try {
    run()
    return 'goes on'
  } catch (error) {
    assert.ok(error instanceof S3Error)
    return error.code
  }
}

const until = (mode: RetentionMode, days: number): Retention => ({ mode, retainUntilMs: nowMs + days * day })

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

test('checkRemoval() lets nobody remove what is locked', () => {
  const removal = (retention: Retention | undefined, hasLegalHold: boolean, request = asking) =>
    code(() => checkRemoval({ hasLegalHold, ...(retention && { retention }) }, request))
  assert.equal(removal(undefined, false), 'goes on')
  assert.equal(removal(undefined, true, bypassing), 'AccessDenied')
  assert.equal(removal(until('GOVERNANCE', 1), false), 'AccessDenied')
  assert.equal(removal(until('GOVERNANCE', 1), false, bypassing), 'goes on')
  assert.equal(removal(until('GOVERNANCE', 1), true, bypassing), 'AccessDenied')
  assert.equal(removal(until('COMPLIANCE', 1), false, bypassing), 'AccessDenied')
  assert.equal(removal(until('COMPLIANCE', 0), false), 'goes on')
  assert.equal(removal(until('GOVERNANCE', -1), false), 'goes on')
})

test('checkRetentionChange() lets a retention grow, and shrink only for who may bypass it', () => {
  const change = (from: Retention, to: Retention | undefined, request = asking) =>
    code(() => checkRetentionChange({ retention: from, hasLegalHold: false }, to, request))
  assert.equal(change(until('GOVERNANCE', 2), until('GOVERNANCE', 4)), 'goes on')
  assert.equal(change(until('GOVERNANCE', 4), until('GOVERNANCE', 2)), 'AccessDenied')
  assert.equal(change(until('GOVERNANCE', 4), until('GOVERNANCE', 2), bypassing), 'goes on')
  assert.equal(change(until('GOVERNANCE', 2), until('COMPLIANCE', 4)), 'AccessDenied')
  assert.equal(change(until('GOVERNANCE', 2), until('COMPLIANCE', 4), bypassing), 'goes on')
  assert.equal(change(until('GOVERNANCE', 2), undefined), 'AccessDenied')
  assert.equal(change(until('GOVERNANCE', 2), undefined, bypassing), 'goes on')
  assert.equal(change(until('COMPLIANCE', 2), until('COMPLIANCE', 4)), 'goes on')
  assert.equal(change(until('COMPLIANCE', 4), until('COMPLIANCE', 2), bypassing), 'AccessDenied')
  assert.equal(change(until('COMPLIANCE', 2), until('GOVERNANCE', 4), bypassing), 'AccessDenied')
  assert.equal(change(until('COMPLIANCE', 2), undefined, bypassing), 'AccessDenied')
  assert.equal(change(until('COMPLIANCE', -2), until('GOVERNANCE', 4)), 'goes on')
})

test('no sequence of changes lets a compliance retention end early', () => {
  const step = fc.record({
    bypassGovernance: fc.boolean(),
    next: fc.option(
      fc.record({ mode: fc.constantFrom<RetentionMode>('GOVERNANCE', 'COMPLIANCE'), retainUntilMs: fc.nat(200) }),
      { nil: undefined },
    ),
    nowMs: fc.nat(90),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20, size: 'max' }), (steps) => {
      let retention: Retention | undefined = { mode: 'COMPLIANCE', retainUntilMs: 100 }
      for (const { next, ...request } of steps) {
        const lock = { hasLegalHold: false, ...(retention && { retention }) }
        if (code(() => checkRetentionChange(lock, next, request)) === 'goes on') retention = next
        const left = { hasLegalHold: false, ...(retention && { retention }) }
        assert.equal(
          code(() => checkRemoval(left, { nowMs: 99, bypassGovernance: true })),
          'AccessDenied',
        )
      }
    }),
  )
})

test('lockOfNewVersion() takes headers, else the default of the bucket', () => {
  const lock = (headers: Record<string, string>, configuration?: object) =>
    lockOfNewVersion(headers, { configuration, nowMs })
  const mode = { 'x-amz-object-lock-mode': 'COMPLIANCE' }
  const date = { 'x-amz-object-lock-retain-until-date': '2026-05-09T00:00:00Z' }
  const byDays = { defaultRetention: { mode: 'GOVERNANCE', days: 1 } }
  assert.deepEqual(lock({}), {})
  assert.deepEqual(lock({}, {}), {})
  assert.deepEqual(lock({}, byDays), { retention: until('GOVERNANCE', 1) })
  assert.deepEqual(lock({ ...mode, ...date }, byDays), { retention: until('COMPLIANCE', 2) })
  assert.deepEqual(lock({ 'x-amz-object-lock-legal-hold': 'ON' }, {}), { hasLegalHold: true })
  assert.deepEqual(lock({ 'x-amz-object-lock-legal-hold': 'OFF' }, {}), { hasLegalHold: false })
  assert.deepEqual(lock({}, { defaultRetention: { mode: 'GOVERNANCE', years: 2 } }).retention, {
    mode: 'GOVERNANCE',
    retainUntilMs: Date.UTC(2028, 4, 7),
  })
  for (const headers of [{ ...mode, ...date }, mode, { 'x-amz-object-lock-legal-hold': 'OFF' }]) {
    assert.equal(
      code(() => lock(headers)),
      'InvalidRequest',
    )
  }
  for (const headers of [mode, date, { ...mode, 'x-amz-object-lock-retain-until-date': 'later' }]) {
    assert.equal(
      code(() => lock(headers, {})),
      'InvalidArgument',
    )
  }
  assert.equal(
    code(() => lock({ 'x-amz-object-lock-legal-hold': 'on' }, {})),
    'InvalidArgument',
  )
  assert.equal(
    code(() => checkHasObjectLock(undefined)),
    'InvalidRequest',
  )
  checkHasObjectLock({})
})
