/**
 * The disk of the master is destroyed under load, and a new master built from the chunk servers. What was acknowledged before the lag
 * that the status showed must be there, whole; what is lost is said by the restore, and lies within that lag.
 * @module
 */
import { execFile } from 'node:child_process'
import { copyFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { promisify } from 'node:util'
import { isAshlarError } from '../../../src/base/errors.ts'
import { master } from '../hand-cluster.ts'
import { bin } from '../preloaded.ts'
import type { Version } from './contents.ts'
import type { Ended } from './deaths.ts'
import { isWhole, Stage, type StageOptions } from './stage.ts'

export interface MasterLossResult extends Ended {
  /** What the status said would be lost, asked right before. */
  readonly lagMs: number
  readonly acknowledgedUnderLoad: number
  readonly lostFiles: number
  /** From the last one that was kept to the kill: what the loss cost. */
  readonly lostMs: number
  /** What the restore said of it. */
  readonly said: string
  readonly restoreMs: number
}

interface Acknowledged {
  readonly version: Version
  readonly atMs: number
}

const loadMs = { long: 10_000, short: 1_500 }
const writers = 4

export async function runMasterLoss(options: StageOptions): Promise<MasterLossResult> {
  await using stage = await Stage.open(options, { servers: 4 })
  await stage.until('the beginning', isWhole)
  await stage.until('a backup', ({ backup }) => backup?.state === 'current')
  const acknowledged: Acknowledged[] = []
  const stop = new AbortController()
  const writing = Array.from({ length: writers }, (_, writer) =>
    writeUntil(stage, { writer, acknowledged, stop: stop.signal }),
  )
  await wait(options.files >= 5_000 ? loadMs.long : loadMs.short)
  const askedMs = performance.now()
  const { backup } = await stage.client.status()
  const lagMs = backup?.lagMs ?? Number.NaN
  if (backup?.state !== 'current') stage.tell(`the backups are ${backup?.state}: ${backup?.problem}`)
  await stage.cluster.end(master, 'SIGKILL')
  const killedMs = performance.now()
  stop.abort()
  await Promise.all(writing)
  const joinFile = join(stage.cluster.folder, 'join.json')
  copyFileSync(stage.cluster.joinFile, joinFile)
  rmSync(stage.cluster.data(master), { recursive: true })
  stage.say(`the master and its disk are gone; ${acknowledged.length} files were acknowledged meanwhile`)

  const restoreFromMs = performance.now()
  const args = ['restore', '--from-servers', joinFile, '--data', stage.cluster.data(master), '--json']
  const { stdout } = await promisify(execFile)(bin, args)
  const { lost: said = '' } = JSON.parse(stdout) as { readonly lost?: string }
  const restoreMs = performance.now() - restoreFromMs
  stage.say(`restored: ${said}`)
  await stage.cluster.startOne(master)
  await stage.reconnect()
  await stage.until('all servers', ({ serversUp, safeMode }) => serversUp === 4 && !safeMode)

  let lostFiles = 0
  let keptMs = 0
  for (const { version, atMs } of acknowledged) {
    try {
      await stage.read(version)
      keptMs = Math.max(keptMs, atMs)
    } catch (error) {
      if (!isAshlarError(error, 'not-found')) throw error
      lostFiles++
      stage.files.delete(version.path)
      if (atMs < askedMs - lagMs)
        stage.tell(`${version.path} is gone, acknowledged ${askedMs - atMs} ms before the lag was asked for`)
    }
  }
  if (!/acknowledged after \d{4}-.*Z/.test(said)) stage.tell(`the restore does not say what is lost: ${said}`)
  await stage.fsck({ verify: true })
  await stage.readAll()
  return {
    ...{ scenario: 'master-disk', files: stage.files.size, bytes: options.bytes, violations: stage.violations },
    lagMs,
    acknowledgedUnderLoad: acknowledged.length,
    lostFiles,
    lostMs: lostFiles === 0 ? 0 : Math.round(killedMs - keptMs),
    said,
    restoreMs: Math.round(restoreMs),
  }
}

async function writeUntil(
  stage: Stage,
  {
    writer,
    acknowledged,
    stop,
  }: { readonly writer: number; readonly acknowledged: Acknowledged[]; readonly stop: AbortSignal },
): Promise<void> {
  const client = await stage.connect()
  for (let number = 0; !stop.aborted; number++) {
    const version = { path: `/late/${writer}/${number}`, version: 1, length: 100 + ((number * 977) % 20_000) }
    try {
      await Promise.race([stage.write(version, client), aborted(stop)])
    } catch {
      // What was under way when the master died has no answer.
      break
    }
    acknowledged.push({ version, atMs: performance.now() })
  }
  // Its master is gone: what it could not give back there is what the scenario is about.
  await client.close().catch(() => undefined)
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
}
