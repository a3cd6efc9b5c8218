import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { createNodeRandom } from './node-random.ts'
import { currentLabel, formatLabel, labelSource, parseLabel, underLabel } from './request-label.ts'

test('underLabel() holds across the awaits of what it began, and nowhere else', async () => {
  const label = { high: 1, low: 2 }
  const seen = underLabel(label, async () => {
    await turn()
    const outside = underLabel(undefined, currentLabel)
    return [currentLabel(), outside]
  })
  assert.equal(currentLabel(), undefined)
  assert.deepEqual(await seen, [label, undefined])
  assert.equal(currentLabel(), undefined)
})

test('parseLabel() reads what formatLabel() shows, and takes nothing else', () => {
  for (const label of [
    { high: 0, low: 0 },
    { high: 1, low: 2 ** 32 - 1 },
    { high: 0xdeadbeef, low: 7 },
  ]) {
    const text = formatLabel(label)
    assert.match(text, /^[0-9A-F]{16}$/)
    assert.deepEqual(parseLabel(text), label)
  }
  for (const text of ['', '123', 'x'.repeat(16), '0'.repeat(17), `${'0'.repeat(15)}\n`]) {
    assert.equal(parseLabel(text), undefined, JSON.stringify(text))
  }
})

test('labelSource() never gives the same label twice', () => {
  const next = labelSource(createNodeRandom())
  assert.equal(new Set(Array.from({ length: 1000 }, () => formatLabel(next()))).size, 1000)
})
