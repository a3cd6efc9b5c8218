import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ServerId } from '../base/ids.ts'
import { rising } from '../base/rising.ts'
import { createNodeEnv } from '../env/node-env.ts'
import type { Leader, Namespace } from '../namespace/operations.ts'
import type { ServerEntry } from '../wire/types/cluster-map.ts'
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
