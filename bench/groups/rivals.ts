/**
 * The same work through rivals, in the same rounds: objects through the S3 doors of those that have one, files through the own client of
 * those that have none. Each is started for its round and stopped, so that it costs ours nothing.
 * @module
 */
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type Bench, type Group, type MeasureOptions, measure } from '../bench.ts'
import { type FileStep, fileSteps, warmingFileSteps } from '../rivals/file-workload.ts'
import type {
  FileRival,
  Rival,
  Rivals,
  RunningFileRival,
  RunningRival,
  RunningS3Rival,
  S3Rival,
} from '../rivals/rival.ts'
import type { S3Load } from '../s3/s3-load.ts'
import { isCounted, s3Steps } from '../s3/s3-workload.ts'

export function rivals(load: S3Load, { throughS3, throughFiles }: Rivals): Group {
  const names = [...throughS3, ...throughFiles].map(({ name }) => name)
  return {
    name: 'rivals',
    summary: `the same objects or files through rivals: ${names.join(', ') || 'none is named by the environment'}`,
    round: async (bench) => {
      for (const rival of throughS3)
        await withRunning(bench, rival, (running) => objects(bench, { rival, running, load }))
      for (const rival of throughFiles) await withRunning(bench, rival, (running) => files(bench, { rival, running }))
    },
  }
}

async function withRunning<Running extends RunningRival>(
  bench: Bench,
  rival: Rival<Running>,
  work: (running: Running) => Promise<void>,
): Promise<void> {
  const folder = join(bench.folder, 'rival')
  await mkdir(folder)
  try {
    await using running = await rival.start(folder)
    await work(running)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

interface Objects {
  readonly rival: S3Rival
  readonly running: RunningS3Rival
  readonly load: S3Load
}

async function objects(bench: Bench, { rival, running, load }: Objects): Promise<void> {
  const bucket = `bench${bench.round}`
  await load.run(running.s3, { op: 'mkbucket', bucket })
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
    const amount = (step.load.count ?? 1) * step.amountEach
    await measure(bench, { name: nameOf(rival, step), unit: step.unit, amount, processes }, work)
  }
}

interface Files {
  readonly rival: FileRival
  readonly running: RunningFileRival
}

async function files(bench: Bench, { rival, running }: Files): Promise<void> {
  const processes: MeasureOptions['processes'] = [
    ...running.pids.map((pid) => ({ role: 'rival' as const, pid })),
    { role: 'client', pid: running.files.pid },
  ]
  const run = async ({ work, amountEach }: FileStep) => (await running.files.run(work)) * amountEach
  for (const step of warmingFileSteps(bench.settings)) await run(step)
  for (const step of fileSteps(bench.settings)) {
    if (step.work.op === 'delete') {
      await run(step)
      continue
    }
    const amount = step.work.count * step.amountEach
    await measure(bench, { name: nameOf(rival, step), unit: step.unit, amount, processes }, () => run(step))
  }
}

function nameOf({ name, durability }: Rival<RunningRival>, step: { readonly name: string }): string {
  return `${name} (${durability}): ${step.name}`
}
