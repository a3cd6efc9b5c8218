/** Faults that found their moment, and until when each of them held its host. @module */
import type { Fault, HostName } from '../script.ts'
import type { StoryLine } from '../world.ts'
import { endOf, hostOf, isDeadly } from './fault-words.ts'

export interface Strike {
  readonly fault: Fault
  readonly host: HostName | 'all'
  readonly atMs: number
  /** Its host is as before; of one that died: it runs again. Undefined of what does not last, and where no end came. */
  readonly overMs: number | undefined
}

/** Servers that lose power together start within that. */
const startsWithinMs = 5_000

/** In their order. Those of the world's own mending are none. */
export function strikesOf(story: readonly StoryLine[]): readonly Strike[] {
  return story.flatMap(({ fault, atMs }, index) => {
    if (fault === undefined || fault.id < 0) return []
    const later = story.slice(index + 1)
    const host = hostOf(fault)
    return [{ fault, host, atMs, overMs: overMsOf(fault, { host, atMs, later }) }]
  })
}

function overMsOf(
  fault: Fault,
  { host, atMs, later }: { readonly host: HostName; readonly atMs: number; readonly later: readonly StoryLine[] },
): number | undefined {
  if (!('durationMs' in fault)) return undefined
  const ends = endOf(fault, { atMs, later })
  const since = ends?.atMs ?? atMs
  const isUp = (line: StoryLine) => line.what === 'runs' && (line.host === host || host === 'all')
  const ups = isDeadly(fault) ? later.filter((line) => line.atMs >= since && isUp(line)) : []
  // Of all servers at once: the last that comes.
  const up = host === 'all' ? ups.filter((line) => line.atMs < since + startsWithinMs).at(-1) : ups[0]
  return up?.atMs ?? ends?.atMs
}
