import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { filterMatches } from '../../../../base/lifecycle-rule.ts'
import { S3Error, type S3ErrorCode } from '../s3-error.ts'
import { checkLifecycleRules, lifecycleMaxRules, type RawLifecycleRule } from './lifecycle-rule.ts'

const good: RawLifecycleRule = { id: 'rule1', status: 'Enabled', prefix: 'test1/', expiration: { days: '2' } }

function check(...changes: readonly object[]) {
  let made = 0
  return checkLifecycleRules(
    changes.map((change) => ({ ...good, ...change })),
    () => `made ${++made}`,
  )
}

const refuses = (code: S3ErrorCode, ...changes: readonly object[]) =>
  assert.throws(
    () => check(...changes),
    (error) => error instanceof S3Error && error.code === code,
    JSON.stringify(changes),
  )

test('checkLifecycleRules() takes what S3 takes', () => {
  assert.deepEqual(check({}), [
    {
      id: 'rule1',
      isEnabled: true,
      filter: { prefix: 'test1/', tags: new Map() },
      hasOldForm: true,
      expiration: { kind: 'days', days: 2 },
    },
  ])
  const byFilter = {
    prefix: undefined,
    filter: { and: { prefix: 'a', tags: [{ key: 'k', value: 'v' }], objectSizeLessThan: '9' } },
  }
  assert.deepEqual(check(byFilter)[0]?.filter, { prefix: 'a', tags: new Map([['k', 'v']]), sizeLessThanBytes: 9 })
  assert.deepEqual(check({ prefix: undefined, filter: {} })[0]?.filter, { prefix: '', tags: new Map() })
  assert.deepEqual(check({ expiration: { date: '2017-09-27' } })[0]?.expiration, {
    kind: 'date',
    dateMs: Date.UTC(2017, 8, 27),
  })
  const more = {
    expiration: { expiredObjectDeleteMarker: 'true' },
    noncurrentVersionExpiration: { noncurrentDays: '3', newerNoncurrentVersions: '5' },
    abortIncompleteMultipartUpload: { daysAfterInitiation: '7' },
  }
  assert.deepEqual(check({ status: 'Disabled', ...more }), [
    {
      id: 'rule1',
      isEnabled: false,
      filter: { prefix: 'test1/', tags: new Map() },
      hasOldForm: true,
      expiration: { kind: 'lone-marker' },
      noncurrent: { days: 3, newerVersionsKept: 5 },
      abortUploadsAfterDays: 7,
    },
  ])
})

test('checkLifecycleRules() names rules that have no id', () => {
  assert.deepEqual(
    check({ id: undefined }, { id: '' }, {}).map(({ id }) => id),
    ['made 1', 'made 2', 'rule1'],
  )
})

test('checkLifecycleRules() refuses what S3 refuses', () => {
  refuses('MalformedXML')
  refuses('MalformedXML', ...Array.from({ length: lifecycleMaxRules + 1 }, (_, index) => ({ id: `r${index}` })))
  assert.equal(check({ id: 'a'.repeat(255) }).length, 1)
  refuses('InvalidArgument', { id: 'a'.repeat(256) })
  refuses('InvalidArgument', {}, {})
  for (const status of ['enabled', 'disabled', 'invalid', '']) refuses('MalformedXML', { status })
  refuses('MalformedXML', { filter: {} })
  refuses('MalformedXML', { prefix: undefined })
  refuses('InvalidRequest', { expiration: undefined })
  refuses('InvalidArgument', { expiration: { days: '0' } })
  refuses('InvalidArgument', { expiration: { days: '-1' } })
  refuses('MalformedXML', { expiration: { days: 'many' } })
  refuses('MalformedXML', { expiration: {} })
  refuses('MalformedXML', { expiration: { days: '1', date: '2017-09-27' } })
  refuses('MalformedXML', { expiration: { date: '20200101' } })
  refuses('InvalidArgument', { expiration: { date: '2020-01-01T12:00:00Z' } })
  refuses('MalformedXML', { expiration: { expiredObjectDeleteMarker: 'false' } })
  refuses('MalformedXML', { prefix: undefined, filter: { prefix: 'a', and: { prefix: 'b' } } })
  refuses('MalformedXML', { prefix: undefined, filter: { objectSizeLessThan: 'x' } })
  refuses('InvalidRequest', { prefix: undefined, filter: { objectSizeLessThan: '5', objectSizeGreaterThan: '5' } })
  refuses('MalformedXML', { noncurrentVersionExpiration: {} })
  refuses('InvalidArgument', { noncurrentVersionExpiration: { noncurrentDays: '1', newerNoncurrentVersions: '101' } })
  refuses('InvalidArgument', { noncurrentVersionExpiration: { noncurrentDays: '0' } })
  const tagged = { prefix: undefined, filter: { tags: [{ key: 'a', value: 'b' }] } }
  refuses('InvalidRequest', { ...tagged, abortIncompleteMultipartUpload: { daysAfterInitiation: '1' } })
  refuses('InvalidRequest', { ...tagged, expiration: { expiredObjectDeleteMarker: 'true' } })
  refuses('MalformedXML', { transitions: [{ date: '20220927' }] })
  refuses('NotImplemented', { transitions: [{ days: '1' }] })
})

test('filterMatches() wants everything that is given', () => {
  const tags = fc.dictionary(fc.constantFrom('a', 'b'), fc.constantFrom('1', '2'), { noNullPrototype: true })
  const size = fc.option(fc.nat(5), { nil: undefined })
  const key = fc.stringMatching(/^[ab]{1,3}$/)
  fc.assert(
    fc.property(fc.stringMatching(/^[ab]{0,2}$/), tags, size, size, key, fc.nat(5), tags, (...given) => {
      const [prefix, wanted, greater, less, name, sizeBytes, has] = given
      const filter = {
        prefix,
        tags: new Map(Object.entries(wanted)),
        ...(greater !== undefined && { sizeGreaterThanBytes: greater }),
        ...(less !== undefined && { sizeLessThanBytes: less }),
      }
      const expected =
        name.indexOf(prefix) === 0 &&
        Object.entries(wanted).every(([tag, value]) => has[tag] === value) &&
        !(greater !== undefined && sizeBytes <= greater) &&
        !(less !== undefined && sizeBytes >= less)
      assert.equal(filterMatches(filter, { key: name, sizeBytes, tags: new Map(Object.entries(has)) }), expected)
    }),
    { numRuns: 1000 },
  )
})
