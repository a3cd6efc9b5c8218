/**
 * What is asked of an S3 endpoint: ours, a rival's and an empty server's get the same requests from the same client.
 * @module
 */
import type { Unit } from '../figures.ts'
import type { LoadOptions } from './s3-load.ts'

export interface S3Step {
  /** As in `S3 4 KiB put, 16 in flight`. */
  readonly name: string
  readonly load: Omit<LoadOptions, 'bucket'>
  readonly unit: Extract<Unit, 'MiB/s' | '/s'>
  /** MiB of each request, or 1. */
  readonly amountEach: number
  /** An empty server can be asked the same. */
  readonly hasLimit: boolean
}

const KiB = 1024
const MiB = 1024 * KiB
const smallCounts: readonly (readonly [inFlight: number, count: number])[] = [
  [1, 500],
  [16, 4_000],
  [64, 4_000],
]
const largeCount = 12

/** Of one round, in their order: what is put is read, listed and deleted. */
export function s3Steps({ round, scale }: { readonly round: number; readonly scale: number }): readonly S3Step[] {
  const steps: S3Step[] = []
  for (const [inFlight, full] of smallCounts) {
    const count = Math.max(20, Math.round(full * scale))
    const prefix = `r${round}-${inFlight}/`
    const add = (op: LoadOptions['op']) =>
      steps.push({
        name: `S3 4 KiB ${op}, ${inFlight} in flight`,
        load: { op, prefix, inFlight, count, sizeBytes: 4 * KiB },
        ...{ unit: '/s', amountEach: 1, hasLimit: true },
      })
    for (const op of ['put', 'get', 'head'] as const) add(op)
    if (inFlight === 64) {
      const load = { op: 'list', prefix, count } as const
      steps.push({ name: 'S3 list, keys', load, unit: '/s', amountEach: 1, hasLimit: false })
    }
    add('delete')
  }
  const count = Math.max(4, Math.round(largeCount * scale))
  for (const op of ['put', 'get', 'delete'] as const) {
    const load = { op, prefix: `r${round}-large/`, inFlight: 4, count, sizeBytes: 64 * MiB } as const
    steps.push({ name: `S3 64 MiB ${op}, 4 in flight`, load, unit: 'MiB/s', amountEach: 64, hasLimit: op !== 'delete' })
  }
  return steps
}

/** The deletes that only tidy up. */
export function isCounted({ name }: S3Step): boolean {
  return !name.startsWith('S3 64 MiB delete')
}
