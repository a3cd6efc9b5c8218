import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { turns } from '../../test/wire/manual-clock.ts'
import { chunkServerCredentials, echo, echoService, probe, serversOnly, wirePair } from '../../test/wire/wire-pair.ts'
import { AshlarError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { createNodeEnv } from '../env/node-env.ts'
import { currentLabel, type RequestLabel, underLabel } from '../env/request-label.ts'
import type { CallContext } from './peer.ts'
import { createService } from './service.ts'

const small = { word: 'hi', number: 5 }
const nothing = { value: { bytes: Buffer.alloc(0) } }

/** A service whose `probe` handlers wait until they are let go. */
function gatedService() {
  const gate = Promise.withResolvers<void>()
  const contexts: CallContext[] = []
  const service = createService()
  service.handle(probe, async (_, context) => {
    contexts.push(context)
    await gate.promise
    return nothing
  })
  service.handle(echo, async (request) => ({ value: request }))
  return { service, contexts, open: gate.resolve }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await delay(2)
}

test('call() works in both directions on one connection, with and without payloads', async () => {
  await using pair = await wirePair({ clientService: echoService() })
  for (const peer of [pair.peer, pair.remote]) {
    for (const payload of [Buffer.alloc(0), Buffer.from('abc'), Buffer.alloc(limits.framePayloadBytes, 7)]) {
      const reply = await peer.call(echo, small, { payload })
      assert.deepEqual(reply.value, small)
      assert.ok(reply.payload.equals(payload))
    }
  }
})

// So that whatever a server writes into its log for a request, or sends on, names it; and nothing else does.
test('a handler runs under the label of the request that it is called for, also on connections made for another', async () => {
  const label = { high: 7, low: 2 ** 32 - 1 }
  const seen: (RequestLabel | undefined)[] = []
  const service = createService()
  service.handle(echo, async (request) => {
    seen.push(currentLabel())
    await turns(1)
    seen.push(currentLabel())
    return { value: request }
  })
  await using pair = await underLabel({ high: 1, low: 1 }, () => wirePair({ service, clientService: service }))
  for (const peer of [pair.peer, pair.remote]) {
    await underLabel(label, () => peer.call(echo, small))
    await peer.call(echo, small)
  }
  assert.deepEqual(seen, [label, label, undefined, undefined, label, label, undefined, undefined])
})

test('call() throws what the handler threw: code, message, retry, applied and details', async () => {
  const service = createService()
  service.handle(echo, async () => {
    throw new AshlarError('changed', 'Cannot write /a: changed', {
      applied: 'unknown',
      retry: 'later',
      details: { v: 7 },
    })
  })
  await using pair = await wirePair({ service })
  await assert.rejects(pair.peer.call(echo, small), {
    name: 'AshlarError',
    code: 'changed',
    message: 'Cannot write /a: changed',
    applied: 'unknown',
    retry: 'later',
    details: { v: 7 },
  })
})

test('call() tells nothing of the inside of a handler that has a bug; the log does', async () => {
  const logged: unknown[] = []
  const env = createNodeEnv({ log: 'silent' })
  const log = { ...env.log, error: (message: string, fields: unknown) => logged.push([message, fields]) }
  const service = createService()
  service.handle(echo, async () => {
    throw new TypeError('key is c0ffee')
  })
  service.handle(probe, () => {
    throw new TypeError('thrown before the first await')
  })
  await using pair = await wirePair({ service, env: { ...env, log: { ...log, child: () => env.log } } })
  for (const call of [pair.peer.call(echo, small), pair.peer.call(probe, { bytes: Buffer.alloc(0) })]) {
    await assert.rejects(call, (error: AshlarError) => {
      assert.equal(error.code, 'internal')
      assert.equal(error.applied, 'unknown')
      assert.doesNotMatch(error.message, /c0ffee|await/)
      return true
    })
  }
  assert.equal(logged.length, 2)
})

test('call() refuses a method that nobody answers, one for other roles, and what passes a limit', async () => {
  const service = createService()
  service.handle(serversOnly, async () => ({ value: {} }))
  service.handle(probe, async () => ({ value: { bytes: Buffer.alloc(limits.frameHeadBytes) } }))
  {
    await using pair = await wirePair({ service })
    const { peer } = pair
    await assert.rejects(peer.call(echo, small), { code: 'not-supported' })
    await assert.rejects(peer.call(serversOnly, {}), { code: 'forbidden' })
    await assert.rejects(pair.remote.call(echo, small), { code: 'not-supported' })
    const tooLong = { bytes: Buffer.alloc(limits.frameHeadBytes) }
    await assert.rejects(peer.call(probe, tooLong), { code: 'too-large', applied: 'no' })
    const payload = Buffer.alloc(limits.framePayloadBytes + 1)
    await assert.rejects(peer.call(serversOnly, {}, { payload }), { code: 'too-large', applied: 'no' })
    // Its answer does not fit; what it did is done.
    await assert.rejects(peer.call(probe, { bytes: Buffer.alloc(0) }), { code: 'internal', applied: 'unknown' })
  }
  await using pair = await wirePair({ service, credentials: chunkServerCredentials })
  assert.deepEqual((await pair.peer.call(serversOnly, {})).value, {})
})

test('call() past its timeout rejects, stops the handler, and leaves the connection usable', async () => {
  const { service, contexts, open } = gatedService()
  await using pair = await wirePair({ service })
  const call = pair.peer.call(probe, { bytes: Buffer.alloc(0) }, { timeoutMs: 30 })
  await assert.rejects(call, { code: 'timeout', applied: 'unknown' })
  const signal = contexts[0]?.signal as AbortSignal
  await until(() => signal.aborted)
  open()
  assert.deepEqual((await pair.peer.call(echo, small)).value, small)
})

test('the deadline of a call reaches its handler even when no cancel does', async () => {
  const { service, contexts, open } = gatedService()
  await using pair = await wirePair({ service })
  const started = pair.peer.call(probe, { bytes: Buffer.alloc(0) }, { timeoutMs: 40 })
  const settled = assert.rejects(started, { code: 'timeout' })
  await until(() => contexts.length === 1)
  const signal = contexts[0]?.signal as AbortSignal
  await until(() => signal.aborted)
  assert.ok(['timeout', 'cancelled'].includes((signal.reason as AshlarError).code))
  await settled
  open()
})

test('call() with a signal rejects when it aborts and stops the handler; aborted before, nothing is sent', async () => {
  const { service, contexts, open } = gatedService()
  await using pair = await wirePair({ service })
  const controller = new AbortController()
  const call = pair.peer.call(probe, { bytes: Buffer.alloc(0) }, { signal: controller.signal })
  await until(() => contexts.length === 1)
  controller.abort(new Error('enough'))
  await assert.rejects(call, { code: 'cancelled', applied: 'unknown' })
  const signal = contexts[0]?.signal as AbortSignal
  await until(() => signal.aborted)
  assert.equal((signal.reason as AshlarError).code, 'cancelled')
  const late = pair.peer.call(probe, { bytes: Buffer.alloc(0) }, { signal: controller.signal })
  await assert.rejects(late, { code: 'cancelled', applied: 'no' })
  open()
  await pair.peer.call(echo, small)
  assert.equal(contexts.length, 1)
})

for (const end of ['caller closes', 'handler side closes', 'process dies'] as const) {
  test(`a call under way is connection-lost when its ${end}; the next one is unavailable`, async () => {
    const { service, contexts, open } = gatedService()
    await using pair = await wirePair({ service })
    const call = pair.peer.call(probe, { bytes: Buffer.alloc(0) })
    const lost = assert.rejects(call, { code: 'connection-lost', applied: 'unknown' })
    await until(() => contexts.length === 1)
    const signal = contexts[0]?.signal as AbortSignal
    if (end === 'caller closes') pair.peer.close()
    else if (end === 'handler side closes') pair.remote.close()
    else await pair.listener.close()
    await lost
    await until(() => signal.aborted && pair.peer.isClosed && pair.remote.isClosed)
    assert.ok(pair.peer.closedSignal.aborted)
    await assert.rejects(pair.peer.call(echo, small), { code: 'unavailable', applied: 'no' })
    open()
    await turns(2)
  })
}

test('handlers start in the order in which their calls were made, each up to its first await', async () => {
  const started: number[] = []
  const service = createService()
  service.handle(echo, async (request, { payload }) => {
    started.push(request.number)
    await delay(Math.random() * 3)
    return { value: request, payload }
  })
  await using pair = await wirePair({ service })
  const count = 300
  const calls = Array.from({ length: count }, (_, number) => {
    const payload = Buffer.alloc((number * 7919) % 60_000, number)
    return pair.peer.call(echo, { word: 'x'.repeat(number * 13), number }, { payload })
  })
  const replies = await Promise.all(calls)
  assert.deepEqual(
    started,
    Array.from({ length: count }, (_, number) => number),
  )
  for (const [number, reply] of replies.entries()) {
    assert.equal(reply.value.number, number)
    assert.ok(reply.payload.equals(Buffer.alloc((number * 7919) % 60_000, number)))
  }
})

test('no more than limits.requestsPerConnection calls run at once; the others wait, and then run', async () => {
  const { service, contexts, open } = gatedService()
  await using pair = await wirePair({ service })
  const more = 500
  const calls = Array.from({ length: limits.requestsPerConnection + more }, () =>
    pair.peer.call(probe, { bytes: Buffer.alloc(0) }),
  )
  await until(() => contexts.length === limits.requestsPerConnection)
  await delay(20)
  assert.equal(contexts.length, limits.requestsPerConnection)
  open()
  await Promise.all(calls)
  assert.equal(contexts.length, limits.requestsPerConnection + more)
})

test('call() is busy, and sends nothing, when too many calls wait already', async () => {
  const { service, open } = gatedService()
  await using pair = await wirePair({ service })
  const most = limits.requestsPerConnection + limits.callsWaitingPerConnection
  const calls = Array.from({ length: most }, () => pair.peer.call(probe, { bytes: Buffer.alloc(0) }))
  await assert.rejects(pair.peer.call(echo, small), { code: 'busy', applied: 'no' })
  open()
  await Promise.all(calls)
})

test('a slow handler is sent no more than limits.requestBytesPerConnection of payloads', async () => {
  const { service, contexts, open } = gatedService()
  await using pair = await wirePair({ service })
  const payload = Buffer.alloc(limits.framePayloadBytes, 1)
  const calls = Array.from({ length: 60 }, () => pair.peer.call(probe, { bytes: Buffer.alloc(0) }, { payload }))
  const heldBytes = () => contexts.reduce((sum, context) => sum + context.payload.length, 0)
  await until(() => contexts.length >= 15)
  await delay(50)
  assert.ok(heldBytes() <= limits.requestBytesPerConnection, `${heldBytes()} bytes held`)
  open()
  await Promise.all(calls)
  assert.equal(contexts.length, 60)
})

test('two sides that flood each other with large calls both get through', async () => {
  const service = () => {
    const own = createService()
    own.handle(echo, async (request, { payload }) => ({ value: request, payload }))
    return own
  }
  await using pair = await wirePair({ service: service(), clientService: service() })
  const payload = Buffer.alloc(limits.framePayloadBytes, 3)
  const flood = (peer: typeof pair.peer) => Array.from({ length: 60 }, () => peer.call(echo, small, { payload }))
  await Promise.all([...flood(pair.peer), ...flood(pair.remote)])
})

test('Answer.sent is called once for each answer, also when the connection ends first', async () => {
  let sentCount = 0
  let answerCount = 0
  const service = createService()
  service.handle(echo, async (request) => {
    await delay(request.number)
    answerCount++
    return { value: request, payload: Buffer.alloc(100_000), sent: () => sentCount++ }
  })
  await using pair = await wirePair({ service })
  await Promise.all(Array.from({ length: 20 }, () => pair.peer.call(echo, { word: '', number: 0 })))
  await until(() => sentCount === 20)
  const lost = Promise.allSettled(
    Array.from({ length: 20 }, (_, index) => pair.peer.call(echo, { word: '', number: index })),
  )
  await delay(8)
  pair.remote.close()
  await lost
  await until(() => answerCount === 40 && sentCount === 40)
})
