/** `ashlar status --watch`: a screen, new every second. A master that is away is a line on it, not the end. @module */
import { setTimeout as sleep } from 'node:timers/promises'
import { isAshlarError } from '../../base/errors.ts'
import type { AshlarClient, ClusterEvent } from '../../client/index.ts'
import type { Output } from '../output.ts'
import { type Look, problemsOf, statusScreen } from './status-screen.ts'

const everyMs = 1_000
const eventsKept = 100
/** To the top left, and nothing below. */
const clearScreen = '\u001b[H\u001b[2J'

export async function watchStatus({
  client,
  output,
  signal,
}: {
  readonly client: AshlarClient
  readonly output: Output
  readonly signal: AbortSignal
}): Promise<void> {
  let before: Look | undefined
  let firstSeen: ReadonlyMap<string, number> = new Map()
  while (!signal.aborted) {
    try {
      const look = await lookAt(client, before, signal)
      const problems = problemsOf(look, firstSeen)
      firstSeen = new Map(problems.map(({ what, sinceMs }) => [what, sinceMs]))
      const { status, nodes } = look
      output.object({ atMs: look.atMs, status, nodes, problems })
      show(output, statusScreen(look, before, problems))
      before = look
    } catch (error) {
      if (signal.aborted) return
      if (!isAshlarError(error, 'unavailable', 'timeout', 'connection-lost')) throw error
      output.object({
        atMs: Date.now(),
        problems: [{ what: 'no master answers', sinceMs: before?.atMs ?? Date.now() }],
      })
      show(output, ['no master answers; trying on'])
    }
    // Rejects only by the signal, which ends the loop.
    await sleep(everyMs, undefined, { signal }).catch(() => undefined)
  }
}

async function lookAt(client: AshlarClient, before: Look | undefined, signal: AbortSignal): Promise<Look> {
  const [status, nodes] = await Promise.all([client.status({ signal }), client.nodes({ signal })])
  const events: ClusterEvent[] = [...(before?.events ?? [])]
  const after = events.at(-1)?.number
  for await (const event of client.insight.events({ after, latest: eventsKept, signal })) events.push(event)
  return { atMs: Date.now(), status, nodes, events: events.slice(-eventsKept) }
}

function show(output: Output, lines: readonly string[]): void {
  output.line(`${output.isTerminal ? clearScreen : ''}${lines.join('\n')}${output.isTerminal ? '' : '\n'}`)
}
