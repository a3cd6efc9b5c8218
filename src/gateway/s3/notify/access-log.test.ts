import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createManualClock, turns } from '../../../../test/wire/manual-clock.ts'
import { limits } from '../../../base/limits.ts'
import type { AshlarClient } from '../../../client/index.ts'
import type { Env } from '../../../env/env.ts'
import type { LogFields } from '../../../env/log.ts'
import { AccessLog } from './access-log.ts'
import type { LoggedRequest } from './log-line.ts'

const everyMs = 60_000
const target = { targetBucket: 'logs', targetPrefix: '' }
/** A line of about 64 KiB: sixteen fill an object. */
const long = 'x'.repeat(64 * 1024)
const request = (requestId: string, userAgent = 'curl') =>
  ({
    ...{ bucket: 'b', ownerId: 'o', atMs: 0, totalMs: 1, requestId, userAgent, method: 'GET', url: '/b', status: 200 },
  }) as LoggedRequest

/** A log whose objects are stored one by one, when the test says so. */
function started() {
  const clock = createManualClock()
  const objects: string[] = []
  const errors: { readonly message: string; readonly fields: LogFields | undefined }[] = []
  const held: (() => void)[] = []
  const hold = { isOn: false }
  const client = {
    exists: async () => true,
    writeFile: async (_path: string, text: string) => {
      if (hold.isOn) await new Promise<void>((resolve) => held.push(resolve))
      objects.push(text)
    },
  } as unknown as AshlarClient
  const env = {
    ...{ clock, random: { bytes: (count: number) => Buffer.alloc(count) } },
    log: { error: (message: string, fields?: LogFields) => errors.push({ message, fields }) },
  } as unknown as Env
  const log = new AccessLog({ env, client, rootId: 'root', region: 'r', everyMs })
  const fill = (name: string) => {
    for (let line = 0; line < 16; line++) log.note(target, request(`${name}${line}`, long))
  }
  const release = () => {
    for (const go of held.splice(0)) go()
  }
  return { clock, objects, errors, hold, log, fill, release }
}

test('AccessLog stores what was noted after a while, and a full object at once', async () => {
  const { clock, objects, log, fill } = started()
  log.note(target, request('FIRST'))
  await turns()
  assert.equal(objects.length, 0)
  await clock.advance(everyMs)
  assert.match(objects[0] ?? '', /^o b .* FIRST .*\n$/)
  fill('FULL')
  await turns()
  assert.equal(objects[1]?.split('\n').length, 17)
  await log[Symbol.asyncDispose]()
})

test('AccessLog stores at once what became full while it stored something else', async () => {
  const { objects, hold, log, fill, release } = started()
  hold.isOn = true
  fill('A')
  await turns()
  fill('B')
  hold.isOn = false
  release()
  await turns()
  assert.deepEqual(
    objects.map((text) => text.includes(' B15 ')),
    [false, true],
  )
  await log[Symbol.asyncDispose]()
})

test('AccessLog stores at its end what was noted while it stored something else', async () => {
  const { objects, hold, log, fill, release } = started()
  hold.isOn = true
  fill('A')
  await turns()
  log.note(target, request('LAST'))
  const ended = log[Symbol.asyncDispose]()
  hold.isOn = false
  release()
  await ended
  assert.ok(objects.at(-1)?.includes(' LAST '))
})

test('AccessLog drops what is past its memory, and says how many lines', async () => {
  const { objects, errors, hold, log, fill, release } = started()
  hold.isOn = true
  fill('A')
  await turns()
  const lines = Math.ceil(limits.s3LogBufferBytes / long.length) + 5
  for (let line = 0; line < lines; line++) log.note(target, request(`B${line}`, long))
  hold.isOn = false
  release()
  await log[Symbol.asyncDispose]()
  const stored = objects.join('').split('\n').length - 1
  assert.ok(Buffer.byteLength(objects.join('')) <= limits.s3LogBufferBytes)
  assert.match(errors[0]?.message ?? '', /faster than they could be stored/)
  assert.equal(errors[0]?.fields?.['lines'], 16 + lines - stored)
})
