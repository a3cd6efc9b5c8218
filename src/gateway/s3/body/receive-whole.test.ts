/** A short body out of its socket: whole, cut off, too slow. @module */
import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { PassThrough } from 'node:stream'
import { describe, test } from 'node:test'
import type { Clock } from '../../../env/clock.ts'
import { S3Error } from '../rules/s3-error.ts'
import { receiveWhole } from './receive-whole.ts'

function refusedAs(code: string) {
  return (error: unknown) => error instanceof S3Error && error.code === code
}

function receiving(lengthBytes: number) {
  const incoming = new PassThrough()
  let nowMs = 0
  const clock = { monotonicMs: () => nowMs } as unknown as Clock
  const whole = receiveWhole(incoming as unknown as IncomingMessage, { lengthBytes, clock })
  const pass = (ms: number) => {
    nowMs += ms
  }
  return { incoming, whole, pass }
}

describe('receiveWhole()', () => {
  test('gives all that was said, in however many pieces, and does not wait for more', async () => {
    for (const pieces of [['hello, world'], ['hello', ', ', 'world']]) {
      const { incoming, whole } = receiving(12)
      for (const piece of pieces) incoming.write(piece)
      assert.equal(String(await whole), 'hello, world')
    }
  })

  test('refuses what ends too early, or breaks', async () => {
    const ended = receiving(12)
    ended.incoming.end('hello')
    await assert.rejects(ended.whole, refusedAs('IncompleteBody'))
    const broken = receiving(12)
    broken.incoming.write('hello')
    broken.incoming.destroy(new Error('reset'))
    await assert.rejects(broken.whole, refusedAs('IncompleteBody'))
  })

  test('refuses a sender who had left before', async () => {
    const incoming = new PassThrough()
    const closed = new Promise((resolve) => incoming.on('error', () => undefined).once('close', resolve))
    incoming.destroy(new Error('reset'))
    await closed
    const clock = { monotonicMs: () => 0 } as unknown as Clock
    await assert.rejects(
      receiveWhole(incoming as unknown as IncomingMessage, { lengthBytes: 12, clock }),
      refusedAs('IncompleteBody'),
    )
  })

  test('gives up a sender that is slower than any client', async () => {
    const { incoming, whole, pass } = receiving(60_000)
    const refused = assert.rejects(whole, refusedAs('RequestTimeout'))
    for (let second = 0; second < 40; second++) {
      incoming.write('x')
      await new Promise((resolve) => setImmediate(resolve))
      pass(1000)
    }
    await refused
  })
})
