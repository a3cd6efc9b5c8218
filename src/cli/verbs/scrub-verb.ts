/** `scrub`: how the chunk servers stand with reading all they hold, and reading some of it now. @module */
import { formatCount, formatDuration, formatSize } from '../../base/sizes.ts'
import type { AshlarClient, ClusterStatus, NodeStatus, ScrubbedFiles, ScrubCounts } from '../../client/index.ts'
import type { Output } from '../output.ts'
import { formatTable } from '../table.ts'
import type { VerbRegistry } from '../verb-registry.ts'
import { addVerb } from './verb.ts'

const badShown = 50
const progressEveryMs = 2_000

export function registerScrubVerb(registry: VerbRegistry): void {
  addVerb<{ readonly now?: boolean }>(registry, {
    usage: 'scrub [paths...]',
    summary: 'show how far everything was read and verified; --now reads files at once',
    description:
      'Chunk servers read all they hold against its checksums, by themselves and the oldest first, within the setting "scrub-within". This shows how each stands. With --now every replica of the files below the paths is read whole, now; what is missing or wrong is set aside and copied anew, and the exit code is 1.',
    flags: [['--now', 'read the files below the paths (default: all) now']],
    examples: ['scrub', 'scrub --now /photos', 'scrub --now --json'],
    run: async ({ client, output, options, signal, exitWith }, ...given) => {
      if (options.now !== true) return await showScrub({ client, output, signal })
      const paths = given.length === 0 ? ['/'] : given
      const onProgress = output.isTerminal ? progressOn(output) : () => undefined
      let sum: ScrubbedFiles | undefined
      for (const path of paths) {
        const before = sum
        const told = (counts: ScrubCounts) => onProgress(before === undefined ? counts : add(before.counts, counts))
        const found = await client.duties.scrub(path, { onProgress: told, signal })
        sum = before === undefined ? found : join(before, found)
      }
      const { counts, bad, reason } = sum as ScrubbedFiles
      output.object({ paths, ...counts, badReplicas: bad, reason })
      for (const line of describeScrubbed({ counts, bad, ...(reason === undefined ? {} : { reason }) }))
        output.line(line)
      if (counts.bad > 0) exitWith(1)
    },
  })
}

/** For a look at a duty that changes nothing. */
export interface DutyLook {
  readonly client: AshlarClient
  readonly output: Pick<Output, 'object' | 'line'>
  readonly signal: AbortSignal
}

/** What scrubbing does on each server, and how long a round takes it. */
export async function showScrub({ client, output, signal }: DutyLook): Promise<void> {
  const [status, nodes] = await Promise.all([client.status({ signal }), client.nodes({ signal })])
  const present = nodes.filter(({ state }) => state !== 'left')
  const { scrubWithinMs: withinMs, oldestUnscrubbedSeconds } = status
  const isPaused = status.paused?.includes('scrub') === true
  output.object({ duty: 'scrub', withinMs, oldestUnscrubbedSeconds, servers: present.map(serverObject), isPaused })
  for (const line of describe(status, present)) output.line(line)
  if (isPaused) output.line('scrub is paused: nothing is read until "ashlar resume scrub"')
}

function serverObject(node: NodeStatus): object {
  const { id, domain, state, chunks, usedBytes, oldestUnscrubbedSeconds, scrubbedBytes, badChunksScrubbed } = node
  return {
    ...{ id, domain, state, chunks, usedBytes, oldestUnscrubbedSeconds, scrubbedBytes, badChunks: badChunksScrubbed },
    ...{ bytesPerSecond: node.scrubBytesPerSecond, roundMs: roundMs(node) },
  }
}

/** How long it takes to read everything once, at its present rate. */
function roundMs({ usedBytes, scrubBytesPerSecond }: NodeStatus): number | undefined {
  if (scrubBytesPerSecond === undefined || scrubBytesPerSecond === 0) return undefined
  return Math.round((1000 * usedBytes) / scrubBytesPerSecond)
}

function describe({ scrubWithinMs = 0 }: ClusterStatus, nodes: readonly NodeStatus[]): readonly string[] {
  const rows = nodes.map((node) => [
    node.id.slice(0, 8),
    node.domain,
    node.state,
    formatSize(node.usedBytes),
    node.oldestUnscrubbedSeconds === undefined ? '-' : formatDuration(1000 * node.oldestUnscrubbedSeconds),
    node.scrubBytesPerSecond === undefined ? '-' : `${formatSize(node.scrubBytesPerSecond)}/s`,
    formatDuration(roundMs(node) ?? 0),
    String(node.badChunksScrubbed ?? 0),
  ])
  return [
    `each chunk server reads all it holds within ${formatDuration(scrubWithinMs)}, the part that was read longest ago first`,
    formatTable(['ID', 'DOMAIN', 'STATE', 'HOLDS', 'OLDEST READ', 'RATE', 'ROUND', 'BAD'], rows),
  ]
}

function describeScrubbed({ counts, bad, reason }: ScrubbedFiles): readonly string[] {
  const { files, chunks, good, unread, bytes } = counts
  return [
    `${formatCount(files, 'file')}, ${formatCount(chunks, 'chunk')}: ${formatCount(good, 'replica')} read and right, ${formatSize(bytes)} in all`,
    ...bad
      .slice(0, badShown)
      .map(({ path, chunk, server }) => `bad: chunk ${chunk} of ${path} on ${server.slice(0, 8)}: it is copied anew`),
    ...(counts.bad > badShown ? [`… ${counts.bad - badShown} more: see --json`] : []),
    ...(unread > 0
      ? [`${formatCount(unread, 'replica')} could not be read: ${reason ?? 'their servers are not up'}`]
      : []),
    counts.bad > 0 ? `${formatCount(counts.bad, 'replica was', 'replicas were')} BAD` : 'nothing bad was found',
  ]
}

function join(one: ScrubbedFiles, other: ScrubbedFiles): ScrubbedFiles {
  const reason = other.reason ?? one.reason
  return {
    counts: add(one.counts, other.counts),
    bad: [...one.bad, ...other.bad],
    ...(reason === undefined ? {} : { reason }),
  }
}

function add(one: ScrubCounts, other: ScrubCounts): ScrubCounts {
  const sums = Object.entries(one).map(([name, count]) => [name, count + other[name as keyof ScrubCounts]])
  return Object.fromEntries(sums) as unknown as ScrubCounts
}

function progressOn(output: Output): (counts: ScrubCounts) => void {
  let toldMs = Date.now()
  return ({ files, good, bytes, bad }) => {
    if (Date.now() - toldMs < progressEveryMs) return
    toldMs = Date.now()
    output.note(
      `${formatCount(files, 'file')}, ${formatCount(good, 'replica')}, ${formatSize(bytes)} read so far; ${bad} bad`,
    )
  }
}
