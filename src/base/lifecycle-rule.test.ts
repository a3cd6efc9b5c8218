import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatLifecycle, type LifecycleRule, parseLifecycle, parseTags, uploadKey } from './lifecycle-rule.ts'

const rule: LifecycleRule = {
  id: 'r',
  isEnabled: true,
  filter: { prefix: 'p/', tags: new Map([['k', 'v']]), sizeGreaterThanBytes: 5 },
  expiration: { kind: 'days', days: 3 },
}

test('formatLifecycle() and parseLifecycle() give rules back as they were', () => {
  assert.deepEqual(parseLifecycle(formatLifecycle([rule])), [rule])
})

test('what is no rule, no tags and no upload is nothing', () => {
  for (const text of ['', '{}', '[{}]', '[null]', '[{"id":"r"}]']) assert.equal(parseLifecycle(text), undefined, text)
  assert.equal(parseTags('[').size, 0)
  assert.equal(parseTags(undefined).size, 0)
  assert.deepEqual([...parseTags('{"a":"b"}')], [['a', 'b']])
  assert.equal(uploadKey('{"key":"k"}'), 'k')
  assert.equal(uploadKey('null'), undefined)
})
