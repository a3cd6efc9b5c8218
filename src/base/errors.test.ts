import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AssertionError, assert as assertThat, unreachable } from './assert.ts'
import { type ErrorCode, type ErrorRow, errorCodeOf, errorTable } from './error-table.ts'
import { AshlarError, isAshlarError, toAshlarError } from './errors.ts'

const rows = Object.entries(errorTable) as [ErrorCode, ErrorRow][]

test('errorTable numbers are unique, fit in a byte pair, and lead back to their codes', () => {
  const numbers = rows.map(([, { number }]) => number)
  assert.equal(new Set(numbers).size, numbers.length)
  for (const [code, { number }] of rows) {
    assert.ok(Number.isInteger(number) && number > 0 && number < 2 ** 16)
    assert.equal(errorCodeOf(number), code)
  }
})

// The numbers are on the wire: a change here is a break of the protocol.
test('errorTable numbers never change', () => {
  const numbers = Object.fromEntries(rows.map(([code, { number }]) => [number, code]))
  const published = {
    1: 'invalid-argument',
    3: 'not-found',
    4: 'already-exists',
    8: 'changed',
    20: 'unauthenticated',
    30: 'no-space',
    40: 'unavailable',
    41: 'timeout',
    50: 'corrupt',
    52: 'disk-failed',
    60: 'stale-epoch',
    71: 'commit-unknown',
    80: 'protocol',
    99: 'internal',
  }
  assert.deepEqual({ ...numbers, ...published }, numbers)
})

test('errorCodeOf() takes a number that only a newer peer knows as internal', () => {
  assert.equal(errorCodeOf(65_535), 'internal')
  assert.equal(errorCodeOf(0), 'internal')
})

test('errorTable rows are consistent', () => {
  for (const [code, { retry, applied, exit, http, s3, meaning }] of rows) {
    assert.match(code, /^[a-z]+(-[a-z]+)*$/)
    assert.ok(http >= 400 && http < 600, code)
    assert.match(s3, /^[A-Z][A-Za-z]+$/, code)
    assert.match(meaning, /^[A-Z].*[^.]\.$/, code)
    // What may have been applied must not be repeated blindly, and what was not may be repeated or never helps.
    assert.equal(retry === 'if-idempotent', applied === 'unknown', code)
    if (exit === 5) assert.ok(http >= 500 || code === 'token-expired', code)
  }
})

test('AshlarError takes retry and applied from the table, unless the instance knows better', () => {
  const plain = new AshlarError('timeout', 'Cannot read /a: no answer')
  assert.deepEqual([plain.retry, plain.applied, plain.name], ['if-idempotent', 'unknown', 'AshlarError'])
  assert.deepEqual(plain.details, {})
  assert.ok(!('cause' in plain))
  const cause = new Error('below')
  const better = new AshlarError('timeout', 'x', { cause, retry: 'later', applied: 'no', details: { version: 7 } })
  assert.deepEqual([better.retry, better.applied, better.cause], ['later', 'no', cause])
  assert.deepEqual(better.details, { version: 7 })
})

test('isAshlarError() asks for any or for some of the codes', () => {
  const error = new AshlarError('not-found', 'x')
  assert.ok(isAshlarError(error))
  assert.ok(isAshlarError(error, 'corrupt', 'not-found'))
  assert.ok(!isAshlarError(error, 'corrupt'))
  assert.ok(!isAshlarError(new Error('x')))
  assert.ok(!isAshlarError({ code: 'not-found' }, 'not-found'))
})

test('toAshlarError() keeps ours, and wraps any other thrown value as internal with its cause', () => {
  const ours = new AshlarError('busy', 'x')
  assert.equal(toAshlarError(ours), ours)
  for (const thrown of [new TypeError('bad'), 'bad', undefined, null]) {
    const error = toAshlarError(thrown, 'put /a')
    assert.equal(error.code, 'internal')
    assert.match(error.message, /^Cannot put \/a: (bad|undefined|null)$/)
    assert.equal(error.cause, thrown)
  }
})

test('assert() throws in production too, with what does not hold', () => {
  assertThat(1)
  assert.throws(() => assertThat(false, 'epoch went back'), { name: 'AssertionError', message: 'epoch went back' })
  assert.throws(() => unreachable('x' as never), AssertionError)
})
