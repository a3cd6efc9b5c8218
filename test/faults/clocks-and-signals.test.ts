/** Real processes whose clock is wrong, that are stopped for a while, or that run out of file descriptors. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { connect as connectSocket, type Socket } from 'node:net'
import { test } from 'node:test'
import { connect, isAshlarError } from '../../src/client/index.ts'
import { needs, TemporaryFolder, withEnvironment } from './preloaded.ts'
import { RealCluster } from './real-cluster.ts'

const yearMs = 365 * 86_400_000
const [libfaketime] = globSync('/usr/lib/*/faketime/libfaketime.so.1')

// Expiry runs on cluster time: a wrong wall clock must neither purge trash nor end a session or an allocation.
test('a wall clock that is a year ahead, then a year behind, purges no trash and breaks no write', {
  skip: libfaketime === undefined && 'needs faketime',
}, async () => {
  using folder = new TemporaryFolder()
  const cluster = new RealCluster(folder.at('data'), ['--port', '0', '--capacity', '64MiB'])
  await cluster.start()
  try {
    await use(cluster, async (client) => {
      await client.writeFile('/deleted', 'back')
      await client.rm('/deleted')
    })
    for (const [offset, years] of [
      ['+365d', 1],
      ['-365d', -1],
    ] as const) {
      await cluster.stop()
      const variables = { LD_PRELOAD: libfaketime as string, FAKETIME: offset, DONT_FAKE_MONOTONIC: '1' }
      await withEnvironment(variables, () => cluster.start())
      await use(cluster, async (client) => {
        const { mtimeMs } = await client.writeFile(`/at${offset}`, offset)
        const aheadYears = (mtimeMs - Date.now()) / yearMs
        assert.ok(Math.abs(aheadYears - years) < 0.01, `the servers' clock is off by ${aheadYears} years`)
        assert.equal(await client.readFile(`/at${offset}`, 'utf8'), offset)
        await client.undelete('/deleted')
        assert.equal(await client.readFile('/deleted', 'utf8'), 'back')
        await client.rm('/deleted')
      })
    }
    await cluster.stop()
    await cluster.start()
    await use(cluster, async (client) => {
      await client.undelete('/deleted')
      assert.equal(await client.readFile('/deleted', 'utf8'), 'back')
      assert.equal((await client.status()).underReplicatedChunks, 0)
    })
  } finally {
    await cluster.stop()
  }
})

test('a master that is stopped for longer than a server may be silent has all of them back, and loses no write', {
  skip: needs([]),
}, async () => {
  using folder = new TemporaryFolder()
  const args = ['--port', '0', '--capacity', '64MiB', '--dead-after', '3s']
  const cluster = new RealCluster(folder.at('data'), args)
  await cluster.start()
  const master = cluster.ready.processes.find(({ role }) => role === 'master')?.pid as number
  try {
    await use(cluster, async (client) => {
      await client.writeFile('/before', 'before')
      process.kill(master, 'SIGSTOP')
      const during = client.writeFile('/during', 'during')
      await new Promise((resolve) => setTimeout(resolve, 4_000))
      process.kill(master, 'SIGCONT')
      // The silence was its own: it has no reason to take anybody for dead.
      for (let look = 0; look < 40; look++) {
        const states = (await client.nodes()).map(({ state }) => state)
        assert.ok(!states.includes('dead'), states.join())
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
      await during
      await client.writeFile('/after', 'after')
      for (const name of ['before', 'during', 'after']) assert.equal(await client.readFile(`/${name}`, 'utf8'), name)
      // A write while they counted as dead went to fewer of them: its repair follows their return.
      let status = await client.status()
      for (let look = 0; look < 300 && (status.serversUp < 3 || status.underReplicatedChunks > 0); look++) {
        await new Promise((resolve) => setTimeout(resolve, 100))
        status = await client.status()
      }
      assert.deepEqual([status.serversUp, status.underReplicatedChunks], [3, 0])
    })
  } finally {
    process.kill(master, 'SIGCONT')
    await cluster.stop()
  }
})

test('a chunk server that is stopped for longer than it may be silent is dead, and back by itself when it goes on', {
  skip: needs([]),
}, async () => {
  using folder = new TemporaryFolder()
  const args = ['--port', '0', '--capacity', '64MiB', '--dead-after', '3s']
  const cluster = new RealCluster(folder.at('data'), args)
  await cluster.start()
  const stopped = cluster.ready.processes.filter(({ role }) => role === 'chunkserver')[1]
  assert.ok(stopped)
  try {
    await use(cluster, async (client) => {
      const stateOf = async () => (await client.nodes()).find(({ id }) => id === stopped.id)?.state
      const until = async (condition: () => Promise<boolean>, what: string) => {
        for (let look = 0; !(await condition()); look++) {
          assert.ok(look < 300, `${what}: ${await stateOf()}`)
          await new Promise((resolve) => setTimeout(resolve, 100))
        }
      }
      await client.writeFile('/before', 'before')
      process.kill(stopped.pid, 'SIGSTOP')
      await until(async () => (await stateOf()) === 'dead', 'dead')
      await client.writeFile('/during', 'during')
      process.kill(stopped.pid, 'SIGCONT')
      await until(async () => (await stateOf()) === 'up', 'up again')
      await until(async () => (await client.status()).underReplicatedChunks === 0, 'caught up')
      for (const name of ['before', 'during']) assert.equal(await client.readFile(`/${name}`, 'utf8'), name)
    })
  } finally {
    process.kill(stopped.pid, 'SIGCONT')
    await cluster.stop()
  }
})

test('SIGTERM under load: every acknowledged write is there after the next start', { skip: needs([]) }, async () => {
  using folder = new TemporaryFolder()
  const cluster = new RealCluster(folder.at('data'), ['--port', '0', '--capacity', '256MiB'])
  await cluster.start()
  const acknowledged: string[] = []
  try {
    const client = await connect({ cluster: cluster.clusterPath, timeoutMs: 1_000 })
    let isStopping = false
    const writers = Array.from({ length: 8 }, async (_, writer) => {
      for (let count = 0; !isStopping; count++) {
        const name = `/w${writer}-${count}`
        try {
          await client.writeFile(name, name.repeat(500))
          acknowledged.push(name)
        } catch (error) {
          assert.ok(isStopping && isAshlarError(error), String(error))
        }
      }
    })
    await new Promise((resolve) => setTimeout(resolve, 700))
    isStopping = true
    await Promise.all([cluster.stop(), ...writers])
    await client.close()
    assert.ok(acknowledged.length > 0)
    await cluster.start()
    await use(cluster, async (again) => {
      for (const name of acknowledged) assert.equal(await again.readFile(name, 'utf8'), name.repeat(500))
    })
  } finally {
    await cluster.stop()
  }
})

test('servers without a free file descriptor refuse cleanly, stay alive, and take writes again afterwards', {
  skip: needs(['prlimit']) || (!existsSync('/proc/self/fd') && 'needs /proc'),
}, async (t) => {
  using folder = new TemporaryFolder()
  const cluster = new RealCluster(folder.at('data'), ['--port', '0', '--capacity', '64MiB', '--no-restart'])
  await cluster.start()
  const servers = cluster.ready.processes.filter(({ role }) => role === 'chunkserver')
  const sockets: Socket[] = []
  try {
    await use(cluster, async (client) => {
      const content = Buffer.alloc(3 * 2 ** 20, 7)
      await client.writeFile('/before', content)
      for (const { pid } of servers) {
        const open = globSync(`/proc/${pid}/fd/*`).length
        execFileSync('prlimit', ['--pid', String(pid), `--nofile=${open + 2}:`])
      }
      for (const { address } of await client.nodes()) {
        for (let count = 0; count < 20; count++) sockets.push(openAndHold(address))
      }
      await new Promise((resolve) => setTimeout(resolve, 300))
      const limited = servers.map(({ pid }) => [globSync(`/proc/${pid}/fd/*`).length, limitOf(pid)] as const)
      assert.ok(
        limited.every(([open, limit]) => open >= limit - 1),
        `descriptors and their limits: ${JSON.stringify(limited)}`,
      )
      // With hardly a descriptor left each file either finds its way or is refused: never half of it.
      const during = Array.from({ length: 4 }, (_, index) => `/during-${index}`)
      const outcomes = await Promise.allSettled(during.map((name) => client.writeFile(name, content)))
      for (const outcome of outcomes) assert.ok(outcome.status === 'fulfilled' || isAshlarError(outcome.reason))
      const stored = during.filter((_, index) => outcomes[index]?.status === 'fulfilled')
      t.diagnostic(`${stored.length} of ${during.length} files were stored without descriptors to spare`)
      for (const socket of sockets.splice(0)) socket.destroy()
      for (const { pid } of servers) execFileSync('prlimit', ['--pid', String(pid), '--nofile=1024:'])
      await client.writeFile('/after', content)
      for (const name of ['/before', '/after', ...stored]) {
        assert.ok((await client.readFile(name)).equals(content))
      }
      assert.equal((await client.status()).serversUp, 3)
    })
    for (const { pid } of servers) assert.ok(existsSync(`/proc/${pid}/fd`), 'no server ended')
  } finally {
    for (const socket of sockets) socket.destroy()
    await cluster.stop()
  }
})

function limitOf(pid: number): number {
  return Number(/Max open files\s+(\d+)/.exec(readFileSync(`/proc/${pid}/limits`, 'utf8'))?.[1])
}

function openAndHold(address: string): Socket {
  const at = address.lastIndexOf(':')
  const socket = connectSocket({ host: address.slice(0, at), port: Number(address.slice(at + 1)) })
  // A server that has no descriptor left may end it: that is what the test is about.
  socket.on('error', () => socket.destroy())
  return socket
}

async function use(
  cluster: RealCluster,
  work: (client: Awaited<ReturnType<typeof connect>>) => Promise<void>,
): Promise<void> {
  await using client = await connect({ cluster: cluster.clusterPath, timeoutMs: 15_000 })
  await work(client)
}
