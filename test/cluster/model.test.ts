/**
 * Random operations through the real client on a whole cluster, with deaths in between, against a small model file system.
 * A failing run is shrunk to the shortest one that fails, and printed with its seed.
 *
 *     ASHLAR_MODEL_MS=600000 ASHLAR_MODEL_SEED=7 npm test -- test/cluster/model
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { AshlarError } from '../../src/base/errors.ts'
import type { AshlarClient } from '../../src/client/index.ts'
import { startCluster, type TestCluster } from '../../src/testing/index.ts'
import { someBytes } from '../contract/chunk-store.ts'
import { ModelFiles, Refused } from './model-files.ts'

const budgetMs = Number(process.env['ASHLAR_MODEL_MS'] ?? 10_000)
const seed = Number(process.env['ASHLAR_MODEL_SEED'] ?? 20_261_121)
/** Several chunks and a segment's records in a few kilobytes. */
const chunkSizeBytes = 4096

interface Real {
  readonly cluster: TestCluster
  readonly client: AshlarClient
}

/** One operation of both: the same result, or the same refusal. */
class Step<T> implements fc.AsyncCommand<ModelFiles, Real> {
  readonly #text: string
  readonly #expected: (model: ModelFiles) => T
  readonly #actual: (real: Real) => Promise<T>

  constructor(text: string, expected: (model: ModelFiles) => T, actual: (real: Real) => Promise<T>) {
    this.#text = text
    this.#expected = expected
    this.#actual = actual
  }

  check(): boolean {
    return true
  }

  async run(model: ModelFiles, real: Real): Promise<void> {
    const expected = outcomeOf(() => this.#expected(model))
    const actual = await this.#actual(real).then(
      (value) => ({ value }),
      (error: unknown) => {
        if (error instanceof AshlarError) return { refused: error.code }
        throw error
      },
    )
    assert.deepEqual(actual, expected, this.#text)
  }

  toString(): string {
    return this.#text
  }
}

function outcomeOf<T>(work: () => T): { readonly value: T } | { readonly refused: string } {
  try {
    return { value: work() }
  } catch (error) {
    if (error instanceof Refused) return { refused: error.message }
    throw error
  }
}

const name = fc.constantFrom('a', 'b', 'c', 'ä ö')
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => `/${names.join('/')}`)
const bytes = fc
  .tuple(fc.constantFrom(0, 1, 100, 4096, 4097, 13_000), fc.nat(1000))
  .map(([length, salt]) => someBytes(length, salt + 1))
const someOfThem = bytes.filter((value) => value.length > 0)

const commands: fc.Arbitrary<fc.AsyncCommand<ModelFiles, Real>>[] = [
  fc.tuple(path, bytes, fc.boolean()).map(
    ([at, data, ifAbsent]) =>
      new Step(
        `write ${at} ${data.length} ${ifAbsent}`,
        (model) => model.write(at, data, { ifAbsent }),
        async ({ client }) => void (await client.writeFile(at, data, ifAbsent ? { ifAbsent } : {})),
      ),
  ),
  // Over the version that is there, or over the one before.
  fc.tuple(path, bytes, fc.boolean()).map(
    ([at, data, isStale]) =>
      new Step(
        `replace ${at} ${data.length} ${isStale ? 'stale' : 'current'}`,
        (model) => {
          model.file(at)
          if (isStale) throw new Refused('changed')
          model.write(at, data)
        },
        async ({ client }) => {
          const stats = await client.stat(at)
          if (stats.isDirectory()) throw new AshlarError('is-a-directory', at)
          await client.writeFile(at, data, { ifVersion: isStale ? stats.version - 1 : stats.version })
        },
      ),
  ),
  fc.tuple(path, someOfThem, fc.constantFrom('any', 'right', 'wrong')).map(
    ([at, data, expectation]) =>
      new Step(
        `append ${at} ${data.length} ${expectation}`,
        (model) => {
          if (expectation === 'any') return model.append(at, data)
          const { length } = model.file(at).bytes
          model.append(at, data, expectation === 'right' ? length : length + 1)
        },
        async ({ client }) => {
          if (expectation === 'any') return void (await client.appendFile(at, data))
          const stats = await client.stat(at)
          if (stats.isDirectory()) throw new AshlarError('is-a-directory', at)
          await client.appendFile(at, data, { expectedLength: expectation === 'right' ? stats.size : stats.size + 1 })
        },
      ),
  ),
  fc.tuple(path, fc.constantFrom(0, 1, 4096, 5000)).map(
    ([at, length]) =>
      new Step(
        `truncate ${at} ${length}`,
        (model) => model.truncate(at, length),
        async ({ client }) => void (await client.truncate(at, length)),
      ),
  ),
  fc.tuple(path, fc.array(path, { minLength: 1, maxLength: 2 })).map(
    ([at, sources]) =>
      new Step(
        `concat ${at} ${sources.join(' ')}`,
        (model) => model.concat(at, sources),
        async ({ client }) => void (await client.concat(at, sources)),
      ),
  ),
  fc.tuple(path, path).map(
    ([from, to]) =>
      new Step(
        `copy ${from} ${to}`,
        (model) => model.copy(from, to),
        async ({ client }) => void (await client.copyFile(from, to)),
      ),
  ),
  fc.tuple(path, path).map(
    ([from, to]) =>
      new Step(
        `rename ${from} ${to}`,
        (model) => model.rename(from, to),
        async ({ client }) => void (await client.rename(from, to)),
      ),
  ),
  fc.tuple(path, fc.boolean()).map(
    ([at, recursive]) =>
      new Step(
        `rm ${at} ${recursive}`,
        (model) => model.remove(at, { recursive }),
        async ({ client }) => void (await client.rm(at, { recursive })),
      ),
  ),
  path.map(
    (at) =>
      new Step(
        `undelete ${at}`,
        (model) => model.undelete(at),
        async ({ client }) => void (await client.undelete(at)),
      ),
  ),
  path.map(
    (at) =>
      new Step(
        `mkdir ${at}`,
        (model) => model.makeDirectory(at),
        async ({ client }) => void (await client.mkdir(at, { recursive: true })),
      ),
  ),
  fc.tuple(path, fc.constantFrom('user.x', 'user.y'), fc.string({ maxLength: 20 })).map(
    ([at, key, value]) =>
      new Step(
        `setXattr ${at} ${key}`,
        (model) => model.setXattr(at, key, value),
        async ({ client }) => {
          if ((await client.stat(at)).isDirectory()) throw new AshlarError('is-a-directory', at)
          await client.setXattr(at, key, value)
        },
      ),
  ),
  path.map(
    (at) =>
      new Step(
        `read ${at}`,
        (model) => model.file(at).bytes.toString('hex'),
        async ({ client }) => await client.readFile(at, 'hex'),
      ),
  ),
  path.map(
    (at) =>
      new Step(
        `stat ${at}`,
        (model) => {
          const node = model.find(at)
          return node.kind === 'file' ? `${node.bytes.length} ${xattrText(node.xattrs)}` : 'directory'
        },
        async ({ client }) => {
          const stats = await client.stat(at, { xattrs: true })
          if (stats.isDirectory()) return 'directory'
          return `${stats.size} ${xattrText(stats.xattrs)}`
        },
      ),
  ),
  fc.tuple(fc.oneof(path, fc.constant('/')), fc.constantFrom(1, 2, 1000)).map(
    ([at, pageEntries]) =>
      new Step(
        `list ${at} ${pageEntries}`,
        (model) => model.list(at),
        async ({ client }) => {
          const names: string[] = []
          for await (const entry of client.list(at, { pageEntries })) names.push(entry.name)
          return names
        },
      ),
  ),
  fc.nat(2).map(
    (index) =>
      new Step(
        `restart chunk server ${index}`,
        () => undefined,
        async ({ cluster }) => await cluster.chunkServers[index]?.restart(),
      ),
  ),
  fc.constant(
    new Step(
      'restart the master',
      () => undefined,
      async ({ cluster }) => await cluster.restartMaster(),
    ),
  ),
]

function xattrText(xattrs: ReadonlyMap<string, Buffer | string>): string {
  return [...xattrs]
    .map(([key, value]) => `${key}=${Buffer.from(value).toString('hex')}`)
    .sort()
    .join(' ')
}

/** Everything, compared. */
async function checkAll(model: ModelFiles, client: AshlarClient): Promise<void> {
  const expected = model.all()
  const found = await client.readdir('/', { recursive: true })
  assert.deepEqual(found.map((relative) => `/${relative}`).sort(), [...expected.keys()].sort())
  for (const [at, node] of expected) {
    if (node.kind === 'file') assert.ok((await client.readFile(at)).equals(node.bytes), at)
    else assert.equal((await client.stat(at)).isDirectory(), true, at)
  }
}

test('the client agrees with a model file system, whatever is done and whoever dies', async (t) => {
  t.diagnostic(`seed ${seed}, ${budgetMs} ms`)
  let runs = 0
  await fc.assert(
    fc.asyncProperty(fc.commands(commands, { maxCommands: 60, size: 'max' }), async (steps) => {
      runs++
      await using cluster = await startCluster({ chunkSizeBytes, seed: runs })
      const model = new ModelFiles()
      await fc.asyncModelRun(() => ({ model, real: { cluster, client: cluster.client } }), steps)
      await checkAll(model, cluster.client)
    }),
    { seed, numRuns: 1_000_000, interruptAfterTimeLimit: budgetMs, markInterruptAsFailure: false, endOnFailure: false },
  )
  assert.ok(runs > 1)
  t.diagnostic(`${runs} runs`)
})
