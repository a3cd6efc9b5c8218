import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isAshlarError } from './errors.ts'
import { formatCount, formatDuration, formatExactSize, formatSize, parseDuration, parseSize } from './sizes.ts'

const invalid = (error: unknown) => isAshlarError(error, 'invalid-argument')

test('parseSize() reads bytes and binary units, in any case, with or without iB', () => {
  for (const [text, expected] of [
    ['0', 0],
    ['50', 50],
    ['50b', 50],
    ['8MiB', 8 * 2 ** 20],
    ['8mb', 8 * 2 ** 20],
    ['8 M', 8 * 2 ** 20],
    ['1.5G', 1.5 * 2 ** 30],
    [' 64KiB ', 65_536],
    ['2T', 2 ** 41],
    ['1P', 2 ** 50],
    ['9007199254740991', Number.MAX_SAFE_INTEGER],
  ] as const) {
    assert.equal(parseSize(text), expected, text)
  }
})

test('parseSize() refuses everything else, and names it', () => {
  for (const text of [
    '',
    'M',
    '-1',
    '1e3',
    '0x10',
    '1,5G',
    '.5G',
    '5.',
    '5ib',
    '5 X',
    '1 2',
    '9P',
    'NaN',
    'Infinity',
    '٣',
  ]) {
    assert.throws(() => parseSize(text), invalid, text)
  }
  assert.throws(() => parseSize('lots'), /Cannot read size "lots"/)
})

test('parseDuration() reads each unit, and refuses a bare number', () => {
  const good = {
    '500ms': 500,
    '30s': 30_000,
    '1.5m': 90_000,
    '2h': 7_200_000,
    '7d': 604_800_000,
    '0s': 0,
    ' 1 S ': 1000,
  }
  for (const [text, expected] of Object.entries(good)) assert.equal(parseDuration(text), expected, text)
  for (const text of ['', '5', '-5s', '5w', '1h30m', '5 sec', '99999999999d']) {
    assert.throws(() => parseDuration(text), invalid, text)
  }
})

test('formatSize() gives the nearest short text', () => {
  for (const [sizeBytes, expected] of [
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1.0 KiB'],
    [1_234_567, '1.2 MiB'],
    [10_188, '9.9 KiB'],
    [10_189, '10 KiB'],
    [1_048_063, '1023 KiB'],
    [1_048_575, '1.0 MiB'],
    [2 ** 40, '1.0 TiB'],
    [5000 * 2 ** 50, '5000 PiB'],
  ] as const) {
    assert.equal(formatSize(sizeBytes), expected)
  }
})

test('formatSize() reads back within five percent', () => {
  fc.assert(
    fc.property(
      fc.maxSafeNat().map((value) => value % 2 ** 52),
      (sizeBytes) => {
        const back = parseSize(formatSize(sizeBytes))
        assert.ok(Math.abs(back - sizeBytes) <= 0.05 * sizeBytes, `${sizeBytes} → ${formatSize(sizeBytes)}`)
      },
    ),
  )
})

test('formatExactSize() reads back exactly, in the largest unit that does', () => {
  for (const [sizeBytes, expected] of [
    [0, '0B'],
    [1023, '1023B'],
    [8_388_608, '8MiB'],
    [1_048_577, '1048577B'],
    [1536, '1536B'],
    [3 * 2 ** 50, '3PiB'],
  ] as const) {
    assert.equal(formatExactSize(sizeBytes), expected)
  }
  fc.assert(fc.property(fc.maxSafeNat(), (sizeBytes) => assert.equal(parseSize(formatExactSize(sizeBytes)), sizeBytes)))
})

test('formatCount() says one of one, and sets thousands apart', () => {
  assert.deepEqual(
    [formatCount(0, 'chunk'), formatCount(1, 'entry', 'entries'), formatCount(2, 'entry', 'entries')],
    ['0 chunks', '1 entry', '2 entries'],
  )
  assert.deepEqual([formatCount(999, 'row'), formatCount(1_234_567, 'row')], ['999 rows', '1,234,567 rows'])
})

test('formatDuration() gives two units at most', () => {
  for (const [durationMs, expected] of [
    [0, '0ms'],
    [999.4, '999ms'],
    [999.6, '1s'],
    [1000, '1s'],
    [59_999, '1m'],
    [90_000, '1m 30s'],
    [90_061_000, '1d 1h'],
    [604_800_000, '7d'],
  ] as const) {
    assert.equal(formatDuration(durationMs), expected)
  }
})
