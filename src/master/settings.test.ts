import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isAshlarError } from '../base/errors.ts'
import { Settings } from './settings.ts'

function refused(run: () => unknown, pattern: RegExp): void {
  assert.throws(run, (error) => isAshlarError(error, 'invalid-argument') && pattern.test(error.message))
}

test('Settings keeps rows over the values of the first start, and those over the defaults', () => {
  const settings = new Settings(new Map([['trash-keep', '2h']]), { trashKeepMs: 1, chunkSizeBytes: 4096 })
  assert.equal(settings.values.trashKeepMs, 7_200_000)
  assert.equal(settings.values.chunkSizeBytes, 4096)
  assert.equal(settings.values.defaultPolicy, 'replicated-3')
  assert.equal(settings.policy('replicated-1')?.chunkSizeBytes, 4096)
})

test('Settings.list() gives rows that read back as the same values', () => {
  const values = {
    trashKeepMs: 90_500,
    chunkSizeBytes: 1,
    defaultPolicy: 'replicated-2',
    deadAfterMs: 60_000,
    holdOffMs: 5,
    lifecycleDayMs: 3_600_000,
    scrubWithinMs: 7_000,
    scrubBytesPerSecond: 1_000_000,
    repairBytesPerSecond: 2_000_000,
    backupEveryMs: 7_200_000,
    placement: 'hash' as const,
  }
  const rows = new Map(new Settings(new Map(), values).list().map(({ name, value }) => [name, value]))
  assert.deepEqual(new Settings(rows).values, values)
})

test('Settings.check() refuses unknown names and values out of range, and says the range', () => {
  const settings = new Settings(new Map())
  refused(
    () => settings.check('colour', 'red'),
    /Known are trash-keep, chunk-size, policy, dead-after, hold-off,.* placement/,
  )
  refused(() => settings.check('__proto__', 'x'), /there is none of this name/)
  refused(() => settings.check('chunk-size', '0'), /from 1 B to 128 MiB/)
  refused(() => settings.check('chunk-size', '129MiB'), /from 1 B to 128 MiB/)
  refused(() => settings.check('policy', 'rs-6-3'), /one of replicated-1, replicated-2, replicated-3/)
  refused(() => settings.check('placement', 'random'), /one of spread, load-sorted, consistent-hash, hash, range/)
  refused(() => settings.check('dead-after', '100ms'), /from 500ms/)
  refused(() => settings.check('trash-keep', 'soon'), /duration/)
})

test('Settings.apply() puts a checked value in force, for policies too', () => {
  const settings = new Settings(new Map())
  assert.equal(settings.check('chunk-size', '64K'), '65536')
  settings.apply('chunk-size', '65536')
  assert.equal(settings.policy('replicated-3')?.chunkSizeBytes, 65_536)
})

// A newer version may have stored settings that this one does not know.
test('Settings leaves rows of unknown names alone', () => {
  assert.equal(new Settings(new Map([['later', 'x']])).values.defaultPolicy, 'replicated-3')
})

test('Settings.check() takes backup-every as a duration, and says how backups are turned off', () => {
  const settings = new Settings(new Map())
  assert.equal(settings.check('backup-every', '120m'), '2h')
  refused(() => settings.check('backup-every', 'off'), /from 1m on; without backups .* --backup-every off/)
  refused(() => settings.check('backup-every', '30s'), /from 60s|from 1m/)
})
