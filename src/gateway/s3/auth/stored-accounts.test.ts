/** Users and keys in a cluster, as an administrator changes them and as gateways see them. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { createManualClock } from '../../../../test/wire/manual-clock.ts'
import type { ErrorCode } from '../../../base/error-table.ts'
import { isAshlarError } from '../../../base/errors.ts'
import { createNodeEnv } from '../../../env/node-env.ts'
import { startCluster, type TestCluster } from '../../../testing/index.ts'
import { AccountRegistry } from './account-registry.ts'
import { keysFolder, usersFolder } from './account-rows.ts'
import { StoredAccounts } from './stored-accounts.ts'

const root = { accessKeyId: 'ROOTKEY', secretAccessKey: 'the-root-secret' }
const readAll = JSON.stringify({ Statement: { Sid: 'all', Effect: 'Allow', Action: 's3:GetObject', Resource: '*' } })

let cluster: TestCluster
let registry: AccountRegistry
const clock = createManualClock()
const env = { ...createNodeEnv({ log: 'silent' }), clock }

before(async () => {
  cluster = await startCluster()
  registry = new AccountRegistry({ env, client: cluster.client, root })
})
after(() => cluster.close())

function gateway(): StoredAccounts {
  return new StoredAccounts({ env, client: cluster.client, root })
}

const refuses = (work: Promise<unknown>, code: ErrorCode) => assert.rejects(work, (error) => isAshlarError(error, code))

describe('AccountRegistry', () => {
  test('addUser() gives each user an id of its own, and a name and an address only once', async () => {
    const ann = await registry.addUser('ann', { email: 'ann@example.com' })
    const ben = await registry.addUser('ben')
    assert.match(ann.id, /^[0-9a-f]{64}$/)
    assert.notEqual(ann.id, ben.id)
    await refuses(registry.addUser('ann'), 'already-exists')
    await refuses(registry.addUser('other', { email: 'ann@example.com' }), 'already-exists')
    for (const name of ['', 'root', '.', '..', 'a/b', 'a b', 'a*', 'x'.repeat(65), 'ü']) {
      await refuses(registry.addUser(name), 'invalid-name')
    }
    await refuses(registry.addUser('other', { email: 'nobody' }), 'invalid-argument')
    const rows = await registry.users()
    assert.deepEqual(
      rows.map(({ name, email, isDisabled }) => [name, email, isDisabled]),
      [
        ['ann', 'ann@example.com', false],
        ['ben', undefined, false],
      ],
    )
  })

  test('of eight that add one user at once, one does', async () => {
    const results = await Promise.allSettled(Array.from({ length: 8 }, () => registry.addUser('once')))
    assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1)
  })

  test('putPolicy() takes what a user can have, and says what is wrong with the rest', async () => {
    await registry.addUser('polly')
    await registry.putPolicy('polly', { name: 'read', text: readAll })
    assert.deepEqual(
      (await registry.users()).find(({ name }) => name === 'polly')?.policies,
      new Map([['read', readAll]]),
    )
    await assert.rejects(registry.putPolicy('polly', { name: 'bad', text: '{"Statement":{"Effect":"Maybe"}}' }), {
      code: 'invalid-argument',
      message: /Effect must be Allow or Deny/,
    })
    const withPrincipal = readAll.replace('"Sid"', '"Principal":"*","Sid"')
    await refuses(registry.putPolicy('polly', { name: 'bad', text: withPrincipal }), 'invalid-argument')
    await refuses(registry.putPolicy('polly', { name: 'a/b', text: readAll }), 'invalid-argument')
    await refuses(registry.putPolicy('nobody', { name: 'read', text: readAll }), 'not-found')
    await refuses(registry.putPolicy('polly', { name: 'long', text: ' '.repeat(20_000) }), 'too-large')
    for (let count = 1; count < 10; count++) await registry.putPolicy('polly', { name: `p${count}`, text: readAll })
    await refuses(registry.putPolicy('polly', { name: 'one-more', text: readAll }), 'too-large')
    await registry.removePolicy('polly', { name: 'p1' })
    await registry.putPolicy('polly', { name: 'one-more', text: readAll })
  })

  test('addKey() keeps the secret sealed, and revokeKey() leaves nothing of it, not in the trash either', async () => {
    await registry.addUser('kim')
    const key = await registry.addKey('kim')
    assert.match(key.accessKeyId, /^ASHL[A-Z2-7]{16}$/)
    assert.equal(key.secretAccessKey.length, 40)
    const stats = await cluster.client.stat(`${keysFolder}/${key.accessKeyId}`, { xattrs: true })
    for (const value of stats.xattrs.values()) assert.ok(!value.includes(key.secretAccessKey))
    await refuses(registry.addKey('nobody'), 'not-found')
    await refuses(registry.addKey('kim', { given: { ...key, secretAccessKey: 'x'.repeat(20) } }), 'already-exists')
    await refuses(registry.addKey('kim', { given: root }), 'invalid-argument')
    await refuses(registry.addKey('kim', { given: { ...root, secretAccessKey: 'x'.repeat(20) } }), 'already-exists')
    await refuses(
      registry.addKey('kim', { given: { accessKeyId: '..', secretAccessKey: 'x'.repeat(20) } }),
      'invalid-argument',
    )

    await registry.revokeKey(key.accessKeyId)
    await refuses(registry.revokeKey(key.accessKeyId), 'not-found')
    await refuses(registry.revokeKey('../users/kim'), 'not-found')
    assert.ok((await registry.users()).some(({ name }) => name === 'kim'))
    const { path } = await cluster.client.undelete(`${keysFolder}/${key.accessKeyId}`)
    assert.equal((await cluster.client.stat(path, { xattrs: true })).xattrs.size, 0)
    assert.equal((await gateway().current()).findKey(key.accessKeyId), undefined)
    for (let count = 0; count < 16; count++) await registry.addKey('kim')
    await refuses(registry.addKey('kim'), 'too-large')
  })
})

describe('StoredAccounts.current()', () => {
  test('lets in the root key, and keys of enabled users with their policies', async () => {
    const { id } = await registry.addUser('una', { email: 'una@example.com' })
    await registry.putPolicy('una', { name: 'read', text: readAll })
    const key = await registry.addKey('una')
    const accounts = await gateway().current()
    assert.equal(accounts.findKey('ROOTKEY')?.account.isRoot, true)
    assert.equal(accounts.findKey('nobody'), undefined)
    const found = accounts.findKey(key.accessKeyId)
    assert.equal(found?.secretAccessKey, key.secretAccessKey)
    assert.deepEqual([found?.account.id, found?.account.userName, found?.account.isRoot], [id, 'una', false])
    assert.equal(found?.account.policies?.[0]?.statements[0]?.name, 'all')
    assert.equal(accounts.findById(id)?.userName, 'una')
    assert.equal(accounts.findByEmail('una@example.com')?.id, id)
    assert.equal(accounts.owner(id).displayName, 'una')
    assert.equal(accounts.owner(undefined).id, 'root')
  })

  test('a revoked key and a disabled user stop within seconds, at every gateway, and enabling lets in again', async () => {
    await registry.addUser('dan')
    const [first, second] = [await registry.addKey('dan'), await registry.addKey('dan')]
    const doors = [gateway(), gateway()]
    const opens = async (id: string) =>
      await Promise.all(doors.map(async (door) => (await door.current()).findKey(id) !== undefined))
    assert.deepEqual(await opens(first.accessKeyId), [true, true])
    await registry.revokeKey(first.accessKeyId)
    await clock.advance(1001)
    assert.deepEqual(await opens(first.accessKeyId), [false, false])
    assert.deepEqual(await opens(second.accessKeyId), [true, true])
    await registry.setDisabled('dan', { isDisabled: true })
    await clock.advance(1001)
    assert.deepEqual(await opens(second.accessKeyId), [false, false])
    await registry.setDisabled('dan', { isDisabled: false })
    await clock.advance(1001)
    assert.deepEqual(await opens(second.accessKeyId), [true, true])
  })

  test('isFresh sees a key that was added a moment ago', async () => {
    await registry.addUser('eli')
    const door = gateway()
    await door.current()
    const key = await registry.addKey('eli')
    const [stale, fresh] = await Promise.all([door.current(), door.current({ isFresh: true })])
    assert.equal(stale.findKey(key.accessKeyId), undefined)
    assert.ok(fresh.findKey(key.accessKeyId))
  })

  test('reads all again only when something changed, and at the latest after a minute', async () => {
    let lists = 0
    const client = new Proxy(cluster.client, {
      get: (target, name) => {
        if (name === 'list') lists++
        const value = Reflect.get(target, name)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    const door = new StoredAccounts({ env, client, root })
    await Promise.all([door.current(), door.current(), door.current()])
    assert.equal(lists, 2)
    await clock.advance(5000)
    await door.current()
    assert.equal(lists, 2)
    await registry.addUser('new')
    await clock.advance(1001)
    await door.current()
    assert.equal(lists, 4)
    await clock.advance(60_001)
    await door.current()
    assert.equal(lists, 6)
  })

  test('lets nobody in by guess: another root key, a row that is none, a policy of another version', async () => {
    await registry.addUser('gus')
    const key = await registry.addKey('gus')
    const other = new StoredAccounts({ env, client: cluster.client, root: { ...root, secretAccessKey: 'another' } })
    assert.equal((await other.current()).findKey(key.accessKeyId), undefined)
    await cluster.client.setXattr(`${usersFolder}/gus`, 's3.policy.new', '{"Statement":[],"Later":1}')
    assert.equal((await gateway().current()).findKey(key.accessKeyId), undefined)
    await cluster.client.removeXattr(`${usersFolder}/gus`, 's3.policy.new')
    assert.ok((await gateway().current()).findKey(key.accessKeyId))
    await cluster.client.setXattr(`${usersFolder}/gus`, 's3.user', '{"version":2}')
    await refuses(gateway().current(), 'version-unsupported')
    await cluster.client.rm(`${usersFolder}/gus`)
    assert.equal((await gateway().current()).findKey(key.accessKeyId), undefined)
  })
})
