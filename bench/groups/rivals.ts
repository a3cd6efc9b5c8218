/** The same objects through the S3 doors of rivals, in the same rounds. Each is started for its round and stopped, so that it costs ours nothing. @module */
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type Bench, type Group, measure } from '../bench.ts'
import type { Rival, RunningRival } from '../rivals/rival.ts'
import type { S3Load } from '../s3/s3-load.ts'
import { isCounted, s3Steps } from '../s3/s3-workload.ts'

export function rivals(load: S3Load, present: readonly Rival[]): Group {
  return {
    name: 'rivals',
    summary: `the same objects through rivals: ${present.map(({ name }) => name).join(', ') || 'none is named by the environment'}`,
    round: async (bench) => {
      for (const rival of present) await oneRival(bench, { rival, load })
    },
  }
}

async function oneRival(
  bench: Bench,
  { rival, load }: { readonly rival: Rival; readonly load: S3Load },
): Promise<void> {
  const folder = join(bench.folder, 'rival')
  await mkdir(folder)
  try {
    await using running = await rival.start(folder)
    const bucket = `bench${bench.round}`
    await load.run(running.s3, { op: 'mkbucket', bucket })
    await steps(bench, { running, load, bucket, rival })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

interface Steps {
  readonly running: RunningRival
  readonly load: S3Load
  readonly bucket: string
  readonly rival: Rival
}

async function steps(bench: Bench, { running, load, bucket, rival }: Steps): Promise<void> {
  const processes = running.pids.map((pid) => ({ role: 'rival' as const, pid }))
  for (const step of s3Steps({ round: bench.round, scale: bench.settings.scale })) {
    const work = async () => {
      const { rate } = await load.run(running.s3, { ...step.load, bucket })
      return rate * step.amountEach
    }
    if (!isCounted(step)) {
      await work()
      continue
    }
    const name = `${rival.name} (${rival.durability}): ${step.name}`
    const amount = (step.load.count ?? 1) * step.amountEach
    await measure(bench, { name, unit: step.unit, amount, processes }, work)
  }
}
