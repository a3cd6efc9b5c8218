/** A path that works one way only: to a chunk server nothing is wrong, and its master no longer hears it, or the other way round. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { type AshlarClient, connect } from '../../src/client/index.ts'
import { Arena, whyNoArena } from './arena.ts'
import { HandCluster, master, type ServerName } from './hand-cluster.ts'
import { needs, TemporaryFolder, whyNotLong } from './preloaded.ts'
import { type Direction, TcpProxy } from './tcp-proxy.ts'

const victim = 'chunkserver-2' satisfies ServerName
const masterArgs = ['--dead-after', '3s']

interface OneWay {
  readonly cluster: HandCluster
  readonly cut: () => void
  readonly heal: () => void
}

/** The catalogue's row 30: dead for placement, while reads of what it holds go on; whole again when the path is. */
async function suffersOneWayCut({ cluster, cut, heal }: OneWay): Promise<void> {
  await using client = await connect({ cluster: cluster.clusterPath, timeoutMs: 20_000 })
  await client.writeFile('/before', 'before')
  cut()
  await until(client, ({ state }) => state === 'dead')
  await client.writeFile('/during', 'during')
  for (const name of ['before', 'during']) assert.equal(await client.readFile(`/${name}`, 'utf8'), name)
  assert.ok(
    !(await holders(client, '/during')).includes(cluster.id(victim)),
    'nothing new was placed on the server that counts as dead',
  )
  // It is asked directly, as any client may: what it holds is served.
  for await (const { chunkId } of client.describeChunks('/before')) {
    const { crc } = await client.describeReplica(chunkId, cluster.id(victim) as never)
    assert.equal(typeof crc, 'number')
  }
  heal()
  await until(client, ({ state }) => state === 'up')
  for (let look = 0; look < 300 && (await client.status()).underReplicatedChunks > 0; look++) await wait(100)
  const { underReplicatedChunks, serversUp } = await client.status()
  assert.deepEqual([underReplicatedChunks, serversUp], [0, 3])
  for (const name of ['before', 'during']) assert.equal(await client.readFile(`/${name}`, 'utf8'), name)

  async function until(
    asking: AshlarClient,
    isSo: (node: Awaited<ReturnType<AshlarClient['nodes']>>[number]) => boolean,
  ): Promise<void> {
    for (let look = 0; look < 600; look++) {
      const node = (await asking.nodes()).find(({ id }) => id === cluster.id(victim))
      if (node !== undefined && isSo(node)) return
      await wait(100)
    }
    throw new Error(`${victim} did not change its state`)
  }
}

async function holders(client: AshlarClient, path: string): Promise<string[]> {
  const found: string[] = []
  for await (const { replicas } of client.describeChunks(path)) {
    for (const { serverId, state } of replicas) if (state === 'ok') found.push(serverId)
  }
  return found
}

test(
  'a chunk server whose words no longer reach the master is dead for placement, is read from, and comes back whole',
  {
    skip: needs([]),
  },
  () => throughProxy('outwards'),
)

test(
  'a chunk server that no longer hears the master is dead for placement, is read from, and comes back whole',
  {
    skip: whyNotLong() || needs([]),
  },
  () => throughProxy('inwards'),
)

test('packets of a chunk server that vanish on their way to the master: as through a proxy', {
  skip: whyNotLong() || whyNoArena(['networks']),
}, async () => {
  await using arena = new Arena({ needs: ['networks'], masterArgs })
  const { cluster, networks } = arena
  await cluster.start()
  await suffersOneWayCut({
    cluster,
    cut: () => networks?.cutOutgoing(victim, master),
    heal: () => networks?.heal(victim),
  })
})

async function throughProxy(direction: Direction): Promise<void> {
  using folder = new TemporaryFolder()
  const joinFile = folder.at('through-proxy.json')
  const cluster = new HandCluster(folder.at('data'), {
    masterArgs,
    place: (name) => (name === victim ? { joinFile } : {}),
  })
  let proxy: TcpProxy | undefined
  try {
    await cluster.startOne(master)
    proxy = await TcpProxy.open(cluster.address(master))
    const mine = JSON.parse(readFileSync(cluster.joinFile, 'utf8'))
    writeFileSync(joinFile, JSON.stringify({ ...mine, address: proxy.address }))
    await cluster.start()
    await suffersOneWayCut({ cluster, cut: () => proxy?.cut(direction), heal: () => proxy?.heal() })
  } finally {
    await cluster.killAll()
    await proxy?.close()
  }
}
