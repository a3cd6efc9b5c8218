import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createNodeEnv } from './node-env.ts'
import { silentLog } from './node-log.ts'

test('createNodeEnv() uses the log it is given, and never buggifies', () => {
  const env = createNodeEnv({ log: silentLog })
  assert.equal(env.log, silentLog)
  assert.equal(createNodeEnv({ log: 'silent' }).log, silentLog)
  assert.equal(env.buggify('any-site'), false)
})

test('createNodeEnv() leaves nothing that keeps the process alive', async () => {
  const before = process.getActiveResourcesInfo()
  createNodeEnv({ log: 'info' })
  await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(process.getActiveResourcesInfo(), before)
})
