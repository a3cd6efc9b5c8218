import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isProvablyFull } from './room.ts'

const servers = (...capacities: readonly number[]) =>
  capacities.map((capacityBytes, index) => ({ domain: `host-${index}`, capacityBytes }))

test('isProvablyFull() counts one copy for each domain, and whole chunks', () => {
  assert.equal(isProvablyFull({ lengths: [10, 10], servers: servers(20, 20, 20), replicas: 3 }), false)
  assert.equal(isProvablyFull({ lengths: [10, 10], servers: servers(99, 99, 19), replicas: 3 }), true)
  assert.equal(isProvablyFull({ lengths: [10, 10], servers: servers(99, 99, 19, 19), replicas: 3 }), false)
  assert.equal(isProvablyFull({ lengths: [6, 6, 6], servers: servers(11, 11, 11, 11, 11), replicas: 2 }), true)
})

test('isProvablyFull() counts bytes of small chunks, and a rack once', () => {
  const small = Array.from({ length: 25 }, () => 1)
  assert.equal(isProvablyFull({ lengths: small, servers: servers(20, 25, 30), replicas: 3 }), true)
  assert.equal(isProvablyFull({ lengths: small, servers: servers(25, 25, 30), replicas: 3 }), false)
  const racks = [...servers(25, 30), { domain: 'host-1', capacityBytes: 30 }]
  assert.equal(isProvablyFull({ lengths: small, servers: racks, replicas: 3 }), true)
})

test('isProvablyFull() excuses nothing where nothing is named', () => {
  assert.equal(isProvablyFull({ lengths: [], servers: servers(0), replicas: 1 }), false)
})
