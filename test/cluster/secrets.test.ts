/**
 * The cluster secret stays on the servers: a cluster of processes with debug logs, worked on and attacked by one who holds
 * `cluster.json` alone; then every byte that it logged, said or gave to clients is searched for the secret and its keys.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { crc32 } from '../../src/base/crc.ts'
import { type ClusterId, chunkId, type ServerId } from '../../src/base/ids.ts'
import { type Rising, rising } from '../../src/base/rising.ts'
import { type ClusterFile, connect } from '../../src/client/index.ts'
import { createNodeEnv } from '../../src/env/node-env.ts'
import { connectPeer } from '../../src/wire/connect.ts'
import type { ClusterKeys, Credentials } from '../../src/wire/credentials.ts'
import { deriveKeys } from '../../src/wire/keys.ts'
import { listenForPeers } from '../../src/wire/listen.ts'
import { deleteChunks, putChunk, readChunk } from '../../src/wire/methods/chunk-methods.ts'
import { register } from '../../src/wire/methods/cluster-methods.ts'
import { getMap, openSession } from '../../src/wire/methods/session-methods.ts'
import { allocate, commitFile } from '../../src/wire/methods/write-methods.ts'
import type { Peer } from '../../src/wire/peer.ts'
import { signReceipt } from '../../src/wire/receipt.ts'
import { createService } from '../../src/wire/service.ts'
import { mintToken } from '../../src/wire/token.ts'
import { RealCluster } from '../faults/real-cluster.ts'

const env = createNodeEnv({ log: 'silent' })
const bytes = Buffer.from('bytes of a forger')
const crc = crc32(bytes)

/** All ways in which someone might print a key. */
function spellings(key: Buffer): readonly string[] {
  const spelled = [key.toString('hex'), key.toString('base64'), key.toString('base64url'), [...key].join(',')]
  return [...spelled, [...key].join(', '), inspect(key).slice(8, 80), key.toString('hex').toUpperCase()]
}

/** What one can try who holds the client key alone: it in the place of every other key, and what is derived from it. */
function forgedKeys(clientKey: Buffer): readonly ClusterKeys[] {
  const everywhere = { client: clientKey, server: clientKey, token: clientKey, receipt: clientKey, identity: clientKey }
  return [everywhere, deriveKeys(clientKey), { ...deriveKeys(clientKey), client: clientKey }]
}

test('cluster.json opens the door for clients and nothing else; the secret is in no log line and no error', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'ashlar-secrets-'))
  process.env['ASHLAR_LOG'] = 'debug'
  const cluster = new RealCluster(join(folder, 'data'))
  t.after(async () => {
    delete process.env['ASHLAR_LOG']
    await cluster.stop()
    rmSync(folder, { recursive: true })
  })
  await cluster.start()
  const file = JSON.parse(readFileSync(cluster.clusterPath, 'utf8')) as ClusterFile
  const clusterId = file.clusterId as ClusterId
  const clientKey = Buffer.from(file.secret, 'base64')
  const errors: unknown[] = []
  const refuses = async (codes: readonly string[], work: Promise<unknown>, what: string) => {
    await assert.rejects(work, (error: { readonly code: string }) => {
      errors.push(error)
      assert.ok(codes.includes(error.code), `${what}: ${error.code}`)
      return true
    })
  }

  await using client = await connect({ cluster: file })
  await client.writeFile('/kept', 'kept')
  const asClient: Credentials = { role: 'client', clusterId, clientKey }
  const open = (address: string, credentials: Credentials) => connectPeer({ env, address, credentials })
  const master = await open(file.address, asClient)
  t.after(() => master.close())
  const { value: session } = await master.call(openSession, {})
  const { value: mapped } = await master.call(getMap, {})
  const [server] = mapped.map?.servers ?? []
  assert.ok(server !== undefined)
  const chunkServer = await open(server.address, asClient)
  t.after(() => chunkServer.close())

  const wanted = { session: session.session, path: '/forged', count: 1, chunkBytes: bytes.length, avoid: [] }
  const { allocation } = (await master.call(allocate, wanted)).value
  assert.ok(allocation !== undefined)
  const { group, generation, firstSequence, epoch } = allocation
  const chunk = chunkId({ group, generation, sequence: firstSequence })
  const far = rising(0, 2 ** 41)

  for (const [index, keys] of forgedKeys(clientKey).entries()) {
    // Tokens.
    const write = { generation, firstSequence, count: 1, epoch }
    const claims = { cluster: clusterId, group, expiresAt: far, mayRead: true, write, remove: chunk, leaderEpoch: far }
    const token = mintToken(keys.token, claims)
    const put = chunkServer.call(putChunk, { chunk, epoch, token, crc }, { payload: bytes })
    await refuses(['forbidden'], put, `putChunk ${index}`)
    const read = chunkServer.call(readChunk, { chunk, token, offset: 0, length: 1, wantBlockCrcs: false })
    await refuses(['forbidden'], read, `readChunk ${index}`)
    const removed = await fetch(`http://${server.httpAddress}/chunks/${chunk}`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${token.toString('base64url')}` },
    })
    assert.equal(removed.status, 403)
    errors.push(await removed.text())

    // Receipts.
    const members = mapped.map?.groups.find(({ id }) => id === group)?.members ?? []
    const facts = { chunk, length: bytes.length, crc, epoch }
    const receipts = members.map(({ server: id, slot }) => signReceipt(keys.receipt, { ...facts, server: id, slot }))
    assert.ok(receipts.length > 0)
    const commit = master.call(commitFile, {
      request: { session: session.session, sequence: index + 1, acknowledged: 0 },
      path: '/forged',
      precondition: {},
      attributes: {},
      makeParents: false,
      extents: [{ chunk, offset: 0, length: bytes.length, chunkLength: bytes.length, crc }],
      receipts,
      allocations: [allocation.allocation],
    })
    await refuses(['receipts-rejected'], commit, `commitFile ${index}`)

    // Servers and masters.
    for (const role of ['chunkserver', 'master'] as const) {
      const credentials: Credentials = { role, clusterId, serverId: server.id, keys }
      for (const address of [file.address, server.address]) {
        await refuses(['unauthenticated'], open(address, credentials), `${role} at ${address} ${index}`)
      }
    }
  }

  // Posing as a server to other clients.
  for (const [index, keys] of forgedKeys(clientKey).entries()) {
    const impostor = await listenForPeers({
      env,
      address: '127.0.0.1:0',
      credentials: { role: 'master', clusterId, serverId: server.id, keys: { ...keys, client: clientKey } },
      service: createService(),
    })
    const posing = connect({ cluster: { ...file, address: impostor.address }, timeoutMs: 5_000 })
    await refuses(['unauthenticated'], posing, `an impostor ${index}`)
    await impostor.close()
  }
  await forbiddenToClients({ master, chunkServer, server: server.id, epoch, chunk }, refuses)
  const wrongKey = Buffer.alloc(32, 5).toString('base64')
  await refuses(['unauthenticated'], connect({ cluster: { ...file, secret: wrongKey } }), 'a wrong key')
  for (const url of [cluster.ready.endpoints.http, `http://${server.httpAddress}`]) {
    const answer = await fetch(`${url}/status`, { headers: { authorization: `Bearer ${wrongKey}` } })
    assert.equal(answer.status, 401)
    errors.push(await answer.text())
  }
  assert.deepEqual(await client.readdir('/'), ['kept'])
  assert.equal(await client.readFile('/kept', 'utf8'), 'kept')

  // What servers alone may know.
  const joining = spawnSync(join(import.meta.dirname, '../../bin/ashlar'), ['join', '--data', cluster.folder], {
    encoding: 'utf8',
  })
  assert.equal(joining.status, 0, joining.stderr)
  const secret = Buffer.from((JSON.parse(joining.stdout) as { clusterSecret: string }).clusterSecret, 'base64')
  const keys = deriveKeys(secret)
  assert.ok(keys.client.equals(clientKey), 'the client key is the one that is derived')
  assert.equal(statSync(cluster.clusterPath).mode & 0o777, 0o600)
  await cluster.stop()

  // The log was on, and saw the forgers.
  assert.match(cluster.messages, /"level":"info".*registered/)
  assert.match(cluster.messages, /Turned a connection away/)
  const said = [cluster.messages, ...errors.map((error) => inspect(error, { depth: 10 }))].join('\n')
  for (const [name, key] of Object.entries({ ...keys, secret })) {
    for (const spelling of spellings(key)) assert.ok(!said.includes(spelling), `the ${name} was said`)
  }
  for (const token of [allocation.token, deriveKeys(clientKey).token]) {
    for (const spelling of spellings(token)) assert.ok(!said.includes(spelling), 'a token was said')
  }
  const clientFile = readFileSync(cluster.clusterPath, 'utf8')
  for (const key of [keys.server, keys.token, keys.receipt, keys.identity, secret]) {
    for (const spelling of spellings(key)) assert.ok(!clientFile.includes(spelling))
  }
})

/** Methods of servers, asked for on the connection of a client. */
async function forbiddenToClients(
  given: {
    readonly master: Peer
    readonly chunkServer: Peer
    readonly server: ServerId
    readonly epoch: Rising
    readonly chunk: ReturnType<typeof chunkId>
  },
  refuses: (codes: readonly string[], work: Promise<unknown>, what: string) => Promise<void>,
): Promise<void> {
  const { master, chunkServer, server, epoch, chunk } = given
  const space = {
    capacityBytes: 2 ** 40,
    usedBytes: 0,
    reservedBytes: 0,
    freeBytes: 2 ** 40,
    chunks: 0,
    quarantinedChunks: 0,
    quarantinedBytes: 0,
  }
  const registration = master.call(register, {
    server,
    incarnation: '0'.repeat(16),
    address: '127.0.0.1:1',
    httpAddress: '127.0.0.1:2',
    domain: 'forged',
    space: { ...space, refusal: undefined },
    leaderEpochSeen: 0 as Rising,
    digests: [],
    version: 'forged',
  })
  await refuses(['forbidden'], registration, 'register')
  const group = Number.parseInt(chunk.slice(0, 8), 16) as never
  const order = chunkServer.call(deleteChunks, { leaderEpoch: rising(0, 2 ** 41), group, epoch, chunks: [chunk] })
  await refuses(['forbidden'], order, 'deleteChunks')
}
