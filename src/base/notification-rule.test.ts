import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventPath, parseExpiryEvent, parseStoredRules, ruleMatches } from './notification-rule.ts'

test('ruleMatches() by event, prefix and suffix', () => {
  const rule = {
    id: 'a',
    webhook: 'h',
    events: ['s3:ObjectCreated:*', 's3:ObjectRemoved:Delete'],
    prefix: 'in/',
    suffix: '.csv',
  }
  assert.ok(ruleMatches(rule, { event: 'ObjectCreated:Put', key: 'in/a.csv' }))
  assert.ok(ruleMatches(rule, { event: 'ObjectCreated:CompleteMultipartUpload', key: 'in/a.csv' }))
  assert.ok(ruleMatches(rule, { event: 'ObjectRemoved:Delete', key: 'in/a.csv' }))
  assert.ok(!ruleMatches(rule, { event: 'ObjectRemoved:DeleteMarkerCreated', key: 'in/a.csv' }))
  assert.ok(!ruleMatches(rule, { event: 'ObjectCreated:Put', key: 'out/a.csv' }))
  assert.ok(!ruleMatches(rule, { event: 'ObjectCreated:Put', key: 'in/a.txt' }))
})

test('ruleMatches() keeps what lifecycle removes apart from what requests remove', () => {
  const rule = { id: 'a', webhook: 'h', events: ['s3:ObjectRemoved:*'], prefix: '', suffix: '' }
  assert.ok(!ruleMatches(rule, { event: 'LifecycleExpiration:Delete', key: 'k' }))
  const expiry = { ...rule, events: ['s3:LifecycleExpiration:*'] }
  assert.ok(ruleMatches(expiry, { event: 'LifecycleExpiration:Delete', key: 'k' }))
  assert.ok(ruleMatches(expiry, { event: 'LifecycleExpiration:DeleteMarkerCreated', key: 'k' }))
  assert.ok(!ruleMatches(expiry, { event: 'ObjectRemoved:Delete', key: 'k' }))
})

test('eventPath() sorts by time', () => {
  const paths = [5, 40, 1_700_000_000_000].map((atMs) => eventPath('hook', { atMs, unique: 'f' }))
  assert.deepEqual([...paths].sort(), paths)
  assert.equal(paths[2], '/.s3/events/hook/001700000000000-f')
})

test('parseStoredRules(), parseExpiryEvent() take nothing that is something else', () => {
  for (const text of ['', '{', '{}', '"x"', 'null', '[null, {}, {"webhook":"../x"}]']) {
    assert.deepEqual(parseStoredRules(text), [])
    assert.equal(parseExpiryEvent(text), undefined)
  }
  const rule = { id: 'a', webhook: 'hook', events: ['s3:*'], prefix: '', suffix: '' }
  assert.deepEqual(parseStoredRules(JSON.stringify([{ ...rule, webhook: 'a/b' }, rule, { ...rule, events: [1] }])), [
    rule,
  ])
  assert.equal(parseExpiryEvent('{"version":2}'), undefined)
  assert.equal(parseExpiryEvent('{"version":1,"key":"k"}')?.key, 'k')
})
