import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '../../test/cluster/manual-clock.ts'
import type { ErrorCode } from '../base/error-table.ts'
import { isAshlarError } from '../base/errors.ts'
import type { Env } from '../env/env.ts'
import { inlineHashes } from '../env/hashes.ts'
import { createMemoryDisk } from '../env/memory-disk.ts'
import { createMemoryNetwork } from '../env/memory-network.ts'
import { silentLog } from '../env/node-log.ts'
import { seededRandom } from '../env/seeded-random.ts'
import { createOrOpenMasterFolder } from './data-folder.ts'

const path = '/data/master'
const holder = { holder: 'pid 41' }

function createEnv() {
  const clock = new ManualClock()
  const disk = createMemoryDisk({ clock })
  const network = createMemoryNetwork({ clock, log: silentLog }).at('host')
  const env: Env = {
    ...{ clock, random: seededRandom(1), disk, network, hashes: inlineHashes, log: silentLog },
    buggify: () => false,
  }
  return { env, disk }
}

async function rejects(work: Promise<unknown>, code: ErrorCode, pattern: RegExp): Promise<void> {
  await assert.rejects(work, (error) => isAshlarError(error, code) && pattern.test(error.message))
}

test('createOrOpenMasterFolder() makes a cluster once, and finds it again', async () => {
  const { env } = createEnv()
  const made = await createOrOpenMasterFolder(env, path, holder)
  assert.equal(made.isNew, true)
  assert.match(made.clusterId, /^[0-9a-f]{32}$/)
  assert.equal(made.secret.length, 32)
  await made.close()
  const found = await createOrOpenMasterFolder(env, path, holder)
  assert.equal(found.isNew, false)
  assert.deepEqual([found.clusterId, found.secret, found.generation], [made.clusterId, made.secret, 0])
})

test('createOrOpenMasterFolder() refuses a second master and names the first', async () => {
  const { env } = createEnv()
  const first = await createOrOpenMasterFolder(env, path, holder)
  await rejects(createOrOpenMasterFolder(env, path, { holder: 'pid 42' }), 'in-use', /pid 41/)
  await first.close()
  await (await createOrOpenMasterFolder(env, path, { holder: 'pid 42' })).close()
})

// A crash at any moment leaves a folder that opens: as a new cluster, or as the one that was made.
test('createOrOpenMasterFolder() survives a power cut after any of its writes', async () => {
  for (let cut = 0; cut < 30; cut++) {
    const { env, disk } = createEnv()
    let operations = 0
    const mounted: Env = { ...env, disk: disk.mount() }
    disk.setFault(() => {
      if (operations++ === cut) disk.crash()
      return undefined
    })
    const made = await createOrOpenMasterFolder(mounted, path, holder).catch(() => undefined)
    disk.setFault(undefined)
    if (made === undefined) disk.crash()
    else await made.close()
    const found = await createOrOpenMasterFolder(env, path, holder)
    if (made !== undefined) assert.equal(found.clusterId, made.clusterId)
  }
})

test('createOrOpenMasterFolder() never makes a cluster where metadata or other files lie', async () => {
  const { env } = createEnv()
  await env.disk.makeDirectory(path)
  await env.disk.writeSmall(`${path}/metadata.db`, Buffer.from('x'))
  await rejects(createOrOpenMasterFolder(env, path, holder), 'bad-store', /holds "metadata.db" and no identity.json/)
  assert.deepEqual((await env.disk.list(path)).sort(), ['lock', 'metadata.db'])
})

test('createOrOpenMasterFolder() refuses a damaged, foreign or newer folder, and gives the lock back', async () => {
  const cases: readonly [string, string, ErrorCode, RegExp][] = [
    ['identity.json', '{', 'bad-store', /identity.json is damaged/],
    ['identity.json', '{"format":1,"role":"master","clusterId":"x","generation":0}', 'bad-store', /damaged/],
    ['identity.json', '{"format":1,"role":"chunkserver"}', 'bad-store', /not the folder of a master/],
    ['identity.json', '{"format":2,"role":"master"}', 'version-unsupported', /format 2/],
    ['secret', 'c2hvcnQ=', 'bad-store', /secret is damaged/],
  ]
  for (const [name, text, code, pattern] of cases) {
    const { env } = createEnv()
    await (await createOrOpenMasterFolder(env, path, holder)).close()
    await env.disk.writeSmall(`${path}/${name}`, Buffer.from(text))
    await rejects(createOrOpenMasterFolder(env, path, holder), code, pattern)
    await rejects(createOrOpenMasterFolder(env, path, holder), code, pattern)
  }
})

test('createOrOpenMasterFolder() says when the secret is missing, and makes no other', async () => {
  const { env } = createEnv()
  await (await createOrOpenMasterFolder(env, path, holder)).close()
  await env.disk.remove(`${path}/secret`)
  await rejects(createOrOpenMasterFolder(env, path, holder), 'bad-store', /its secret is missing/)
  assert.equal((await env.disk.list(path)).includes('secret'), false)
})

test('createOrOpenMasterFolder() raises the generation of a folder that exists when it is asked to, and only then', async () => {
  const { env } = createEnv()
  const generations: number[] = []
  for (const raiseGeneration of [true, false, true, false]) {
    const folder = await createOrOpenMasterFolder(env, path, { ...holder, raiseGeneration })
    generations.push(folder.generation)
    await folder.close()
  }
  assert.deepEqual(generations, [0, 0, 1, 1])
})
