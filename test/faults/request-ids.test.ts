/**
 * One request of a user is found by its id in the logs of every process that worked for it: the door or client that took it, the master,
 * the chunk server. Each a process of its own, with lines of every level.
 * @module
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { connect } from '../../src/client/index.ts'
import type { Log, LogFields } from '../../src/env/log.ts'
import { createNodeEnv } from '../../src/env/node-env.ts'
import { silentLog } from '../../src/env/node-log.ts'
import { GatewayProcess } from './gateway-process.ts'
import { HandCluster } from './hand-cluster.ts'
import { TemporaryFolder, withEnvironment } from './preloaded.ts'

interface Line {
  readonly pid?: number
  readonly message?: string
  readonly request?: string
}

test('a request is found by its id in the logs of the door, the master and the chunk server', async (t) => {
  using folder = new TemporaryFolder()
  await using cluster = new HandCluster(folder.path, { chunkServers: 1, masterArgs: ['--policy', 'replicated-1'] })
  const gateway = new GatewayProcess(cluster.clusterPath)
  t.after(() => gateway.end('SIGKILL'))
  await withEnvironment({ ASHLAR_LOG: 'debug' }, async () => {
    await cluster.start()
    await gateway.start()
  })
  const servers = [cluster.pid('master'), cluster.pid('chunkserver-1')]
  const lines = () => linesOf(cluster.messages + gateway.messages)
  const saidBy = async (request: string, pids: readonly number[]) => {
    // Lines come by pipes, so a little later than answers.
    for (let tries = 0; ; tries++) {
      const pidsSeen = new Set(lines().flatMap((line) => (line.request === request ? (line.pid ?? []) : [])))
      const missing = pids.filter((pid) => !pidsSeen.has(pid))
      if (missing.length === 0 || tries === 200) return missing
      await wait(50)
    }
  }

  const s3 = gateway.client
  assert.equal((await s3.send('PUT', '/bucket')).status, 200)
  const put = await s3.send('PUT', '/bucket/key', { body: Buffer.from('what is written') })
  assert.equal(put.status, 200)
  const putId = put.headers['x-amz-request-id'] as string
  assert.match(putId, /^[0-9A-F]{16}$/)
  assert.deepEqual(await saidBy(putId, [gateway.pid, ...servers]), [])

  const told: (LogFields & { readonly message: string })[] = []
  const debug = (message: string, fields: LogFields = {}) => told.push({ ...fields, message })
  const log: Log = { ...silentLog, debug, isDebugging: true }
  await using client = await connect({ cluster: cluster.clusterPath, env: createNodeEnv({ log }) })
  await client.writeFile('/file', 'what is read')
  assert.equal(await client.readFile('/file', 'utf8'), 'what is read')
  const ids = told.filter(({ operation }) => operation !== undefined).map(({ request }) => request as string)
  assert.equal(new Set(ids).size, 2)
  for (const id of ids) assert.deepEqual(await saidBy(id, servers), [])
})

function linesOf(messages: string): readonly Line[] {
  return messages
    .split('\n')
    .filter((line) => line.startsWith('{') && line.endsWith('}'))
    .map((line) => JSON.parse(line) as Line)
}
