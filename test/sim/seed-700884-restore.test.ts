/**
 * The shrunk run of seed 700884: a chunk server is killed while its disk answers nothing and a new master reads its part of the
 * backup there. The read never ended, and so the restore did not: what cannot be read in time is passed over, as by `ashlar restore`.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Script } from '../../src/sim/script.ts'
import { simulate } from '../../src/sim/simulate.ts'

const script: Script = {
  seed: 700884,
  cluster: {
    servers: [{}, {}, {}, {}],
    clients: 1,
    policy: 'replicated-3',
    chunkSizeBytes: 65536,
    trashKeepMs: 604800000,
    deadAfterMs: 8000,
    buggify: false,
    networkDelayMs: 2,
    syncDelayMs: 30,
    backups: true,
  },
  durationMs: 39000,
  faults: [
    { kind: 'disk-stall', id: 2, atMs: 18582, durationMs: 18999, host: 'chunkserver-4' },
    { kind: 'master-disk-lost', id: 3, atMs: 19040, durationMs: 1054 },
    { kind: 'kill', id: 0, atMs: 30137, durationMs: 1348, atWrite: true, host: 'chunkserver-4' },
  ],
  operations: [{ kind: 'write', path: '/t/ab/b', content: { seed: 73, length: 100 }, id: 73, client: 0, atMs: 35142 }],
}

test('simulate() restores a master though a server dies whose disk answers nothing', async () => {
  const { violations } = await simulate(script)
  assert.deepEqual(violations, [])
})
