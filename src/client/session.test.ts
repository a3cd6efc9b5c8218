import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '../../test/cluster/manual-clock.ts'
import { AshlarError } from '../base/errors.ts'
import type { Env } from '../env/env.ts'
import { silentLog } from '../env/node-log.ts'
import { sleep } from '../env/waiting.ts'
import { keepSession } from '../wire/methods/session-methods.ts'
import { Background } from './background.ts'
import type { MasterCallOptions, MasterLink } from './master-link.ts'
import { Session } from './session.ts'

const lifeMs = 60_000

// The master counts from when it heard the last sign of life, which is not before the client sent it.
test('a session that cannot be kept alive ends here before the master may give its locks away', async () => {
  const clock = new ManualClock()
  const call = async (method: unknown, _request: unknown, { timeoutMs = 0 }: MasterCallOptions = {}) => {
    if (method !== keepSession) return { value: { session: 1, lifeMs } }
    await sleep(clock, timeoutMs)
    throw new AshlarError('unavailable', 'Cannot finish keepSession: no answer from the master')
  }
  const link = { call, isClosed: false } as unknown as MasterLink
  const background = new Background(silentLog)
  const env = { clock, log: silentLog } as unknown as Env
  const session = new Session({ env, link, background, onKept: () => undefined })
  const { endedSignal } = await session.opened()
  await clock.advance(lifeMs / 2)
  assert.equal(endedSignal.aborted, false)
  await clock.advance(lifeMs / 2)
  assert.equal(endedSignal.aborted, true)
  await background.settled()
})
