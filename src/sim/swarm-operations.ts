/**
 * The work of a simulated minute: some kinds of operations on few names, so that they meet.
 *
 * Two regions: below `/t` a tree where everything happens to everything; below `/k` single files that only single-file
 * operations touch, so that the history of each can be judged alone (by another checker than ours, too).
 * @module
 */
import type { Random } from '../env/random.ts'
import type { SeededRandom } from '../env/seeded-random.ts'
import type { Action, ContentSpec, Operation } from './operations.ts'
import type { SimCluster } from './script.ts'

/** Where the files lie that only single-file operations touch. */
export const keysDirectory = '/k'
const treeDirectory = '/t'

const names = ['a', 'ab', 'b', 'ä ö'] as const
const firstAtMs = 200

/** How often each kind is drawn, where a seed has it at all. */
const weights: Readonly<Record<Action['kind'], number>> = {
  write: 6,
  append: 3,
  read: 6,
  stat: 1,
  list: 2,
  'make-directory': 2,
  rename: 4,
  remove: 2,
  copy: 2,
  truncate: 1,
  concat: 1,
  undelete: 2,
  'empty-trash': 0.5,
  'list-trash': 1,
}

interface Mixture {
  readonly random: Random
  readonly weights: Readonly<Record<string, number>>
  readonly paths: readonly string[]
  readonly keys: readonly string[]
  readonly keyShare: number
  readonly drawLength: () => number
  readonly conditionShare: number
}

export function drawOperations(
  random: SeededRandom,
  { cluster, durationMs }: { readonly cluster: SimCluster; readonly durationMs: number },
): readonly Operation[] {
  const mixture = drawMixture(random, cluster)
  const times = drawTimes(random, durationMs)
  const made: Operation[] = [keysDirectory, treeDirectory].map((path, id) => ({
    id,
    client: 0,
    atMs: 0,
    kind: 'make-directory',
    path,
    recursive: true,
  }))
  return [
    ...made,
    ...times.map((atMs, index): Operation => {
      const id = made.length + index
      return { ...drawAction(mixture, id), id, client: random.below(cluster.clients), atMs }
    }),
  ]
}

function drawMixture(random: SeededRandom, { chunkSizeBytes }: SimCluster): Mixture {
  const kinds = Object.entries(weights).map(([kind, weight]) => {
    const isIn = kind === 'write' || kind === 'read' || random.fraction() < 0.7
    return [kind, isIn ? weight * (0.5 + random.fraction()) : 0] as const
  })
  const depth = 1 + random.below(3)
  const width = 1 + random.below(names.length)
  return {
    random,
    weights: Object.fromEntries(kinds),
    paths: treePaths(names.slice(0, width), depth),
    keys: Array.from({ length: 1 + random.below(4) }, (_, index) => `${keysDirectory}/${index}`),
    keyShare: random.weighted([0, 0.3, 0.8], () => 1),
    drawLength: lengthDrawer(random, chunkSizeBytes),
    conditionShare: random.weighted([0, 0.2, 0.6], () => 1),
  }
}

function treePaths(choices: readonly string[], depth: number): readonly string[] {
  let level: readonly string[] = [treeDirectory]
  const all: string[] = []
  for (let at = 0; at < depth; at++) {
    level = level.flatMap((parent) => choices.map((name) => `${parent}/${name}`))
    all.push(...level)
  }
  return all
}

/** Nothing, tiny, around a chunk's length, several chunks: never so much that a run is about bytes. */
function lengthDrawer(random: Random, chunkSizeBytes: number): () => number {
  const most = Math.min(3.5 * chunkSizeBytes, 2.5 * 2 ** 20)
  const isBulky = most > 2 ** 18
  const draws: readonly (readonly [number, () => number])[] = [
    [1, () => 0],
    [6, () => 1 + random.below(200)],
    [4, () => 1 + random.below(Math.min(most, 12_000))],
    [isBulky ? 1.5 : 2, () => Math.min(most, chunkSizeBytes - 1 + random.below(3))],
    [isBulky ? 0.4 : 2, () => 1 + random.below(most)],
  ]
  return () => Math.floor(random.weighted(draws, ([weight]) => weight)[1]())
}

/** Two operations a second on average: spread out, or in bursts that run side by side. */
function drawTimes(random: Random, durationMs: number): readonly number[] {
  const count = Math.round((durationMs / 1000) * 2)
  const burst = random.weighted([1, 1, 3, 8], () => 1)
  const lastAtMs = durationMs * 0.95
  const times: number[] = []
  while (times.length < count) {
    const atMs = firstAtMs + random.fraction() * (lastAtMs - firstAtMs)
    const size = 1 + random.below(burst)
    for (let index = 0; index < size && times.length < count; index++) {
      times.push(Math.round(atMs + random.fraction() * (burst > 1 ? 20 : 0)))
    }
  }
  return times.sort((a, b) => a - b)
}

function drawAction(mixture: Mixture, id: number): Action {
  const { random } = mixture
  if (random.fraction() < mixture.keyShare) return drawKeyAction(mixture, id)
  const kind = random.weighted(Object.entries(mixture.weights), ([, weight]) => weight)[0] as Action['kind']
  const path = anyOf(random, mixture.paths)
  switch (kind) {
    case 'write':
      return { kind, path, content: drawContent(mixture, id), ...drawCondition(mixture) }
    case 'append':
      return { kind, path, content: drawSomeContent(mixture, id), ...drawLengthCondition(mixture) }
    case 'read':
    case 'stat':
    case 'undelete':
      return { kind, path }
    case 'list':
      return {
        kind,
        path: anyOf(random, ['/', treeDirectory, path]),
        pageEntries: random.weighted([1, 2, 100], () => 1),
      }
    case 'make-directory':
      return { kind, path, recursive: random.fraction() < 0.8 }
    case 'rename':
      return { kind, from: path, to: anyOf(random, mixture.paths), replace: random.fraction() < 0.8 }
    case 'remove':
      return { kind, path, recursive: random.fraction() < 0.6 }
    case 'copy':
      return { kind, from: path, to: anyOf(random, mixture.paths) }
    case 'truncate':
      return { kind, path, length: random.weighted([0, 1, mixture.drawLength()], () => 1) }
    case 'concat': {
      const sources = [anyOf(random, mixture.paths), anyOf(random, mixture.paths)]
      return { kind, path, sources: sources.slice(0, 1 + random.below(2)) }
    }
    case 'empty-trash':
    case 'list-trash':
      return { kind, path: anyOf(random, ['/', treeDirectory, path]) }
  }
}

/** On a file that only such operations touch. */
function drawKeyAction(mixture: Mixture, id: number): Action {
  const { random } = mixture
  const path = anyOf(random, mixture.keys)
  const kind = random.weighted([...keyKinds], ([, weight]) => weight)[0]
  switch (kind) {
    case 'write':
      return { kind, path, content: drawContent(mixture, id), ...drawCondition(mixture) }
    case 'append':
      return { kind, path, content: drawSomeContent(mixture, id), ...drawLengthCondition(mixture) }
    case 'remove':
      return { kind, path, recursive: false }
    default:
      return { kind: 'read', path }
  }
}

const keyKinds = [
  ['write', 4],
  ['append', 2],
  ['read', 6],
  ['remove', 1],
] as const

function drawContent({ drawLength }: Mixture, id: number): ContentSpec {
  return { seed: id, length: drawLength() }
}

function drawSomeContent({ drawLength }: Mixture, id: number): ContentSpec {
  return { seed: id, length: Math.max(1, drawLength()) }
}

function drawCondition({ random, conditionShare }: Mixture): { readonly condition?: 'absent' | 'current' | 'stale' } {
  if (random.fraction() >= conditionShare) return {}
  return { condition: random.weighted(['absent', 'current', 'current', 'stale'] as const, () => 1) }
}

function drawLengthCondition({ random, conditionShare }: Mixture): { readonly condition?: 'current' | 'stale' } {
  if (random.fraction() >= conditionShare) return {}
  return { condition: random.weighted(['current', 'current', 'stale'] as const, () => 1) }
}

function anyOf<T>(random: Random, items: readonly T[]): T {
  return items[random.below(items.length)] as T
}
