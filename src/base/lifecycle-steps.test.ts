import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { LifecycleRule } from './lifecycle-rule.ts'
import { type LifecycleVersion, lifecycleSteps, uploadExpiry } from './lifecycle-steps.ts'

const day = 24 * 3600 * 1000
const start = Date.UTC(2026, 4, 7, 15)
const midnight = Date.UTC(2026, 4, 8)

function rule(change: Partial<LifecycleRule>): LifecycleRule {
  return { id: 'r', isEnabled: true, filter: { prefix: '', tags: new Map() }, ...change }
}

function version(versionId: string, lastModifiedMs: number, change: Partial<LifecycleVersion> = {}): LifecycleVersion {
  return { versionId, isDeleteMarker: false, lastModifiedMs, sizeBytes: 1, tags: new Map(), ...change }
}

function steps(rules: readonly LifecycleRule[], versions: readonly LifecycleVersion[], nowMs: number): string[] {
  return lifecycleSteps(rules, { key: 'k', versions }, { nowMs }).map(({ kind, versionId }) => `${kind} ${versionId}`)
}

const afterOneDay = rule({ expiration: { kind: 'days', days: 1 } })

test('lifecycleSteps() removes the current version at the midnight after its days', () => {
  const versions = [version('null', start)]
  assert.deepEqual(steps([afterOneDay], versions, midnight + day - 1), [])
  assert.deepEqual(steps([afterOneDay], versions, midnight + day), ['delete null'])
  assert.deepEqual(steps([{ ...afterOneDay, isEnabled: false }], versions, midnight + 9 * day), [])
  // What was made at midnight is a day old at the next one.
  assert.deepEqual(steps([afterOneDay], [version('null', midnight)], midnight + day), ['delete null'])
})

test('lifecycleSteps() never acts before the days are over', () => {
  fc.assert(
    fc.property(fc.nat(10 * day), fc.integer({ min: 1, max: 5 }), fc.nat(20 * day), (made, days, now) => {
      const [step] = steps([rule({ expiration: { kind: 'days', days } })], [version('null', made)], now)
      if (step !== undefined) assert.ok(now - made >= days * day)
      else assert.ok(now - made < (days + 1) * day)
    }),
  )
})

test('lifecycleSteps() goes by a date', () => {
  const byDate = rule({ expiration: { kind: 'date', dateMs: midnight } })
  assert.deepEqual(steps([byDate], [version('null', start)], midnight - 1), [])
  assert.deepEqual(steps([byDate], [version('null', start)], midnight), ['delete null'])
})

test('lifecycleSteps() counts the days of a noncurrent version from its successor', () => {
  const old = rule({ noncurrent: { days: 1, newerVersionsKept: 0 } })
  const versions = [version('v3', start + 5 * day), version('v2', start), version('v1', start - 9 * day)]
  assert.deepEqual(steps([old], versions, midnight + day), ['delete-version v1'])
  assert.deepEqual(steps([old], versions, midnight + 6 * day), ['delete-version v2', 'delete-version v1'])
})

test('lifecycleSteps() keeps the newest noncurrent versions', () => {
  const keeping = rule({ noncurrent: { days: 1, newerVersionsKept: 2 } })
  const versions = ['v5', 'v4', 'v3', 'v2', 'v1'].map((id) => version(id, start))
  assert.deepEqual(steps([keeping], versions, start + 9 * day), ['delete-version v2', 'delete-version v1'])
})

test('lifecycleSteps() removes a delete marker only when nothing is beneath it', () => {
  const marker = version('m', start, { isDeleteMarker: true })
  const lone = rule({ expiration: { kind: 'lone-marker' } })
  assert.deepEqual(steps([lone], [marker], start), ['delete-version m'])
  assert.deepEqual(steps([lone], [marker, version('v1', start)], start + 9 * day), [])
  assert.deepEqual(steps([lone], [version('v1', start)], start + 9 * day), [])
  assert.deepEqual(steps([afterOneDay], [marker], start), [])
  assert.deepEqual(steps([afterOneDay], [marker], midnight + day), ['delete-version m'])
  assert.deepEqual(steps([afterOneDay], [marker, version('v1', start)], start + 9 * day), [])
  const bySize = { ...afterOneDay, filter: { prefix: '', tags: new Map(), sizeLessThanBytes: 5 } }
  assert.deepEqual(steps([bySize], [marker], start + 9 * day), [])
})

test('lifecycleSteps() looks at the tags of each version', () => {
  const filter = { prefix: '', tags: new Map([['keep', 'no']]) }
  const old = rule({ filter, noncurrent: { days: 1, newerVersionsKept: 0 } })
  const versions = [
    version('v3', start),
    version('v2', start, { tags: new Map([['keep', 'no']]) }),
    version('v1', start, { tags: new Map([['keep', 'yes']]) }),
  ]
  assert.deepEqual(steps([old], versions, start + 9 * day), ['delete-version v2'])
})

test('lifecycleSteps() takes a shorter day', () => {
  const clock = { nowMs: 30_000, dayMs: 10_000 }
  const subject = { key: 'k', versions: [version('null', 11_000)] }
  assert.equal(lifecycleSteps([afterOneDay], subject, clock).length, 1)
  assert.equal(lifecycleSteps([afterOneDay], subject, { ...clock, nowMs: 29_999 }).length, 0)
})

test('uploadExpiry() tells when an upload is given up', () => {
  const aborting = rule({ id: 'up', filter: { prefix: 'a/', tags: new Map() }, abortUploadsAfterDays: 2 })
  assert.deepEqual(uploadExpiry([aborting], { key: 'a/b', initiatedMs: start }), {
    abortMs: midnight + 2 * day,
    ruleId: 'up',
  })
  assert.equal(uploadExpiry([aborting], { key: 'b', initiatedMs: start }), undefined)
  assert.equal(uploadExpiry([{ ...aborting, isEnabled: false }], { key: 'a/b', initiatedMs: start }), undefined)
  assert.equal(uploadExpiry([afterOneDay], { key: 'a/b', initiatedMs: start }), undefined)
})
