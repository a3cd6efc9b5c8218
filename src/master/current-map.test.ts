import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AshlarError } from '../base/errors.ts'
import type { GroupId, ServerId } from '../base/ids.ts'
import { rising } from '../base/rising.ts'
import { createNodeEnv } from '../env/node-env.ts'
import type { Leader, Namespace } from '../namespace/operations.ts'
import type { Group, ServerEntry } from '../wire/types/cluster-map.ts'
import { CurrentMap } from './current-map.ts'
import type { Settings } from './settings.ts'

const server: ServerEntry = {
  id: 'a'.repeat(32) as ServerId,
  address: 'old:1',
  httpAddress: 'old:2',
  domain: 'host',
  state: 'up',
}

// So that a server which was found suspect while it registered anew is not looked for at its old address for good.
test('CurrentMap.setState() keeps the address that a registration before it brought', async () => {
  const current = await CurrentMap.load({
    env: createNodeEnv({ log: 'silent' }),
    namespace: {
      getServers: async ({ after }: { readonly after?: ServerId }) => (after === undefined ? [{ server }] : []),
      getGroups: async () => [],
      mapVersion: async () => rising(0, 1),
    } as unknown as Namespace,
    leader: { putServer: async () => undefined } as unknown as Leader,
    settings: { values: { defaultPolicy: 'none' }, policies: [], policy: () => undefined } as unknown as Settings,
    generation: 0,
    issue: () => rising(0, 1),
  })
  const registered = current.putServer({ ...server, address: 'new:1', state: 'up' })
  await Promise.all([registered, current.setState(server.id, 'suspect')])
  assert.deepEqual(current.index.server(server.id), { ...server, address: 'new:1', state: 'suspect' })
})

// Found by simulation (seed 30918): the map was never read again, and the worker that compares it with what it sees span.
test('CurrentMap.setState() shows, when it is asked again, what the store failed behind the change', async () => {
  const failures: AshlarError[] = []
  const states: string[] = []
  const current = await CurrentMap.load({
    env: createNodeEnv({ log: 'silent' }),
    namespace: {
      getServers: async ({ after }: { readonly after?: ServerId }) => (after === undefined ? [{ server }] : []),
      getGroups: async () => [],
      mapVersion: async () => {
        const failure = failures.pop()
        if (failure !== undefined) throw failure
        return rising(0, 1)
      },
    } as unknown as Namespace,
    leader: {
      putServer: async ({ server: entry }: { readonly server: ServerEntry }) => {
        states.push(entry.state)
      },
    } as unknown as Leader,
    settings: { values: { defaultPolicy: 'none' }, policies: [], policy: () => undefined } as unknown as Settings,
    generation: 0,
    issue: () => rising(0, 2),
  })
  failures.push(new AshlarError('commit-unknown', 'Cannot tell'))
  await assert.rejects(current.setState(server.id, 'dead'), { code: 'commit-unknown' })
  await current.setState(server.id, 'dead')
  assert.equal(current.index.server(server.id)?.state, 'dead')
  assert.deepEqual(states, ['dead'])
})

// Found by simulation (seed 10120): the row had changed, the map had not, and every later plan was refused by the row.
test('CurrentMap.settleMembers() reads what a failed change may have left, and keeps what its neighbours did', async () => {
  const others = ['b', 'c', 'd'].map((digit) => ({ ...server, id: digit.repeat(32) as ServerId, domain: digit }))
  const [joined, second, third] = others.map(({ id }) => id) as [ServerId, ServerId, ServerId]
  const epoch = rising(0, 1)
  const groupAt = (id: number, isSettled: boolean): Group => ({
    id: id as GroupId,
    epoch,
    policy: 'p',
    members: [
      { server: second, slot: 1, state: 'in' },
      { server: third, slot: 2, state: 'in' },
      ...(isSettled
        ? [{ server: joined, slot: 0, state: 'in' } as const]
        : ([
            { server: server.id, slot: 0, state: 'leaving' },
            { server: joined, slot: 0, state: 'filling' },
          ] as const)),
    ],
  })
  const rows = new Map([1, 2, 3].map((id) => [id as GroupId, groupAt(id, false)]))
  const answers: Record<number, Error | undefined> = {
    2: new AshlarError('commit-unknown', 'Cannot tell'),
    3: new AshlarError('transaction-conflict', 'Cannot commit'),
  }
  const settle = async ({ group }: { readonly group: GroupId }) => {
    if (group !== 3) rows.set(group, groupAt(group, true))
    const failure = answers[group]
    if (failure !== undefined) throw failure
    return rows.get(group)
  }
  const current = await CurrentMap.load({
    env: createNodeEnv({ log: 'silent' }),
    namespace: {
      getServers: async ({ after }: { readonly after?: ServerId }) =>
        after === undefined ? [server, ...others].map((entry) => ({ server: entry })) : [],
      getGroups: async ({ from = 0 as GroupId }: { readonly from?: GroupId }) =>
        [...rows.values()].filter(({ id }) => id >= from).map((group) => ({ group })),
      mapVersion: async () => rising(0, 1),
    } as unknown as Namespace,
    leader: { settleMember: settle } as unknown as Leader,
    settings: { values: { defaultPolicy: 'none' }, policies: [], policy: () => undefined } as unknown as Settings,
    generation: 0,
    issue: () => rising(0, 2),
  })
  const settlements = [...rows.keys()].map((group) => ({ group, epoch, joined }))
  await assert.rejects(current.settleMembers(settlements), { code: 'commit-unknown' })
  for (const [id, group] of rows) assert.deepEqual(current.index.group(id), group, `group ${id}`)
})
