import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LifecycleRule } from '../../../../base/lifecycle-rule.ts'
import { expirationHeader } from './expiration-header.ts'

const start = Date.UTC(2026, 4, 7, 15)

function rule(change: Partial<LifecycleRule>): LifecycleRule {
  return { id: 'r', isEnabled: true, filter: { prefix: '', tags: new Map() }, ...change }
}

test('expirationHeader() tells the earliest expiry and its rule', () => {
  const object = { key: 'k', lastModifiedMs: start, sizeBytes: 1, tags: new Map() }
  const later = rule({ id: 'later', expiration: { kind: 'days', days: 7 } })
  const sooner = rule({ id: 'a "b"', expiration: { kind: 'days', days: 1 } })
  assert.equal(
    expirationHeader([later, sooner], object),
    'expiry-date="Sat, 09 May 2026 00:00:00 GMT", rule-id="a%20%22b%22"',
  )
  assert.equal(expirationHeader([{ ...later, isEnabled: false }], object), undefined)
  assert.equal(expirationHeader([{ ...later, filter: { prefix: 'x', tags: new Map() } }], object), undefined)
  assert.equal(expirationHeader([rule({ expiration: { kind: 'lone-marker' } })], object), undefined)
})
