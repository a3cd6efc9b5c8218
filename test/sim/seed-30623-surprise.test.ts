/**
 * Seed 30623: a cluster of a master, 2 chunk servers and 2 clients.
 * Every chunk (at most 1.0 MiB) is kept on 2 servers; what is deleted can be brought back for 7d.
 *
 *    0.000 s  Client 1 makes the directory /t: done.
 *   15.086 s  Client 2 writes 68 bytes to /t/ab: done after 15.3 s (68 bytes, version 131077).
 *   15.092 s  Every server loses power: what was not synced is lost, or partly so.
 *   29.236 s  Every server has power again.
 *   29.354 s  The master runs.
 *   29.393 s  Chunk server 1 runs.
 *   29.403 s  Chunk server 2 runs.
 *   30.374 s  Every server loses power: what was not synced is lost, or partly so.
 *   52.318 s  Client 1 writes 100 bytes to /k/3 if nothing is there: fails after 9.6 s without effect (forbidden).
 *   57.706 s  Every server has power again.
 *   57.815 s  The master runs.
 *   57.904 s  Chunk server 2 runs.
 *   57.915 s  Chunk server 1 runs.
 *   60.000 s  All faults end, and every machine that is down is started. What is under way ends.
 *   62.023 s  Client 1 is done; from here on another client watches, and reads everything back.
 *
 * A promise was broken:
 * - surprise: operation 110 failed strangely at 61.9 s: forbidden: Cannot commit chunk 00000004000000000000000000000000: its allocation belongs to another session
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Script } from '../../src/sim/script.ts'
import { simulate } from '../../src/sim/simulate.ts'

const script: Script = {
  seed: 30623,
  cluster: {
    servers: [{}, {}],
    clients: 2,
    policy: 'replicated-2',
    chunkSizeBytes: 1048576,
    trashKeepMs: 604800000,
    deadAfterMs: 30000,
    buggify: false,
    networkDelayMs: 2,
    syncDelayMs: 30,
  },
  durationMs: 60000,
  operations: [
    {
      id: 1,
      client: 0,
      atMs: 0,
      kind: 'make-directory',
      path: '/t',
      recursive: true,
    },
    {
      kind: 'write',
      path: '/t/ab',
      content: {
        seed: 41,
        length: 68,
      },
      id: 41,
      client: 1,
      atMs: 15086,
    },
    {
      kind: 'write',
      path: '/k/3',
      content: {
        seed: 110,
        length: 100,
      },
      condition: 'absent',
      id: 110,
      client: 0,
      atMs: 52318,
    },
  ],
  faults: [
    {
      kind: 'power-loss',
      id: 2,
      atMs: 12337,
      durationMs: 14144,
      atWrite: true,
      host: 'all',
    },
    {
      kind: 'power-loss',
      id: 5,
      atMs: 12696,
      durationMs: 27332,
      atAnswer: true,
      host: 'all',
    },
  ],
}

test('simulate() keeps every promise in the shrunk run of seed 30623', async () => {
  const { violations } = await simulate(script)
  assert.deepEqual(violations, [])
})
