/**
 * A run told in words, for a person who has never seen the code: what kind of cluster, what was done, what struck it, and
 * which promise was kept or broken.
 * @module
 */
import { formatDuration, formatSize } from '../base/sizes.ts'
import type { Call } from './history.ts'
import { actionText, type Operation } from './operations.ts'
import type { Fault, HostName, Script } from './script.ts'
import type { Outcome } from './simulate.ts'

/** Lines of plain text. */
export function tellStory(script: Script, outcome: Outcome): readonly string[] {
  const lines = [...circumstances(script), '']
  const events = [...faultEvents(outcome), ...operationEvents(script, outcome)]
  events.sort((a, b) => a.atMs - b.atMs || a.order - b.order)
  let isHealed = false
  for (const { atMs, text } of events) {
    if (!isHealed && atMs >= script.durationMs) {
      isHealed = true
      lines.push(
        `${clock(script.durationMs)}  All faults end, and every machine that is down is started. What is under way ends.`,
      )
    }
    lines.push(`${clock(atMs)}  ${text}`)
  }
  return [...lines, '', ...ending(outcome)]
}

function circumstances({ seed, cluster }: Script): string[] {
  const { servers, clients, policy, chunkSizeBytes, trashKeepMs } = cluster
  const copies = policy.slice('replicated-'.length)
  const racks = new Set(servers.map(({ rack }) => rack)).size
  return [
    `Seed ${seed}: a cluster of a master, ${count(servers.length, 'chunk server')} and ${count(clients, 'client')}` +
      `${servers[0]?.rack === undefined ? '' : ` in ${count(racks, 'rack')}`}.`,
    `Every chunk (at most ${formatSize(chunkSizeBytes)}) is kept on ${count(Number(copies), 'server')}; ` +
      `what is deleted can be brought back for ${formatDuration(trashKeepMs)}.`,
  ]
}

interface StoryEvent {
  readonly atMs: number
  readonly order: number
  readonly text: string
}

/** What happened to machines, as the world told it. */
function faultEvents({ story }: Outcome): StoryEvent[] {
  // The first start of each machine is no event.
  const known = new Set<string>()
  const isEvent = ({ atMs, host, what }: Outcome['story'][number]) => {
    const isFirst = what === 'runs' && !known.has(host)
    known.add(host)
    return atMs >= 0 && !isFirst
  }
  return story
    .filter(isEvent)
    .map(({ atMs, host, what }, order) => ({ atMs, order, text: `${capital(hostText(host))} ${whatText(what)}.` }))
    .filter(({ text }) => !text.endsWith(' .'))
}

function operationEvents({ operations }: Script, { history }: Outcome): StoryEvent[] {
  const calls = Map.groupBy(history.calls, ({ operation }) => operation)
  return operations.flatMap((operation, index) => {
    const own = calls.get(operation.id)
    if (own === undefined) return []
    const [first] = own as [Call]
    const text = `${capital(hostText(`client-${operation.client + 1}`))} ${actionText(operation)}: ${endText(operation, own)}.`
    return [{ atMs: first.invokedMs, order: 1_000_000 + index, text }]
  })
}

function endText(_: Operation, calls: readonly Call[]): string {
  const last = calls.at(-1) as Call
  const { outcome, invokedMs, settledMs } = last
  const took = settledMs - invokedMs > 1000 ? ` after ${((settledMs - invokedMs) / 1000).toFixed(1)} s` : ''
  switch (outcome.kind) {
    case 'ok': {
      const { size, version, names, trash } = outcome.answer
      const found = names ?? trash
      if (found !== undefined) return `${found.length === 0 ? 'nothing is there' : found.join(', ')}${took}`
      const facts = [size === undefined ? '' : `${size} bytes`, version === undefined ? '' : `version ${version}`]
      const known = facts.filter((fact) => fact !== '').join(', ')
      return `done${took}${known === '' ? '' : ` (${known})`}`
    }
    case 'refused':
      return `refused${took}, ${outcome.code}`
    case 'unknown':
      return outcome.code === 'pending' ? 'no answer ever comes' : `no certain answer${took} (${outcome.code})`
    case 'void':
      return `fails${took} without effect (${outcome.code})`
  }
}

function ending({ ok, violations, isUndecided }: Outcome): string[] {
  if (ok) {
    return [
      'All is well: every answer fits one order of the operations, everything acknowledged is there, byte for byte,',
      `and every server holds exactly what it should.${isUndecided ? ' (The search for an order was given up.)' : ''}`,
    ]
  }
  return ['A promise was broken:', ...violations.slice(0, 10).map(({ oracle, text }) => `- ${oracle}: ${text}`)]
}

const whatTexts: Readonly<Record<string, string>> = {
  'kill begins': 'is killed',
  'kill ends': '',
  'power-loss begins': 'loses power: what was not synced is lost, or partly so',
  'power-loss ends': 'has power again',
  'pause begins': 'stands still (SIGSTOP)',
  'pause ends': 'goes on',
  'partition begins': 'is cut off',
  'partition ends': 'is reachable again',
  'slow-link begins': 'has a slow network from now on',
  'slow-link ends': 'has its network back to normal',
  'drop-connections begins': 'loses all its connections',
  'clock-jump begins': 'has its wall clock jump',
  'clock-rate begins': 'has clocks that run wrong from now on',
  'clock-rate ends': 'has right clocks again',
  'disk-error begins': 'has a disk that fails now and then',
  'disk-error ends': 'has a disk that works again',
  'disk-full begins': 'has a full disk',
  'disk-full ends': 'has room on its disk again',
  'disk-stall begins': 'has a disk that answers nothing',
  'disk-stall ends': 'has a disk that answers again',
  'disk-slow begins': 'has a slow disk from now on',
  'disk-slow ends': 'has a disk of normal speed again',
  'lying-sync begins': 'has a disk that says "synced" and lies, from now on',
  'lying-sync ends': 'has an honest disk again',
  'bit-flip begins': 'has bits flipped on its disk',
  'misdirected-write begins': 'has a disk that will put the next write in the wrong place',
  'metadata-conflicts begins': 'has transactions that conflict from now on',
  'metadata-conflicts ends': 'has no more conflicts than usual',
  'metadata-unknown begins': 'does not learn the results of some of its commits from now on',
  'metadata-unknown ends': 'learns the results of its commits again',
  'metadata-slow begins': 'has slow metadata from now on',
  'metadata-slow ends': 'has metadata of normal speed again',
  runs: 'runs',
}

function whatText(what: string): string {
  return whatTexts[what] ?? what
}

/** Which fault is meant, in words: for lists. */
export function faultText(fault: Fault): string {
  const host = 'host' in fault ? fault.host : 'from' in fault ? fault.from : 'master'
  return `${hostText(host)} ${whatText(`${fault.kind} begins`)}`
}

export function hostText(host: HostName): string {
  if (host === 'all') return 'every server'
  const [kind, index] = host.split('-')
  if (index === undefined) return `the ${host}`
  return `${kind === 'chunkserver' ? 'chunk server' : kind} ${index}`
}

function clock(atMs: number): string {
  return `${(atMs / 1000).toFixed(3).padStart(8)} s`
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`
}

function capital(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`
}
