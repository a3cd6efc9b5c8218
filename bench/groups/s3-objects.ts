/** Objects through the S3 door of the cluster, beside an empty HTTP server, and beside rivals that are there. @module */
import { type Bench, type Group, measure, measureLimit } from '../bench.ts'
import { startEmptyServer } from '../limits/empty-http.ts'
import type { S3Load } from '../s3/s3-load.ts'
import { isCounted, type S3Step, s3Steps } from '../s3/s3-workload.ts'
import { giveSpaceBack } from './space.ts'

const bucket = 'bench'
const limitOf = (name: string) => name.replace('S3', 'empty HTTP server,')

export function s3Objects(load: S3Load): Group {
  return {
    name: 's3',
    summary: 'objects of 4 KiB and 64 MiB through the S3 door: put, get, head, list, delete',
    warmUp: async (bench) => {
      await load.run(bench.cluster.s3(), { op: 'mkbucket', bucket })
      for (const step of s3Steps({ round: 999, scale: Math.min(0.5, bench.settings.scale) })) {
        await load.run(bench.cluster.s3(), { ...step.load, bucket })
      }
      await giveSpaceBack(bench.client)
    },
    round: async (bench) => {
      for (const step of s3Steps({ round: bench.round, scale: bench.settings.scale })) {
        if (step.hasLimit) await limit(bench, { load, step })
        await ours(bench, { load, step })
      }
      if (!(await giveSpaceBack(bench.client))) bench.tell('space is slow to return')
    },
  }
}

interface Step {
  readonly load: S3Load
  readonly step: S3Step
}

async function limit(bench: Bench, { load, step }: Step): Promise<void> {
  await using server = await startEmptyServer(step.load.sizeBytes ?? 0)
  // Its first requests run code that is not compiled yet.
  await load.run(server, { ...step.load, bucket, count: Math.ceil(500 / step.amountEach) })
  await measureLimit(bench, { name: limitOf(step.name), unit: step.unit }, async () => {
    const { rate } = await load.run(server, { ...step.load, bucket })
    return rate * step.amountEach
  })
}

async function ours(bench: Bench, { load, step }: Step): Promise<void> {
  const work = async () => {
    const { rate } = await load.run(bench.cluster.s3(), { ...step.load, bucket })
    return rate * step.amountEach
  }
  if (!isCounted(step)) {
    await work()
    return
  }
  const limit = step.hasLimit ? { name: limitOf(step.name), share: 1 } : undefined
  const amount = (step.load.count ?? 1) * step.amountEach
  await measure(bench, { name: step.name, unit: step.unit, amount, limit }, work)
}
