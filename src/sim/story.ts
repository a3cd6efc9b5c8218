/**
 * A run told in words, for a person who has never seen the code: what kind of cluster, what was done, what struck it, and
 * which promise was kept or broken.
 * @module
 */
import { formatDuration, formatSize } from '../base/sizes.ts'
import type { Call } from './history.ts'
import { actionText } from './operations.ts'
import type { Fault, HostName, Script } from './script.ts'
import type { Outcome } from './simulate.ts'
import type { RefusalCode } from './steps.ts'

/** Lines of plain text. */
export function tellStory(script: Script, outcome: Outcome): readonly string[] {
  const lines = [...circumstances(script), '', ...legend(script), '']
  const events = [...faultEvents(outcome), ...operationEvents(script, outcome)]
  events.sort((a, b) => a.atMs - b.atMs || a.order - b.order)
  let isHealed = false
  for (const { atMs, text, isFault } of events) {
    if (!isHealed && atMs >= script.durationMs) {
      isHealed = true
      lines.push(lineOf({ atMs: script.durationMs, text: healText(script), isFault: true }))
    }
    lines.push(lineOf({ atMs, text, isFault }))
  }
  return [...lines, '', ...ending(script, outcome)]
}

function lineOf({ atMs, text, isFault }: Pick<StoryEvent, 'atMs' | 'text' | 'isFault'>): string {
  return `${clock(atMs)} ${isFault ? '*' : ' '} ${text}`
}

function circumstances({ seed, cluster }: Script): string[] {
  const { servers, clients, policy, chunkSizeBytes, trashKeepMs } = cluster
  const copies = policy.slice('replicated-'.length)
  const racks = new Set(servers.map(({ rack }) => rack)).size
  const trash =
    trashKeepMs === 0
      ? 'what is deleted is gone'
      : `what is deleted can be brought back for ${formatDuration(trashKeepMs)}`
  return [
    `Seed ${seed}: a cluster of a master (which knows the files), ${count(servers.length, 'chunk server')} (which ${servers.length === 1 ? 'keeps' : 'keep'} their bytes)` +
      `${servers[0]?.rack === undefined ? '' : ` in ${count(racks, 'rack')}`} and ${count(clients, 'client')}.`,
    `Files are cut into chunks of at most ${formatSize(chunkSizeBytes)}, each kept on ${count(Number(copies), 'server')}; ${trash}.`,
  ]
}

function legend({ faults, operations, durationMs }: Script): string[] {
  const struck =
    faults.length === 0
      ? 'No faults were drawn for this seed: it shows that all is well on a good day. Try others for bad days.'
      : `What breaks, and is mended, is marked with a star: ${count(faults.length, 'fault')}.`
  return [
    `In ${formatDuration(durationMs)} of the cluster's time the clients do ${count(operations.length, 'operation')}, some side by side. Each line says when one began, what`,
    'was asked, and what came of it. To be refused is a right answer where it is true: nobody can read what is not there.',
    'A version is the number that a new content of a file gets; versions only rise.',
    struck,
  ]
}

function healText({ faults }: Script): string {
  if (faults.length === 0) return 'The work is over; what is under way ends.'
  return 'All faults end, and every machine that is down is started; what is under way ends.'
}

interface StoryEvent {
  readonly atMs: number
  readonly order: number
  readonly text: string
  /** What happened to a machine, not what a client did. */
  readonly isFault: boolean
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
    .map(({ atMs, host, what, fault }, order) => ({
      atMs,
      order,
      text: `${capital(hostText(host))} ${fault === undefined ? whatText(what) : beginText(fault)}.`,
      isFault: !what.startsWith('is done'),
    }))
    .filter(({ text }) => !text.endsWith(' .'))
}

function operationEvents({ operations }: Script, { history }: Outcome): StoryEvent[] {
  const calls = Map.groupBy(history.calls, ({ operation }) => operation)
  return operations.flatMap((operation, index) => {
    const own = calls.get(operation.id)
    if (own === undefined) return []
    const [first] = own as [Call]
    const text = `${capital(hostText(`client-${operation.client + 1}`))} ${actionText(operation)}: ${endText(own)}.`
    return [{ atMs: first.invokedMs, order: 1_000_000 + index, text, isFault: false }]
  })
}

/** @param calls of one operation: a list makes one for each page, and some others look before they change something */
function endText(calls: readonly Call[]): string {
  const asked = calls.filter(({ outcome }) => outcome.kind !== 'void' || outcome.code !== 'no-answer')
  const last = (asked.at(-1) ?? calls.at(-1)) as Call
  const { outcome, invokedMs, settledMs } = last
  const took = settledMs - invokedMs > 1000 ? ` after ${((settledMs - invokedMs) / 1000).toFixed(1)} s` : ''
  switch (outcome.kind) {
    case 'ok': {
      const { size, version, trash } = outcome.answer
      const found = last.step.kind === 'list-page' ? asked.flatMap(namesIn) : trash
      if (found !== undefined) return `${found.length === 0 ? 'it is empty' : found.join(', ')}${took}`
      const facts = [size === undefined ? '' : `${size} bytes`, version === undefined ? '' : `version ${version}`]
      const known = facts.filter((fact) => fact !== '').join(', ')
      return `done${took}${known === '' ? '' : ` (${known})`}`
    }
    case 'refused':
      return `refused${took}: ${refusalTexts[outcome.code]}`
    case 'unknown':
      return outcome.code === 'pending'
        ? 'no answer ever comes: its client died'
        : `no certain answer${took} (${outcome.code}): it may have happened, once, or not`
    case 'void':
      return `fails${took}, without effect (${outcome.code})`
  }
}

function namesIn({ outcome }: Call): readonly string[] {
  return outcome.kind === 'ok' ? (outcome.answer.names ?? []) : []
}

const refusalTexts: Readonly<Record<RefusalCode, string>> = {
  'not-found': 'nothing is there',
  'already-exists': 'something is there already',
  'is-a-directory': 'that is a directory',
  'not-a-directory': 'that is a file, not a directory',
  'not-empty': 'the directory is not empty',
  changed: 'it is not as expected any more',
  'invalid-argument': 'that makes no sense for these files',
}

function ending({ seed }: Script, { ok, violations, calls, isUndecided }: Outcome): string[] {
  if (ok) {
    const answered = `${count(calls.ok, 'call')} done, ${calls.refused} refused, ${calls.void} without effect, ${calls.unknown} with an unknown end`
    return [
      `Then everything was read back and compared (${answered}):`,
      '- every answer fits one order of all operations, in keeping with their times;',
      '- everything acknowledged is there, byte for byte;',
      '- every chunk server holds exactly what the files need, and nothing else.',
      `All is well. "ashlar sim --seed ${seed}" tells the same story each time; every other seed tells another one.`,
    ]
  }
  const undecided = isUndecided ? ' (The search for an order was given up.)' : ''
  return [
    `A promise was broken:${undecided}`,
    ...violations.slice(0, 10).map(({ oracle, text }) => `- ${oracle}: ${text}`),
  ]
}

/** What ends a fault, and what machines do. */
const whatTexts: Readonly<Record<string, string>> = {
  'kill ends': '',
  'power-loss ends': 'has power again',
  'pause ends': 'goes on',
  'partition ends': 'is reachable again',
  'slow-link ends': 'has its network back to normal',
  'clock-rate ends': 'has right clocks again',
  'disk-error ends': 'has a disk that works again',
  'disk-full ends': 'has room on its disk again',
  'disk-stall ends': 'has a disk that answers again',
  'disk-slow ends': 'has a disk of normal speed again',
  'lying-sync ends': 'has an honest disk again',
  'failed-sync ends': 'loses power for a moment',
  'master-disk-lost ends': 'is built anew, from what the chunk servers keep of its metadata',
  'metadata-conflicts ends': 'has no more conflicts than usual',
  'metadata-unknown ends': 'learns the results of its commits again',
  'metadata-slow ends': 'has metadata of normal speed again',
  runs: 'runs again',
}

function whatText(what: string): string {
  return whatTexts[what] ?? what
}

function beginText(fault: Fault): string {
  switch (fault.kind) {
    case 'kill':
      return 'is killed: what it was told to store stays, what it had in memory is gone'
    case 'power-loss':
      return 'loses power: what was not synced to disk is lost, or partly so'
    case 'pause':
      return 'stands still, as a machine that is overwhelmed'
    case 'partition': {
      const others = fault.to === 'others' ? 'all others' : hostText(fault.to)
      return fault.oneWay ? `is not heard any more by ${others}, but hears` : `is cut off from ${others}`
    }
    case 'slow-link':
      return `has a slow network: every message takes ${fault.delayMs} ms longer`
    case 'drop-connections':
      return 'loses all its connections'
    case 'clock-jump':
      return `has its wall clock jump ${formatDuration(Math.abs(fault.jumpMs))} ${fault.jumpMs > 0 ? 'ahead' : 'back'}`
    case 'clock-rate':
      return `has clocks that run ${fault.rate} times as fast as they should`
    case 'disk-error':
      return `has a disk on which ${Math.round(fault.chance * 100)} % of all ${listText(fault.operations.map((one) => `${one}s`))} fail`
    case 'disk-full':
      return 'has a full disk'
    case 'disk-stall':
      return 'has a disk that answers nothing'
    case 'disk-slow':
      return `has a disk ${fault.factor} times as slow as usual`
    case 'lying-sync':
      return 'has a disk that says "synced" and lies'
    case 'failed-sync':
      return 'has a disk that will fail the next sync, and forget what it should have stored'
    case 'master-disk-lost':
      return 'dies, and its disk is gone'
    case 'bit-flip':
      return `has ${count(fault.flips, 'bit')} flipped on its disk`
    case 'misdirected-write':
      return 'has a disk that will put the next write in the wrong place'
    case 'metadata-conflicts':
      return `has transactions of which ${Math.round(fault.chance * 100)} % have to run again`
    case 'metadata-unknown':
      return `does not learn the results of ${Math.round(fault.chance * 100)} % of its commits`
    case 'metadata-slow':
      return `has metadata that answer up to ${fault.delayMs} ms late`
  }
}

function listText(items: readonly string[]): string {
  return items.length < 2 ? items.join('') : `${items.slice(0, -1).join(', ')} and ${items.at(-1)}`
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
