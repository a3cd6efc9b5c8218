/**
 * What connections cost that say nothing: five thousand at each door, the memory of each, and what small files and one connection more
 * notice of them. Only where it is asked for (`--only connections`), on a cluster of its own. Half of those of HTTP asked once and keep alive, the others
 * never said anything; those of the master have proven themselves. `ulimit -n` must let one process have them all.
 * @module
 */
import { readFileSync } from 'node:fs'
import { connect as connectSocket, type Socket } from 'node:net'
import { join } from 'node:path'
import { checkClusterFile, clientCredentials } from '../../src/client/cluster-file.ts'
import { type AshlarClient, connect } from '../../src/client/index.ts'
import { createNodeEnv } from '../../src/env/node-env.ts'
import { connectPeer } from '../../src/wire/connect.ts'
import { type Group, note, type Surroundings, scaled } from '../bench.ts'
import type { Unit } from '../figures.ts'
import { type LocalCluster, startLocalCluster } from '../local-cluster.ts'
import { memoryOf } from '../processes.ts'
import { secondsOf, spread } from '../spread.ts'

const group = 'connections'
const MiB = 1024 * 1024
const idleConnections = 5000

export const connections: Group = {
  name: group,
  summary: '5,000 idle connections at each door (only where named)',
  isOnRequest: true,
  alone: manyIdleConnections,
}

async function manyIdleConnections(bench: Surroundings): Promise<void> {
  const count = scaled(bench, idleConnections, 50)
  await using cluster = await startLocalCluster(join(bench.folder, 'idle'), { root: bench.root })
  await using client = await connect({ cluster: cluster.clusterPath })
  const { http } = JSON.parse(readFileSync(cluster.clusterPath, 'utf8')) as { readonly http: string }
  await smallFiles(client)
  await smallFiles(client)
  const alone = await secondsOf(() => smallFiles(client))
  const doors = [
    { name: 'HTTP', open: (index: number) => idleHttp(new URL(http).host, index) },
    { name: 'S3', open: (index: number) => idleHttp(new URL(cluster.s3().endpoint).host, index) },
    { name: 'the master', open: idlePeers(cluster) },
  ]
  for (const { name, open } of doors) {
    const before = ownMemory(cluster)
    const held: Idle[] = []
    const named = `${count} idle connections at ${name}`
    try {
      await spread(count, 64, async (index) => void held.push(await open(index)))
      await settle()
      const kept = held.filter(({ isClosed }) => !isClosed).length
      bench.tell(`${named}: ${kept} are there`)
      figure(bench, { name: `${named}: memory of each`, unit: 'bytes' }, ((ownMemory(cluster) - before) * MiB) / kept)
      const beside = await secondsOf(() => smallFiles(client))
      figure(bench, { name: `${named}: time of small files beside them, by that alone`, unit: 'ratio' }, beside / alone)
      const oneMore = await secondsOf(async () => (await open(0)).close())
      figure(bench, { name: `${named}: one more, and its answer`, unit: 'ms' }, 1000 * oneMore)
    } finally {
      for (const one of held) one.close()
    }
    await settle()
  }
}

/** MiB of all processes that are their own. */
function ownMemory({ processes }: LocalCluster): number {
  return processes.reduce((sum, { pid }) => sum + memoryOf(pid).resident - memoryOf(pid).shared, 0)
}

function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 2_000))
}

interface Idle {
  readonly isClosed: boolean
  close(): void
}

/** Asks once, as who keeps its connection does, or says nothing at all. */
async function idleHttp(host: string, index: number): Promise<Idle> {
  const { hostname, port } = new URL(`http://${host}`)
  const socket: Socket = connectSocket({ host: hostname, port: Number(port) })
  socket.on('error', () => socket.destroy())
  await new Promise((resolve) => socket.once('connect', resolve).once('close', resolve))
  if (index % 2 === 0) {
    const answered = new Promise((resolve) => socket.once('data', resolve).once('close', resolve))
    socket.write(`GET /healthz HTTP/1.1\r\nhost: ${host}\r\n\r\n`)
    await answered
  }
  return {
    get isClosed() {
      return socket.destroyed
    },
    close: () => socket.destroy(),
  }
}

function idlePeers(cluster: LocalCluster): () => Promise<Idle> {
  const env = createNodeEnv({ log: 'silent' })
  const file = checkClusterFile(JSON.parse(readFileSync(cluster.clusterPath, 'utf8')), cluster.clusterPath)
  return async () => {
    return await connectPeer({ env, address: file.address, credentials: clientCredentials(file) })
  }
}

async function smallFiles(client: AshlarClient): Promise<void> {
  const bytes = Buffer.alloc(4096, 1)
  await spread(500, 16, async (index) => {
    await client.writeFile(`/small/${index}`, bytes, { makeParents: true })
    await client.readFile(`/small/${index}`)
  })
}

function figure(
  bench: Surroundings,
  { name, unit }: { readonly name: string; readonly unit: Unit },
  value: number,
): void {
  note(bench, { group, name, unit }, value)
}
