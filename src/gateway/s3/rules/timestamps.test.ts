import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { formatHttpDate, formatIsoTime, parseHttpDate, parseIsoTime } from './timestamps.ts'

const moment = fc.integer({ min: 0, max: Date.UTC(9999, 0) })

test('parseHttpDate() reads the three forms of RFC 9110', () => {
  const expected = Date.UTC(1994, 10, 6, 8, 49, 37)
  assert.equal(parseHttpDate('Sun, 06 Nov 1994 08:49:37 GMT'), expected)
  assert.equal(parseHttpDate('Sunday, 06-Nov-94 08:49:37 GMT'), expected)
  assert.equal(parseHttpDate('Sun Nov  6 08:49:37 1994'), expected)
})

test('parseHttpDate() refuses what is no HTTP date', () => {
  const texts = ['', '0', '1994-11-06', 'Sun, 06 Nov 1994 08:49:37 +0100', 'Sun, 31 Feb 2020 00:00:00 GMT']
  texts.push('Sun, 06 Foo 1994 08:49:37 GMT', 'Sun, 06 Nov 1994 24:49:37 GMT', 'Sun, 06 Nov 1994 08:60:37 GMT')
  for (const text of texts) assert.equal(parseHttpDate(text), undefined, text)
})

test('formatHttpDate() and parseHttpDate() agree to the second', () => {
  fc.assert(
    fc.property(moment, (timeMs) => {
      assert.equal(parseHttpDate(formatHttpDate(timeMs)), Math.floor(timeMs / 1000) * 1000)
    }),
  )
})

test('formatIsoTime() and parseIsoTime() agree', () => {
  fc.assert(fc.property(moment, (timeMs) => assert.equal(parseIsoTime(formatIsoTime(timeMs)), timeMs)))
})

test('formatIsoTime() is right of moments in and out of one second, in any order', () => {
  const near = fc.array(fc.integer({ min: -2500, max: 2500 }), { minLength: 2, maxLength: 20 })
  fc.assert(
    fc.property(moment, near, (timeMs, offsets) => {
      for (const offset of offsets) {
        assert.equal(formatIsoTime(timeMs + offset), new Date(timeMs + offset).toISOString())
      }
    }),
  )
  assert.throws(() => formatIsoTime(Number.NaN), RangeError)
  assert.throws(() => formatIsoTime(9e15), RangeError)
})

test('parseIsoTime() takes dates, fractions and zones', () => {
  const noon = Date.UTC(2024, 1, 29, 12)
  assert.equal(parseIsoTime('2024-02-29'), Date.UTC(2024, 1, 29))
  assert.equal(parseIsoTime('2024-02-29T12:00Z'), noon)
  assert.equal(parseIsoTime('2024-02-29T12:00:00.123456789Z'), noon + 123)
  assert.equal(parseIsoTime('2024-02-29T14:00:00+02:00'), noon)
  assert.equal(parseIsoTime('2024-02-29T06:30:00-0530'), noon)
  assert.equal(parseIsoTime('2024-02-29T12:00:00'), noon)
})

test('parseIsoTime() refuses days and hours that are not', () => {
  for (const text of ['2023-02-29', '2024-13-01', '2024-02-29T25:00Z', '2024-02-29T12:61Z', '20240229', 'tomorrow']) {
    assert.equal(parseIsoTime(text), undefined, text)
  }
})
