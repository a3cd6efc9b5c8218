/**
 * One of three servers is away; files are removed and rewritten, their trash emptied. It comes back: only what differs may cross the
 * wire, counted by the kernel on its sockets, and nothing that was removed may rise from the dead.
 * @module
 */
import { setTimeout as wait } from 'node:timers/promises'
import type { ServerName } from '../hand-cluster.ts'
import { checkDisks, waitForRest } from '../verify.ts'
import type { Ended } from './deaths.ts'
import { isWhole, Stage, type StageOptions } from './stage.ts'
import { WireMeter } from './wire-meter.ts'

export interface ReturnResult extends Ended {
  readonly removedFiles: number
  readonly rewrittenFiles: number
  /** That the returned server lacks. */
  readonly differingBytes: number
  /** That reached its sockets until it was whole. */
  readonly receivedBytes: number
  readonly heldBytes: number
  readonly wholeMs: number
}

const away: ServerName = 'chunkserver-3'
/** Beside the bytes of chunks: requests, lists of pages, the map, heartbeats. */
const toleratedBytes = 8 * 2 ** 20

export async function runReturn(options: StageOptions): Promise<ReturnResult> {
  await using stage = await Stage.open(options, { servers: 3, masterArgs: ['--trash-keep', '1s'] })
  await stage.until('the beginning', isWhole)
  const heldBytes = (await stage.client.nodes()).find(({ id }) => id === stage.cluster.id(away))?.usedBytes ?? 0
  await stage.kill(away)
  const paths = [...stage.files.keys()]
  const removed = paths.filter((_, index) => index % 10 === 3)
  const rewritten = paths.filter((_, index) => index % 10 === 7)
  let differingBytes = 0
  await stage.each(removed, async (path) => {
    await stage.client.rm(path)
    stage.files.delete(path)
  })
  await stage.each(rewritten, async (path) => {
    await stage.rewrite(path)
    differingBytes += stage.files.get(path)?.length ?? 0
  })
  await stage.client.emptyTrash()
  await stage.until('the purge', ({ trashEntries }) => trashEntries === 0)
  stage.say(`${removed.length} files removed, ${rewritten.length} rewritten`)
  const startMs = performance.now()
  await stage.startServers(away)
  const meter = new WireMeter(stage.cluster.pid(away))
  meter.start()
  await stage.until('its return', (status) => isWhole(status) && !status.safeMode && status.serversUp === 3)
  const wholeMs = performance.now() - startMs
  await wait(2_000)
  const receivedBytes = await meter.stop()
  stage.say(`it received ${receivedBytes} bytes, where ${differingBytes} differ`)
  if (receivedBytes > 1.1 * differingBytes + toleratedBytes)
    stage.tell(`${receivedBytes} bytes came, where ${differingBytes} differ`)
  if (receivedBytes < differingBytes)
    stage.tell(`${receivedBytes} bytes came, where ${differingBytes} differ: who counts?`)
  for (const path of removed) if (await stage.client.exists(path)) stage.tell(`${path} rose from the dead`)
  await stage.fsck({ verify: true })
  await stage.readAll()
  // Its allocations are open for up to ten minutes: until then nothing is an orphan where they may still write.
  await stage.disconnect()
  await waitForRest(stage.cluster)
  await stage.cluster.stop()
  const { leakedBytes } = await checkDisks(stage.cluster, (kind, text) => stage.tell(`${kind}: ${text}`))
  stage.say(`at rest: ${leakedBytes} bytes that nothing names`)
  return {
    ...{ scenario: 'comes-back', files: stage.files.size, bytes: options.bytes, violations: stage.violations },
    ...{ removedFiles: removed.length, rewrittenFiles: rewritten.length, differingBytes, receivedBytes, heldBytes },
    wholeMs: Math.round(wholeMs),
  }
}
