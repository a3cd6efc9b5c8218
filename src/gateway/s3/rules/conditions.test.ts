import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  type ConditionTarget,
  checkCopySource,
  checkDelete,
  checkRead,
  checkWrite,
  copySourceConditionsOf,
  type DeleteConditions,
  deleteConditionsOf,
  type ReadConditions,
  readConditionsOf,
  type WriteConditions,
  writeConditionsOf,
} from './conditions.ts'
import { S3Error } from './s3-error.ts'
import { formatHttpDate } from './timestamps.ts'

const modifiedMs = Date.UTC(2026, 4, 7, 12, 0, 0, 700)
const object: ConditionTarget = { eTag: 'abc-2', lastModifiedMs: modifiedMs, sizeBytes: 5, isDeleteMarker: false }
const marker: ConditionTarget = { eTag: '', lastModifiedMs: modifiedMs, sizeBytes: 0, isDeleteMarker: true }
const before = formatHttpDate(modifiedMs - 5000)
const same = formatHttpDate(modifiedMs)
const after = formatHttpDate(modifiedMs + 5000)

function outcome(run: () => unknown): unknown {
  try {
    return run() ?? 'goes on'
  } catch (error) {
    assert.ok(error instanceof S3Error)
    return error.status
  }
}
const read = (conditions: ReadConditions) => outcome(() => checkRead(conditions, object))
const copy = (conditions: ReadConditions) => outcome(() => checkCopySource(conditions, object))
const write = (conditions: WriteConditions, current?: ConditionTarget) => outcome(() => checkWrite(conditions, current))
const remove = (conditions: DeleteConditions, target?: ConditionTarget) =>
  outcome(() => checkDelete(conditions, target))

test('checkRead() answers one condition as S3 does', () => {
  assert.equal(read({}), 'send')
  assert.equal(read({ ifMatch: '"abc-2"' }), 'send')
  assert.equal(read({ ifMatch: '"other"' }), 412)
  assert.equal(read({ ifNoneMatch: '"abc-2"' }), 'not-modified')
  assert.equal(read({ ifNoneMatch: '"other"' }), 'send')
  assert.equal(read({ ifModifiedSince: before }), 'send')
  assert.equal(read({ ifModifiedSince: same }), 'not-modified')
  assert.equal(read({ ifModifiedSince: after }), 'not-modified')
  assert.equal(read({ ifUnmodifiedSince: before }), 412)
  assert.equal(read({ ifUnmodifiedSince: same }), 'send')
  assert.equal(read({ ifUnmodifiedSince: after }), 'send')
})

test('checkRead() lets an entity tag beat the date of its kind', () => {
  assert.equal(read({ ifMatch: '"abc-2"', ifUnmodifiedSince: before }), 'send')
  assert.equal(read({ ifMatch: '"other"', ifUnmodifiedSince: after }), 412)
  assert.equal(read({ ifNoneMatch: '"abc-2"', ifModifiedSince: before }), 'not-modified')
  assert.equal(read({ ifNoneMatch: '"other"', ifModifiedSince: after }), 'send')
  assert.equal(read({ ifMatch: '"other"', ifNoneMatch: '"abc-2"' }), 412)
  assert.equal(read({ ifMatch: '"abc-2"', ifModifiedSince: after }), 'not-modified')
})

test('checkRead() takes lists, stars, missing quotes and weak tags', () => {
  for (const tags of ['abc-2', '"x", "abc-2"', '"x","abc-2","y"', '*', ' "abc-2" ']) {
    assert.equal(read({ ifMatch: tags }), 'send', tags)
    assert.equal(read({ ifNoneMatch: tags }), 'not-modified', tags)
  }
  assert.equal(read({ ifMatch: 'W/"abc-2"' }), 412)
  assert.equal(read({ ifNoneMatch: 'W/"abc-2"' }), 'not-modified')
  assert.equal(read({ ifMatch: '' }), 412)
})

test('checkRead() ignores a date that is none', () => {
  for (const date of ['yesterday', '0', '2020-01-01']) {
    assert.equal(read({ ifModifiedSince: date, ifUnmodifiedSince: date }), 'send')
  }
})

test('checkRead() follows the steps of RFC 9110 for every combination', () => {
  const tag = fc.constantFrom('"abc-2"', '"other"', '*')
  const date = fc.constantFrom(before, same, after, 'never')
  const any = fc.record(
    { ifMatch: tag, ifNoneMatch: tag, ifModifiedSince: date, ifUnmodifiedSince: date },
    { requiredKeys: [] },
  )
  const matches = (value: string) => value !== '"other"'
  fc.assert(
    fc.property(any, ({ ifMatch, ifNoneMatch, ifModifiedSince, ifUnmodifiedSince }) => {
      const isGone = ifMatch === undefined ? ifUnmodifiedSince === before : !matches(ifMatch)
      const isKnown =
        ifNoneMatch === undefined ? ifModifiedSince === same || ifModifiedSince === after : matches(ifNoneMatch)
      const conditions = Object.fromEntries(
        Object.entries({ ifMatch, ifNoneMatch, ifModifiedSince, ifUnmodifiedSince }).filter(([, v]) => v !== undefined),
      )
      assert.equal(read(conditions), isGone ? 412 : isKnown ? 'not-modified' : 'send')
      // A copy has no 304.
      assert.equal(copy(conditions), isGone || isKnown ? 412 : 'goes on')
    }),
    { numRuns: 500 },
  )
})

test('checkWrite() holds a write to the current object', () => {
  assert.equal(write({}, object), 'goes on')
  assert.equal(write({ ifNoneMatch: '*' }), 'goes on')
  assert.equal(write({ ifNoneMatch: '*' }, object), 412)
  assert.equal(write({ ifNoneMatch: '*' }, marker), 'goes on')
  assert.equal(write({ ifNoneMatch: '"abc-2"' }, object), 412)
  assert.equal(write({ ifNoneMatch: 'badetag' }, object), 'goes on')
  assert.equal(write({ ifMatch: 'abc-2' }, object), 'goes on')
  assert.equal(write({ ifMatch: '*' }, object), 'goes on')
  assert.equal(write({ ifMatch: 'W/"abc-2"' }, object), 412)
  assert.equal(write({ ifNoneMatch: 'W/"abc-2"' }, object), 412)
  assert.equal(write({ ifMatch: 'badetag' }, object), 412)
  for (const ifMatch of ['*', 'badetag', '""', '']) {
    assert.equal(write({ ifMatch }), 404)
    assert.equal(write({ ifMatch }, marker), 404)
  }
})

test('checkDelete() holds a delete to what it would remove', () => {
  assert.equal(remove({ ifMatch: 'badetag' }, object), 412)
  assert.equal(remove({ ifMatch: '"abc-2"' }, object), 'goes on')
  assert.equal(remove({ ifMatch: '*' }, object), 'goes on')
  assert.equal(remove({ ifMatch: 'W/"abc-2"' }, object), 412)
  assert.equal(remove({ ifMatch: '*' }), 'goes on')
  assert.equal(remove({ ifMatch: 'badetag' }), 'goes on')
  assert.equal(remove({ ifMatch: '*' }, marker), 'goes on')
  assert.equal(remove({ ifMatch: 'badetag' }, marker), 412)
  assert.equal(remove({ ifMatch: '""' }, marker), 412)
  assert.equal(remove({ ifMatchSize: '5' }, object), 'goes on')
  assert.equal(remove({ ifMatchSize: '6' }, object), 412)
  assert.equal(remove({ ifMatchSize: 'many' }, object), 400)
  assert.equal(remove({ ifMatchLastModifiedTime: same }, object), 'goes on')
  assert.equal(remove({ ifMatchLastModifiedTime: before }, marker), 412)
  assert.equal(remove({ ifMatchLastModifiedTime: 'noon' }), 400)
  assert.equal(remove({ ifMatch: '*', ifMatchSize: '6' }, object), 412)
})

test('the conditions come from their headers, and only from theirs', () => {
  const headers = {
    'if-match': '"a"',
    'if-none-match': ['"b"', '"c"'],
    'x-amz-copy-source-if-match': '"d"',
    'x-amz-copy-source-if-unmodified-since': same,
    'x-amz-if-match-size': '7',
  }
  assert.deepEqual(readConditionsOf(headers), { ifMatch: '"a"', ifNoneMatch: '"b", "c"' })
  assert.deepEqual(writeConditionsOf(headers), { ifMatch: '"a"', ifNoneMatch: '"b", "c"' })
  assert.deepEqual(copySourceConditionsOf(headers), { ifMatch: '"d"', ifUnmodifiedSince: same })
  assert.deepEqual(deleteConditionsOf(headers), { ifMatch: '"a"', ifMatchSize: '7' })
})
