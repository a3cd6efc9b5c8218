import assert from 'node:assert/strict'
import { test } from 'node:test'
import { recorded, testNetwork, turns, until } from '../../test/contract/network.ts'
import { isAshlarError } from '../base/errors.ts'
import { ConnectionStream } from './connection-stream.ts'
import { createMemoryNetwork } from './memory-network.ts'
import type { Connection } from './network.ts'
import { createNodeClock } from './node-clock.ts'
import { silentLog } from './node-log.ts'

const options = { clock: createNodeClock(), log: silentLog }

testNetwork('memory network', () => {
  const network = createMemoryNetwork(options)
  return { client: network.at('client'), server: network.at('server') }
})

async function newPair() {
  const network = createMemoryNetwork(options)
  const accepted = Promise.withResolvers<Connection>()
  const listener = await network.at('b').listen({ address: 'any:7', maxConnections: 9 }, accepted.resolve)
  const near = recorded(await network.at('a').connect('b:7', { timeoutMs: 1000 }))
  return { network, listener, near, far: recorded(await accepted.promise) }
}

test('at() names hosts: each has ports of its own', async () => {
  const { network, listener } = await newPair()
  assert.equal(listener.address, 'b:7')
  const same = await network.at('c').listen({ address: 'any:7', maxConnections: 1 }, () => undefined)
  assert.equal(same.address, 'c:7')
})

test('data() bytes belong to the network again when the handler returns', async () => {
  const { near, far } = await newPair()
  const kept: Buffer[] = []
  far.connection.destroy()
  await near.over
  const { network } = await newPair()
  const listener = await network
    .at('c')
    .listen({ address: 'any:1', maxConnections: 9 }, (connection) =>
      connection.start({ data: (bytes) => kept.push(bytes), drained: () => undefined, closed: () => undefined }),
    )
  const sender = recorded(await network.at('a').connect(listener.address, { timeoutMs: 1000 }))
  sender.connection.write(Buffer.from('first'))
  await until(() => kept.length === 1)
  sender.connection.write(Buffer.from('other'))
  await until(() => kept.length === 2)
  assert.equal(kept[0]?.toString(), 'other')
})

test('ConnectionStream keeps bytes that nobody has read yet', async () => {
  const network = createMemoryNetwork(options)
  const accepted = Promise.withResolvers<Connection>()
  await network.at('b').listen({ address: 'b:7', maxConnections: 9 }, accepted.resolve)
  const near = recorded(await network.at('a').connect('b:7', { timeoutMs: 1000 }))
  const stream = new ConnectionStream(await accepted.promise, options.clock)
  for (const text of ['first', 'other']) {
    near.connection.write(Buffer.from(text))
    await turns()
  }
  assert.equal(`${stream.read()}${stream.read() ?? ''}`, 'firstother')
})

test('partition() holds everything back, ends too, and heal() lets it go on', async () => {
  const { network, near, far } = await newPair()
  network.partition('a', 'b')
  near.connection.write(Buffer.from('delayed'))
  near.connection.end()
  far.connection.write(Buffer.from('back'))
  await turns()
  assert.deepEqual([near.text(), far.text(), near.closings, far.closings], ['', '', 0, 0])
  await assert.rejects(network.at('a').connect('b:7', { timeoutMs: 20 }), (error) => isAshlarError(error, 'timeout'))
  const attempt = network.at('a').connect('b:7', { timeoutMs: 5000 })
  network.heal('a', 'b')
  assert.equal(await far.over, undefined)
  assert.equal(await near.over, undefined)
  assert.deepEqual([near.text(), far.text()], ['back', 'delayed'])
  recorded(await attempt)
})

test('partition() one way lets the other way pass', async () => {
  const { network, near, far } = await newPair()
  network.partition('a', 'b', { oneWay: true })
  near.connection.write(Buffer.from('lost?'))
  far.connection.write(Buffer.from('back'))
  await until(() => near.text() === 'back')
  assert.equal(far.text(), '')
  network.heal()
  await until(() => far.text() === 'lost?')
})

test('destroy() behind a cut link is noticed when it heals', async () => {
  const { network, near, far } = await newPair()
  network.partition('a', 'b')
  near.connection.destroy()
  await near.over
  await turns()
  assert.equal(far.closings, 0)
  network.heal()
  assert.equal((await far.over)?.code, 'connection-lost')
})

test('kill() breaks the connections of a host and closes its doors, which may open again', async () => {
  const { network, near, far } = await newPair()
  network.kill('b')
  assert.equal((await near.over)?.code, 'connection-lost')
  assert.equal((await far.over)?.code, 'connection-lost')
  await assert.rejects(network.at('a').connect('b:7', { timeoutMs: 1000 }), (error) =>
    isAshlarError(error, 'unavailable'),
  )
  await network.at('b').listen({ address: 'b:7', maxConnections: 1 }, (connection) => recorded(connection))
  recorded(await network.at('a').connect('b:7', { timeoutMs: 1000 }))
})

test('setDelay() delays each way by the clock, and keeps the order', async () => {
  const due: { readonly atMs: number; readonly callback: () => void }[] = []
  let nowMs = 0
  const clock = {
    ...options.clock,
    monotonicMs: () => nowMs,
    after: (delayMs: number, callback: () => void) => {
      due.push({ atMs: nowMs + delayMs, callback })
      return { cancel: () => undefined }
    },
  }
  const network = createMemoryNetwork({ clock, log: silentLog })
  const accepted = Promise.withResolvers<Connection>()
  await network.at('b').listen({ address: 'b:7', maxConnections: 9 }, accepted.resolve)
  const connecting = network.at('a').connect('b:7', { timeoutMs: 1e9 })
  const advance = async (toMs: number) => {
    nowMs = toMs
    for (const timer of due.splice(0)) {
      if (timer.atMs <= nowMs) timer.callback()
      else due.push(timer)
    }
    await turns()
  }
  await advance(0)
  const near = recorded(await connecting)
  const far = recorded(await accepted.promise)
  network.setDelay('b', 30)
  near.connection.write(Buffer.from('slow '))
  await advance(29)
  assert.equal(far.text(), '')
  network.setDelay('b', 0)
  near.connection.write(Buffer.from('behind it'))
  await advance(29)
  assert.equal(far.text(), '')
  await advance(30)
  assert.equal(far.text(), 'slow behind it')
})
