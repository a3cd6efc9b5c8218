/** Ten thousand connections that say nothing, at every port of a cluster of processes: the others must hardly notice. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { connect as connectSocket, type Socket } from 'node:net'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { type AshlarClient, connect } from '../../src/client/index.ts'
import { HandCluster } from './hand-cluster.ts'
import { needs, TemporaryFolder, whyNotLong } from './preloaded.ts'

const strangers = 10_000
const measuringMs = 3_000

// The figure is in docs/reliability.md: a share of the throughput is no thing to fail on, where others use the machine too.
test('with 10,000 idle strangers at the ports of frames and HTTP no operation fails, and the client keeps its connections', {
  skip:
    whyNotLong() || needs(['prlimit']) || (descriptorLimit() < 12_000 && 'needs 12,000 file descriptors: ulimit -n'),
}, async (t) => {
  using folder = new TemporaryFolder()
  const cluster = new HandCluster(folder.at('data'))
  const sockets: Socket[] = []
  try {
    await cluster.start()
    await using client = await connect({ cluster: cluster.clusterPath, timeoutMs: 20_000 })
    await operations(client)
    const before = await operations(client)
    const { http } = JSON.parse(readFileSync(cluster.clusterPath, 'utf8')) as { readonly http: string }
    const ports = [...cluster.names.map((name) => cluster.address(name)), new URL(http).host]
    for (let count = 0; count < strangers; count++) {
      sockets.push(openAndHold(ports[count % ports.length] as string))
      if (count % 500 === 499) await wait(50)
    }
    await wait(500)
    const held = sockets.filter(({ destroyed, pending }) => !destroyed && !pending).length
    const beside = await operations(client)
    t.diagnostic(
      `${before} operations alone, ${beside} beside ${strangers} strangers (${held} still held): ${Math.round((100 * beside) / before)} %`,
    )
    assert.ok(beside > 0)
    assert.equal((await client.status()).serversUp, 3)
  } finally {
    for (const socket of sockets) socket.destroy()
    await cluster.killAll()
  }
})

/** Writes and reads of small files, eight at a time; one that fails fails the test. @returns how many in the time */
async function operations(client: AshlarClient): Promise<number> {
  const untilMs = performance.now() + measuringMs
  let done = 0
  await Promise.all(
    Array.from({ length: 8 }, async (_, worker) => {
      while (performance.now() < untilMs) {
        await client.writeFile(`/f${worker}`, 'x'.repeat(2_000))
        assert.equal((await client.readFile(`/f${worker}`)).length, 2_000)
        done += 2
      }
    }),
  )
  return done
}

function openAndHold(address: string): Socket {
  const at = address.lastIndexOf(':')
  const socket = connectSocket({ host: address.slice(0, at), port: Number(address.slice(at + 1)) })
  // The server may end it when it has too many: that is what the test is about.
  socket.on('error', () => socket.destroy())
  return socket
}

function descriptorLimit(): number {
  if (process.platform !== 'linux') return 0
  return Number(/Max open files\s+(\d+)/.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1])
}
