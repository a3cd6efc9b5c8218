import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { checkRows } from '../../test/namespace/check-rows.ts'
import { extentText, ModelTree, type Operation, type TreeOperation } from '../../test/namespace/model-tree.ts'
import { memoryKV, type TestClient, TestMaster } from '../../test/namespace/test-master.ts'
import { isAshlarError } from '../base/errors.ts'
import type { MemoryFaults } from '../kv/memory-kv.ts'

/** What fast-check draws; chunks are written when it is run. */
type Drawn =
  | { readonly type: 'put' | 'append'; readonly path: string; readonly expectedLength: number; readonly chunks: number }
  | TreeOperation
  | { readonly type: 'purge' }

const name = fc.constantFrom('a', 'b', 'a\u0001')
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => `/${names.join('/')}`)
const length = fc.nat(30)
/** So that some files go past the inline extents. */
const chunks = fc.constantFrom(0, 1, 2, 6)

const drawn: fc.Arbitrary<Drawn> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ type: fc.constant('put' as const), path, expectedLength: fc.constant(0), chunks }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('append' as const),
      path,
      expectedLength: fc.constantFrom(3, 6, 18),
      chunks: fc.constantFrom(1, 5),
    }),
  },
  { weight: 4, arbitrary: fc.record({ type: fc.constant('makeDirectory' as const), path, recursive: fc.boolean() }) },
  {
    weight: 4,
    arbitrary: fc.record({ type: fc.constant('rename' as const), from: path, to: path, replace: fc.boolean() }),
  },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('remove' as const), path, recursive: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('undelete' as const), path }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('truncate' as const), path, length }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('concat' as const), path, source: path }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('copy' as const), from: path, to: path }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('purge' as const) }) },
)

interface Prepared {
  readonly operation: Operation
  readonly run: () => Promise<string>
}

/** Writes the chunks that an operation names; `put` with no chunk is an empty file. */
async function prepare(client: TestClient, drawn: Exclude<Drawn, { readonly type: 'purge' }>): Promise<Prepared> {
  if (!('chunks' in drawn)) return { operation: drawn, run: runner(client, drawn) }
  const written = await client.write(...new Array<number>(drawn.chunks).fill(3))
  const { type, path, expectedLength } = drawn
  const operation: Operation = { type, path, expectedLength, extents: written.extents }
  const run =
    type === 'put'
      ? resend(client.commitRequest(path, written), (request) => client.namespace.commitFile(request))
      : resend({ request: client.request(), path, expectedLength, ...written }, (request) =>
          client.namespace.appendFile(request),
        )
  return { operation, run }
}

function runner(client: TestClient, operation: TreeOperation): () => Promise<string> {
  const { namespace } = client
  const request = client.request()
  switch (operation.type) {
    case 'makeDirectory':
      return resend({ request, ...operation }, (message) => namespace.makeDirectory(message))
    case 'rename':
      return resend({ request, makeParents: false, precondition: {}, ...operation }, (message) =>
        namespace.rename(message),
      )
    case 'remove':
      return resend({ request, precondition: {}, ...operation }, (message) => namespace.remove(message))
    case 'undelete':
      return resend({ request, ...operation }, (message) => namespace.undelete(message))
    case 'truncate':
      return resend({ request, precondition: {}, ...operation }, (message) => namespace.truncate(message))
    case 'concat':
      return resend({ request, path: operation.path, sources: [operation.source] }, (message) =>
        namespace.concat(message),
      )
    case 'copy':
      return resend({ request, precondition: {}, makeParents: false, attributes: {}, ...operation }, (message) =>
        namespace.copyFile(message),
      )
  }
}

/** As a client does it: the same request again while its outcome is not known. @returns `ok` or the code of the refusal */
function resend<Request>(request: Request, send: (request: Request) => Promise<unknown>): () => Promise<string> {
  return async () => {
    for (;;) {
      try {
        await send(request)
        return 'ok'
      } catch (error) {
        if (!isAshlarError(error)) throw error
        const isRepeated = error.code === 'commit-unknown' || error.code === 'transaction-conflict'
        if (!isRepeated) return error.code
      }
    }
  }
}

async function snapshot(client: TestClient, directory = ''): Promise<Map<string, string>> {
  const seen = new Map<string, string>()
  for (const name of await client.names(directory === '' ? '/' : directory)) {
    const path = `${directory}/${name}`
    if (!name.endsWith('/')) {
      seen.set(path, (await client.extents(path)).map(extentText).join(' '))
      continue
    }
    const bare = path.slice(0, -1)
    seen.set(bare, 'directory')
    for (const [below, what] of await snapshot(client, bare)) seen.set(below, what)
  }
  return seen
}

function sorted(map: Map<string, string>): [string, string][] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1))
}

async function purge(master: TestMaster, models: readonly ModelTree[]): Promise<void> {
  master.timeMs += master.trashKeepMs
  await master.purgeAll()
  for (const model of models) model.emptyTrash()
}

test('random operations equal those of a model, and every row stays right', async () => {
  const property = fc.asyncProperty(
    fc.array(drawn, { minLength: 5, maxLength: 60, size: 'max' }),
    fc.nat(),
    async (operations, seed) => {
      const master = await TestMaster.start(memoryKV(seed, { conflict: 0.05 }))
      const client = await master.client()
      const model = new ModelTree()
      for (const one of operations) {
        if (one.type === 'purge') await purge(master, [model])
        else {
          const { operation, run } = await prepare(client, one)
          assert.equal(await run(), model.apply(operation), JSON.stringify(operation))
        }
      }
      assert.deepEqual(sorted(await snapshot(client)), sorted(model.snapshot()))
      await checkRows(master.context.kv)
    },
  )
  await fc.assert(property, { numRuns: 60 })
})

// Strict serializability of the namespace itself: some order of the concurrent operations explains every answer.
test('concurrent operations have an order that the model follows', async () => {
  const faults: Partial<MemoryFaults> = { conflict: 0.1, unknown: 0.1, delayMs: 0.1 }
  const batches = fc.array(fc.array(drawn, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 8, size: 'max' })
  const property = fc.asyncProperty(batches, fc.nat(), async (drawnBatches, seed) => {
    const kv = memoryKV(seed)
    const master = await TestMaster.start(kv)
    const client = await master.client()
    let models = [new ModelTree()]
    for (const batch of drawnBatches) {
      const mutations = batch.filter((one) => one.type !== 'purge')
      if (mutations.length < batch.length) await purge(master, models)
      const prepared: Prepared[] = []
      for (const one of mutations) prepared.push(await prepare(client, one))
      Object.assign(kv.faults, faults)
      const answers = await Promise.all(prepared.map(({ run }) => run()))
      Object.assign(kv.faults, { conflict: 0, unknown: 0, delayMs: 0 })
      const seen = JSON.stringify(sorted(await snapshot(client)))
      models = permutations(prepared.map((_, index) => index))
        .flatMap((order) => models.map((model) => ({ order, model: model.clone() })))
        .filter(({ order, model }) =>
          order.every((index) => model.apply((prepared[index] as Prepared).operation) === answers[index]),
        )
        .map(({ model }) => model)
        .filter((model) => JSON.stringify(sorted(model.snapshot())) === seen)
      assert.ok(
        models.length > 0,
        `no order explains ${JSON.stringify(prepared.map(({ operation }) => operation))} → ${answers}`,
      )
      models = models.slice(0, 12)
    }
    await checkRows(kv)
  })
  await fc.assert(property, { numRuns: 60 })
})

function permutations(items: readonly number[]): number[][] {
  if (items.length === 0) return [[]]
  return items.flatMap((item) => permutations(items.filter((other) => other !== item)).map((rest) => [item, ...rest]))
}
