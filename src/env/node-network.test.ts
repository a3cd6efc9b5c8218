import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { test } from 'node:test'
import { recorded, testNetwork } from '../../test/contract/network.ts'
import { isAshlarError } from '../base/errors.ts'
import { parseAddress } from './address.ts'
import type { Connection } from './network.ts'
import { silentLog } from './node-log.ts'
import { createNodeNetwork } from './node-network.ts'

const network = createNodeNetwork({ log: silentLog })
testNetwork('node network', () => ({ client: network, server: network }))

test('listen() on IPv6 tells an address that connect() takes', async () => {
  const listener = await network.listen({ address: '[::1]:0', maxConnections: 1 }, (connection) => recorded(connection))
  assert.match(listener.address, /^\[::1\]:\d+$/)
  const near = recorded(await network.connect(listener.address, { timeoutMs: 1000 }))
  near.connection.end()
  assert.equal(await near.over, undefined)
  await listener.close()
})

test('listen() on an address of another machine is refused', async () => {
  await assert.rejects(
    network.listen({ address: '192.0.2.1:0', maxConnections: 1 }, () => undefined),
    (error) => isAshlarError(error, 'invalid-argument'),
  )
})

test('start() puts bytes where they are wanted, on both sides, and no more than fit', async () => {
  const bytes = Buffer.from(Array.from({ length: 700_000 }, (_, index) => index % 253))
  const receive = (connection: Connection) => {
    const wanted = Buffer.alloc(bytes.length)
    const done = Promise.withResolvers<{ readonly wanted: Buffer; readonly inPlace: number }>()
    let filled = 0
    let inPlace = 0
    connection.start({
      // Every second read goes anywhere.
      target: () => (filled % 2 === 0 ? wanted.subarray(filled, filled + 99_999) : undefined),
      data: (piece) => {
        if (piece.buffer === wanted.buffer) {
          assert.equal(piece.byteOffset, wanted.byteOffset + filled)
          assert.ok(piece.length <= 99_999)
          inPlace += piece.length
        } else piece.copy(wanted, filled)
        filled += piece.length
        if (filled === bytes.length) done.resolve({ wanted, inPlace })
      },
      drained: () => undefined,
      closed: () => undefined,
    })
    connection.write(bytes)
    return done.promise
  }
  const accepted = Promise.withResolvers<ReturnType<typeof receive>>()
  const listener = await network.listen({ address: '127.0.0.1:0', maxConnections: 1 }, (connection) =>
    accepted.resolve(receive(connection)),
  )
  const connection = await network.connect(listener.address, { timeoutMs: 1000 })
  for (const { wanted, inPlace } of [await receive(connection), await accepted.promise]) {
    assert.ok(wanted.equals(bytes))
    assert.ok(inPlace > 0)
  }
  connection.destroy()
  await listener.close()
})

test('a reset by the peer closes with connection-lost', async () => {
  const accepted = Promise.withResolvers<ReturnType<typeof recorded>>()
  const listener = await network.listen({ address: '127.0.0.1:0', maxConnections: 1 }, (connection) => {
    accepted.resolve(recorded(connection))
  })
  const peer = connect(parseAddress(listener.address))
  const far = await accepted.promise
  peer.resetAndDestroy()
  const error = await far.over
  assert.equal(error?.code, 'connection-lost')
  assert.equal(error?.applied, 'unknown')
  await listener.close()
})
