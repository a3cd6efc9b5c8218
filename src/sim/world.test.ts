import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createWorld } from './create-world.ts'
import type { Fault, SimCluster } from './script.ts'
import type { World } from './world.ts'

const cluster: SimCluster = {
  servers: [{}, {}, {}],
  clients: 1,
  policy: 'replicated-3',
  chunkSizeBytes: 2 ** 20,
  trashKeepMs: 60_000,
  deadAfterMs: 10_000,
  buggify: false,
  networkDelayMs: 0.2,
  syncDelayMs: 1,
}
const boundMs = 60_000

async function withWorld<T>(
  seed: number,
  run: (world: World) => Promise<T>,
  changes: Partial<SimCluster> = {},
): Promise<T> {
  const world = await createWorld({ cluster: { ...cluster, ...changes }, seed })
  try {
    return await run(world)
  } finally {
    await world.close()
  }
}

const write = (world: World, path: string, text: string) =>
  world.runWhile(client(world).writeFile(path, Buffer.from(text)), boundMs)

const read = (world: World, path: string) => world.runWhile(client(world).readFile(path, 'utf8'), boundMs)

function client(world: World) {
  const found = world.client(0)
  assert.ok(found !== undefined, 'the client is dead')
  return found
}

test('createWorld() boots a cluster that stores and returns a file', async () => {
  await withWorld(1, async (world) => {
    await write(world, '/hello', 'world')
    assert.equal(await read(world, '/hello'), 'world')
    assert.deepEqual(
      world.facts().servers.map(({ state }) => state),
      ['running', 'running', 'running'],
    )
  })
})

test('traceHash() is the same for the same seed, and another for another', async () => {
  const hashOf = (seed: number) =>
    withWorld(seed, async (world) => {
      for (let file = 0; file < 3; file++) await write(world, `/file-${file}`, 'x'.repeat(1 + 700_000 * file))
      await world.runFor(20_000)
      return world.traceHash()
    })
  const [first, second, other] = [await hashOf(7), await hashOf(7), await hashOf(8)]
  assert.equal(second, first)
  assert.notEqual(other, first)
})

test('a world takes no real time, timer or chance', async () => {
  const used = new Set<string>()
  const watched: readonly (readonly [owner: object, name: string])[] = [
    [globalThis, 'setTimeout'],
    [globalThis, 'setInterval'],
    [Date, 'now'],
    [Math, 'random'],
    [performance, 'now'],
    [process, 'hrtime'],
  ]
  const undo = watched.map(([owner, name]) => {
    const real = Reflect.get(owner, name)
    const watch = (...args: unknown[]) => {
      if (new Error('who').stack?.split('\n').some((line) => /\/src\//.test(line))) used.add(name)
      return Reflect.apply(real, owner, args)
    }
    Reflect.set(owner, name, watch)
    return () => Reflect.set(owner, name, real)
  })
  try {
    await withWorld(
      11,
      async (world) => {
        world.apply({ kind: 'kill', id: 1, atMs: 0, durationMs: 2_000, host: 'chunkserver-1' })
        for (const size of [10, 3_000_000]) await write(world, `/file-${size}`, 'x'.repeat(size))
        await world.runFor(30_000)
      },
      { buggify: true },
    )
  } finally {
    for (const restore of undo) restore()
  }
  assert.deepEqual([...used], [])
})

test('overlapping faults of one kind end one by one, and leave nothing behind', async () => {
  await withWorld(12, async (world) => {
    const upCount = () =>
      world
        .facts()
        .master.master?.nodes()
        .filter(({ state }) => state === 'up').length
    const begin = (id: number, durationMs: number) => {
      const common = { id, atMs: 0, durationMs }
      world.apply({ ...common, kind: 'clock-rate', host: 'chunkserver-1', rate: 2 + id })
      world.apply({ ...common, kind: 'disk-full', host: 'chunkserver-1' })
      world.apply({ ...common, kind: 'disk-slow', host: 'chunkserver-1', factor: 2 + id })
      world.apply({ ...common, kind: 'metadata-slow', delayMs: 0.1 * id })
      world.apply({ ...common, kind: 'slow-link', host: 'chunkserver-1', delayMs: 10 * id })
      world.apply({ ...common, kind: 'partition', from: 'chunkserver-1', to: 'others', oneWay: false })
    }
    begin(1, 2_000)
    begin(2, 3_000)
    await world.runFor(1_000)
    begin(3, 500)
    await world.runFor(20_000)
    assert.equal(upCount(), 3)
    await write(world, '/after', 'x'.repeat(2_000_000))
    assert.equal((await read(world, '/after')).length, 2_000_000)
    const facts = world.facts().servers.map(({ state }) => state)
    assert.deepEqual(facts, ['running', 'running', 'running'])
  })
})

test('servers whose clocks ran ahead by more than a token lives take tokens again', async () => {
  await withWorld(13, async (world) => {
    await write(world, '/before', 'b')
    for (const id of [1, 2, 3]) {
      world.apply({ kind: 'clock-rate', id, atMs: 0, durationMs: 1_000, host: `chunkserver-${id}`, rate: 1_000 })
    }
    await world.runFor(3_000)
    await write(world, '/after', 'a')
    assert.equal((await read(world, '/before')) + (await read(world, '/after')), 'ba')
  })
})

test('replaceDisk() makes another server of a machine, and the one that it was can leave', async () => {
  await withWorld(
    24,
    async (world) => {
      await write(world, '/before', 'a'.repeat(2_000_000))
      const former = world.replaceDisk('chunkserver-2')
      assert.ok(former !== undefined)
      await world.healAll()
      await world.runWhile(client(world).duties.drain(former), boundMs)
      const isOver = async () => {
        const nodes = await world.runWhile(client(world).nodes(), boundMs)
        const states = new Map(
          nodes.map(({ id, state, synced }) => [id, synced || state === 'left' ? state : 'awaited']),
        )
        return states.get(former) === 'left' && [...states.values()].filter((state) => state === 'up').length === 3
      }
      for (let waitedMs = 0; !(await isOver()); waitedMs += 5_000) {
        assert.ok(waitedMs < 300_000, 'the former server never left')
        await world.runFor(5_000)
      }
      assert.equal((await world.runWhile(client(world).status(), boundMs)).underReplicatedChunks, 0)
      assert.equal(await read(world, '/before'), 'a'.repeat(2_000_000))
    },
    // A machine more than copies, so that there is somewhere to go.
    { policy: 'replicated-2' },
  )
})

const faults: readonly Fault[] = [
  { kind: 'kill', id: 1, atMs: 0, durationMs: 3_000, host: 'master' },
  { kind: 'kill', id: 2, atMs: 0, durationMs: 3_000, host: 'chunkserver-2' },
  { kind: 'power-loss', id: 3, atMs: 0, durationMs: 3_000, host: 'all' },
  { kind: 'power-loss', id: 4, atMs: 0, durationMs: 3_000, host: 'chunkserver-1' },
  { kind: 'pause', id: 5, atMs: 0, durationMs: 3_000, host: 'chunkserver-3' },
  { kind: 'pause', id: 6, atMs: 0, durationMs: 20_000, host: 'master' },
  { kind: 'partition', id: 7, atMs: 0, durationMs: 20_000, from: 'master', to: 'others', oneWay: false },
  { kind: 'partition', id: 8, atMs: 0, durationMs: 20_000, from: 'chunkserver-1', to: 'master', oneWay: true },
  { kind: 'slow-link', id: 9, atMs: 0, durationMs: 5_000, host: 'chunkserver-1', delayMs: 700 },
  { kind: 'drop-connections', id: 10, atMs: 0, host: 'master' },
  { kind: 'clock-jump', id: 11, atMs: 0, host: 'master', jumpMs: -31_536_000_000 },
  { kind: 'clock-rate', id: 12, atMs: 0, durationMs: 10_000, host: 'chunkserver-2', rate: 10 },
  { kind: 'disk-error', id: 13, atMs: 0, durationMs: 3_000, host: 'chunkserver-2', operations: ['sync'], chance: 1 },
  { kind: 'disk-full', id: 14, atMs: 0, durationMs: 3_000, host: 'chunkserver-2' },
  { kind: 'disk-stall', id: 15, atMs: 0, durationMs: 3_000, host: 'chunkserver-2' },
  { kind: 'disk-slow', id: 16, atMs: 0, durationMs: 3_000, host: 'chunkserver-2', factor: 50 },
  { kind: 'bit-flip', id: 17, atMs: 0, host: 'chunkserver-2', flips: 3 },
  { kind: 'misdirected-write', id: 18, atMs: 0, host: 'chunkserver-2' },
  { kind: 'metadata-conflicts', id: 19, atMs: 0, durationMs: 3_000, chance: 0.5 },
  { kind: 'metadata-unknown', id: 20, atMs: 0, durationMs: 3_000, chance: 0.2 },
  { kind: 'metadata-slow', id: 21, atMs: 0, durationMs: 3_000, delayMs: 50 },
  { kind: 'kill', id: 22, atMs: 0, durationMs: 3_000, host: 'client-1' },
]

for (const fault of faults) {
  const target = 'host' in fault ? ` of ${fault.host}` : ''
  test(`apply() ${fault.kind}${target} (${fault.id}): what was acknowledged is there afterwards`, async () => {
    await withWorld(fault.id, async (world) => {
      await write(world, '/before', 'a'.repeat(2_000_000))
      const during = client(world)
        .writeFile('/during', Buffer.from('b'))
        .then(
          () => 'ok',
          () => 'failed',
        )
      world.apply(fault)
      await world.runFor(4_000)
      await world.healAll()
      if (fault.id !== 22) {
        const outcome = await world.runWhile(during, boundMs)
        if (outcome === 'ok') assert.equal(await read(world, '/during'), 'b')
      }
      assert.equal(await read(world, '/before'), 'a'.repeat(2_000_000))
      await write(world, '/after', 'c')
      assert.equal(await read(world, '/after'), 'c')
    })
  })
}
