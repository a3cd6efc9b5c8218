import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { recorded, testNetwork } from '../../test/contract/network.ts'
import { BackgroundRig } from '../../test/sim/background-rig.ts'
import { isAshlarError } from '../base/errors.ts'
import type { Connection } from '../env/network.ts'

const background = new BackgroundRig().start()
after(() => background.stop())
let hosts = 0

testNetwork('simulated network', () => {
  const number = ++hosts
  return { client: background.host(`client-${number}`).network, server: background.host(`server-${number}`).network }
})

/** Two connected hosts on virtual time that only the test moves. */
async function newPair() {
  const rig = new BackgroundRig()
  const [a, b] = [rig.host('a'), rig.host('b')]
  const accepted = Promise.withResolvers<Connection>()
  await b.network.listen({ address: 'any:7', maxConnections: 9 }, accepted.resolve)
  const connecting = a.network.connect('b:7', { timeoutMs: 1000 })
  await rig.scheduler.run(100)
  const [near, far] = [recorded(await connecting), recorded(await accepted.promise)]
  const runFor = (durationMs: number) => rig.scheduler.run(rig.scheduler.nowMs + durationMs)
  return { rig, a, b, near, far, runFor }
}

test('SimWire.cut() one way holds back only that way, and heal() lets go what waited, in order', async () => {
  const { rig, near, far, runFor } = await newPair()
  rig.wire.cut('a', 'b')
  near.connection.write(Buffer.from('one '))
  far.connection.write(Buffer.from('back'))
  await runFor(10_000)
  near.connection.write(Buffer.from('two'))
  await runFor(10_000)
  assert.equal(far.text(), '')
  assert.equal(near.text(), 'back')
  rig.wire.heal('a', 'b')
  await runFor(100)
  assert.equal(far.text(), 'one two')
})

test('SimWire.cut() twice needs heal() twice', async () => {
  const { rig, near, far, runFor } = await newPair()
  rig.wire.cut('a', 'b')
  rig.wire.cut('a', 'b')
  near.connection.write(Buffer.from('x'))
  rig.wire.heal('a', 'b')
  await runFor(1000)
  assert.equal(far.text(), '')
  rig.wire.heal('a', 'b')
  await runFor(1000)
  assert.equal(far.text(), 'x')
})

test('what had left already arrives in spite of a cut', async () => {
  const { rig, near, far, runFor } = await newPair()
  rig.wire.slow('b', 500)
  near.connection.write(Buffer.from('late'))
  await runFor(100)
  rig.wire.cut('a', 'b')
  await runFor(10_000)
  assert.equal(far.text(), 'late')
})

test('connect() over a cut waits for as long as its caller does, and goes on when it heals', async () => {
  const { rig, a, runFor } = await newPair()
  rig.wire.cut('b', 'a')
  const givenUp = assert.rejects(a.network.connect('b:7', { timeoutMs: 300 }), (error) =>
    isAshlarError(error, 'timeout'),
  )
  await runFor(400)
  await givenUp
  const patient = a.network.connect('b:7', { timeoutMs: 10_000 })
  await runFor(1000)
  rig.wire.heal('b', 'a')
  await runFor(100)
  await patient
})

test('processEnded() breaks connections, and what nobody listens for is refused', async () => {
  const { rig, a, b, near, runFor } = await newPair()
  b.process.end()
  rig.network.processEnded(b.process)
  await runFor(100)
  await near.over
  const refused = assert.rejects(a.network.connect('b:7', { timeoutMs: 1000 }), (error) =>
    isAshlarError(error, 'unavailable'),
  )
  await runFor(100)
  await refused
})

test('powerLost() is silent: the peer learns of it when something of it reaches the machine that is back', async () => {
  const { rig, a, b, near, runFor } = await newPair()
  let isOver = false
  const over = near.over.then((error) => {
    isOver = true
    return error
  })
  b.process.end()
  rig.network.powerLost(b.process)
  const unanswered = assert.rejects(a.network.connect('b:7', { timeoutMs: 500 }), (error) =>
    isAshlarError(error, 'timeout'),
  )
  await runFor(60_000)
  await unanswered
  assert.equal(isOver, false)
  near.connection.write(Buffer.from('hello?'))
  await runFor(1000)
  assert.equal(isOver, false)
  rig.network.powerBack('b')
  await runFor(1000)
  assert.ok(isAshlarError(await over, 'connection-lost'))
})

test('a paused process gets what arrived meanwhile, in order, when it goes on; a dead one nothing', async () => {
  const { b, near, far, runFor } = await newPair()
  b.process.pause()
  near.connection.write(Buffer.from('a'))
  await runFor(10)
  near.connection.write(Buffer.from('b'))
  await runFor(1000)
  assert.equal(far.text(), '')
  b.process.resume()
  await runFor(1)
  assert.equal(far.text(), 'ab')
  b.process.end()
  near.connection.write(Buffer.from('c'))
  await runFor(1000)
  assert.equal(far.text(), 'ab')
})
