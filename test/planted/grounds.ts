/**
 * What planted bugs are planted on: edits that make a bug's moment frequent and are right by themselves, so that the
 * control has them, too.
 * @module
 */

import type { FaultKind } from '../../src/sim/script.ts'

export interface Edit {
  /** Below `src/`. */
  readonly file: string
  readonly find: string
  readonly replace: string
}

export interface PlantedBug {
  readonly name: string
  /** Makes the bug's moment frequent, and is right by itself: planted in the control, too. */
  readonly ground?: readonly Edit[]
  /** What is wrong, in a sentence. */
  readonly what: string
  readonly edits: readonly Edit[]
}

/** Of all faults these alone, and some deaths. */
function only(kind: FaultKind): Edit {
  return {
    file: 'sim/swarm-faults.ts',
    find: '    const share = isDeath(kind) ?',
    replace: `    if (kind === '${kind}') return true\n    if (kind !== 'kill') return false\n    const share = isDeath(kind) ?`,
  }
}

/** Chunk files of a few kilobytes: the simulator's files are small. */
export const smallChunkFiles: readonly Edit[] = [
  { file: 'base/limits.ts', find: '  chunkFileMinBytes: MiB,', replace: '  chunkFileMinBytes: 4096,' },
]
/** Chunks that go in pieces, on a connection of their own, so that it can break under them. */
export const streamedChunks: readonly Edit[] = [
  { file: 'base/limits.ts', find: '  smallTransferBytes: 64 * KiB,', replace: '  smallTransferBytes: 512,' },
]

/** Servers count as dead at once, so that groups change their members all the time. */
export const manyChanges: readonly Edit[] = [
  {
    file: 'sim/swarm.ts',
    find: 'deadAfterMs: Number(pick(random, { 3000: 1, 8000: 3, 30000: 2 })),',
    replace: 'deadAfterMs: Number(pick(random, { 1500: 1, 2000: 1 })),',
  },
  {
    file: 'sim/swarm-faults.ts',
    find: '    const share = isDeath(kind) ?',
    replace:
      "    if (kind !== 'kill' && kind !== 'pause' && kind !== 'partition') return false\n    const share = isDeath(kind) ?",
  },
]
/** A writer thinks for a while between its receipts and its commit. */
export const lateCommits: readonly Edit[] = [
  {
    file: 'client/chunk-writer.ts',
    find: '        if (failures.length === 0 && proven.receipts.length >= minReplicas) return proven',
    replace:
      '        if (failures.length === 0 && proven.receipts.length >= minReplicas) {\n          await sleep(clock, 4_000 * this.#env.random.fraction(), signal)\n          return proven\n        }',
  },
]
/** Syncs that fail once, and then no power. */
export const failedSyncs: readonly Edit[] = [
  only('failed-sync'),
  // Records that fill blocks of the disk: a later write into the same block would take them along.
  {
    file: 'sim/swarm.ts',
    find: '{ [KiB]: 1, [4 * KiB]: 4, [64 * KiB]: 3, [100_000]: 1, [MiB]: 2, [8 * MiB]: 1 }',
    replace: '{ [64 * KiB]: 1 }',
  },
  {
    file: 'sim/swarm-operations.ts',
    find: '    [6, () => 1 + random.below(200)],',
    replace: '    [12, () => 20_000 + random.below(20_000)],',
  },
  // Where a record begins a segment, another sync fails first.
  {
    file: 'sim/sim-world.ts',
    find: 'const segmentSizes = [16 * 1024, 64 * 1024, 1024 * 1024]',
    replace: 'const segmentSizes = [1024 * 1024]',
  },
]

/** Wall clocks that jump. */
export const jumpingClocks: readonly Edit[] = [only('clock-jump')]
/** Bits that flip. */
export const flippedBits: readonly Edit[] = [only('bit-flip')]

/** Masters that lose their disks, and are built anew from the chunk servers. */
export const lostDisks: readonly Edit[] = [
  only('master-disk-lost'),
  { file: 'sim/swarm.ts', find: '...(chance(random, 0.3) ? { backups: true } : {}),', replace: 'backups: true,' },
]
/** The oracles look all the time. */
export const manyLooks: readonly Edit[] = [
  { file: 'sim/simulate.ts', find: 'const watchIntervalMs = 5_000', replace: 'const watchIntervalMs = 300' },
]
/** What is removed goes at once. */
export const noTrash: readonly Edit[] = [
  {
    file: 'sim/swarm.ts',
    find: 'trashKeepMs: Number(pick(random, { 0: 1, 5000: 1, 20000: 2, [7 * day]: 6 })),',
    replace: 'trashKeepMs: 0,',
  },
]

/** Power that comes and goes, and segments that are soon full. */
export const powerCuts: readonly Edit[] = [
  {
    file: 'sim/swarm-faults.ts',
    find: '    const share = isDeath(kind) ?',
    replace:
      "    if (kind === 'power-loss') return true\n    if (kind !== 'kill') return false\n    const share = isDeath(kind) ?",
  },
  {
    file: 'sim/sim-world.ts',
    find: 'const segmentSizes = [16 * 1024, 64 * 1024, 1024 * 1024]',
    replace: 'const segmentSizes = [16 * 1024]',
  },
]
