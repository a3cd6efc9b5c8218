import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AshlarError } from '../../base/errors.ts'
import { formatClusterFile, readClusterFile } from '../../client/cluster-file.ts'
import { createMemoryDisk } from '../../env/memory-disk.ts'
import type { Connection, Network } from '../../env/network.ts'
import { createNodeClock } from '../../env/node-clock.ts'
import { tellEndpoint } from './tell-endpoint.ts'

const path = '/cluster.json'
const file = {
  ...{ clusterId: 'c'.repeat(32), address: '10.0.0.1:7600', secret: Buffer.alloc(32, 7).toString('base64') },
  s3: { accessKeyId: 'root', secretAccessKey: 'secret' },
}

/** A machine where something listens at `doors`, with a cluster file that names `named`. */
async function machine({ named, doors = [] }: { readonly named?: string; readonly doors?: readonly string[] }) {
  let isReadOnly = false
  const disk = createMemoryDisk({
    clock: createNodeClock(),
    fault: (operation) =>
      isReadOnly && operation === 'write'
        ? new AshlarError('read-only', 'Cannot write: the disk is read-only')
        : undefined,
  })
  await disk.writeSmall(path, Buffer.from(formatClusterFile({ ...file, s3: { ...file.s3, endpoint: named } })))
  const network = {
    connect: async (address: string) => {
      if (!doors.includes(address)) throw new AshlarError('unavailable', `Cannot connect to ${address}: refused`)
      return { destroy: () => undefined } as Connection
    },
  } as unknown as Network
  return {
    tell: (endpoint: string, isClusters = false) => tellEndpoint({ disk, network }, path, { endpoint, isClusters }),
    named: async () => (await readClusterFile(disk, path)).s3?.endpoint,
    makeReadOnly: () => {
      isReadOnly = true
    },
  }
}

const [up, further] = ['http://127.0.0.1:7602', 'http://127.0.0.1:9000']

test('tellEndpoint() names the first door, and leaves the name of one that listens to a further one', async () => {
  const { tell, named } = await machine({ doors: ['127.0.0.1:7602'] })
  assert.equal(await tell(up), undefined)
  assert.equal(await named(), up)
  assert.equal(await tell(further), undefined)
  assert.equal(await named(), up)
})

test('tellEndpoint() names a new door instead of one that is gone', async () => {
  const { tell, named } = await machine({ named: up })
  await tell(further)
  assert.equal(await named(), further)
})

test('tellEndpoint() asks at the port that the URL means', async () => {
  const { tell, named } = await machine({ named: 'https://s3.example.com', doors: ['s3.example.com:443'] })
  await tell(further)
  assert.equal(await named(), 'https://s3.example.com')
})

test("tellEndpoint() names the cluster's own door, whoever else listens", async () => {
  const { tell, named } = await machine({ named: further, doors: ['127.0.0.1:9000'] })
  await tell(up, true)
  assert.equal(await named(), up)
})

test('tellEndpoint() says why a cluster file that nobody may change was not written', async () => {
  const { tell, named, makeReadOnly } = await machine({})
  makeReadOnly()
  assert.equal((await tell(further))?.code, 'read-only')
  assert.equal(await named(), undefined)
})
