import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isAshlarError } from '../base/errors.ts'
import type { Rising } from '../base/rising.ts'
import { silentLog } from '../env/node-log.ts'
import type { IssueBlock } from '../namespace/namespace.ts'
import { NumberSource } from './number-source.ts'

/** Blocks of three numbers, with a gap between them. */
function blocks(): { reserve: () => Promise<IssueBlock>; count: () => number } {
  let count = 0
  return {
    reserve: async () => {
      const first = 1 + count++ * 10
      return { first: first as Rising, end: (first + 3) as Rising }
    },
    count: () => count,
  }
}

test('NumberSource issues rising numbers, each once, only from blocks it reserved', async () => {
  const numbers = new NumberSource({ reserve: blocks().reserve, log: silentLog })
  await numbers.start()
  const issued: number[] = []
  for (let count = 0; count < 12; count++) {
    issued.push(numbers.issue())
    await numbers.stop()
  }
  assert.deepEqual(issued, [1, 2, 3, 11, 12, 13, 21, 22, 23, 31, 32, 33])
})

test('NumberSource refuses as busy rather than issue what is not reserved, and recovers', async () => {
  const { reserve } = blocks()
  let isFailing = false
  const numbers = new NumberSource({
    reserve: () => (isFailing ? Promise.reject(new Error('no store')) : reserve()),
    log: silentLog,
  })
  await numbers.start()
  isFailing = true
  for (let count = 0; count < 6; count++) numbers.issue()
  assert.throws(
    () => numbers.issue(),
    (error) => isAshlarError(error, 'busy'),
  )
  await numbers.stop()
  isFailing = false
  assert.throws(
    () => numbers.issue(),
    (error) => isAshlarError(error, 'busy'),
  )
  await numbers.stop()
  assert.equal(numbers.issue(), 21)
})
