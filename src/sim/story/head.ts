/** The beginning of a story: what is simulated, what is promised and who judges, and how to read what follows. @module */
import { formatSize } from '../../base/sizes.ts'
import { policiesOf } from '../../cluster/policies.ts'
import type { Script } from '../script.ts'
import type { Outcome } from '../simulate.ts'
import type { Brevity } from './chapter-lines.ts'
import { pathsOf } from './deeds.ts'
import { strikesOf } from './strikes.ts'
import { count, durationText, listText, spanText, wrapped } from './words.ts'

export function headLines(
  script: Script,
  { story }: Pick<Outcome, 'story'>,
  { isShrunk }: { readonly isShrunk: boolean },
): readonly string[] {
  const { seed, operations, cluster, durationMs } = script
  const struck = strikesOf(story).length
  const plan =
    struck === 0
      ? 'Nothing breaks: a good day.'
      : `${count(struck, 'fault')} strike${struck === 1 ? 's' : ''}: a bad day.`
  const rare = cluster.buggify
    ? ' What is rare in life (an answer that gets lost, a sign of life that comes late) is made frequent.'
    : ''
  return [
    isShrunk ? `WHAT IS LEFT OF SEED ${seed}` : `THE STORY OF SEED ${seed}`,
    '',
    ...wrapped(
      'Ashlar stores files on many machines. This is a simulation of it: the real code of all its programs runs here, in one process, on ' +
        `made-up disks, networks and clocks. The seed decides all that is left to chance, so ${isShrunk ? 'this' : `seed ${seed}`} is the same story each time.`,
    ),
    ...wrapped(
      `This time: ${clusterText(script)} In ${durationText(durationMs)} of their time the client${cluster.clients === 1 ? ' does' : 's do'} ${count(operations.length, 'operation')} on ${count(pathsIn(operations), 'path')}` +
        `${isShrunk ? '' : ', with pauses, and often several at once'}. ${plan}${rare}`,
    ),
    '',
    ...wrapped(
      'Promised: what was answered is never lost; nobody ever reads wrong bytes; all clients see one order of all changes; and once nothing ' +
        'is broken, every byte has all its copies again, and nothing is left over on any disk.',
    ),
    ...wrapped(
      'Judged by: a small model of a file system that shares no code with the store; it must be able to give every answer that a client was given, ' +
        "in some order that fits the times. At the end all disks are compared with the master's books. A broken promise would be named there.",
    ),
    '',
  ]
}

function pathsIn(operations: Script['operations']): number {
  return new Set(operations.flatMap(pathsOf)).size
}

function clusterText({ cluster }: Script): string {
  const { servers, clients, policy, chunkSizeBytes, trashKeepMs } = cluster
  const copies = Number(policy.slice('replicated-'.length))
  const racks = new Set(servers.map(({ rack }) => rack)).size
  const where = servers[0]?.rack === undefined ? '' : ` in ${count(racks, 'rack')}${sharedText(servers)}`
  const trash =
    trashKeepMs === 0
      ? 'Removed and replaced contents are gone at once.'
      : `Removed and replaced contents stay in a trash for ${durationText(trashKeepMs)}.`
  return (
    `${count(clients, 'client')}, a master (it knows the names, and where the bytes are) and ${count(servers.length, 'chunk server')}${where} ` +
    `(${servers.length === 1 ? 'it holds' : 'they hold'} the bytes, in chunks of at most ${formatSize(chunkSizeBytes)}, each on ${count(copies, 'server')}${fewerText(policy)}). ${trash}`
  )
}

/** With how many copies a write goes through in need. */
function fewerText(name: string): string {
  const policy = policiesOf().find((each) => each.name === name)
  if (policy === undefined || policy.minReplicas === policy.replicas) return ''
  return `, or on ${policy.minReplicas} while another is away, which gets it later`
}

/** Which servers stand together: `, 1 and 4 in one`. */
function sharedText(servers: Script['cluster']['servers']): string {
  const numbers = Map.groupBy(
    servers.map((_, index) => index + 1),
    (number) => servers[number - 1]?.rack,
  )
  const shared = [...numbers.values()].filter(({ length }) => length > 1 && length < servers.length)
  return shared.length === 0 ? '' : `, ${shared.map((own) => `${listText(own.map(String))} in one`).join(', ')}`
}

/** What the marks mean, and whatever else a reader must know: of what `told` has, and of nothing else. */
export function keyLines(
  told: readonly string[],
  { isBrief, brevity }: { readonly isBrief: boolean; readonly brevity: Brevity },
): readonly string[] {
  const marks = markTexts.filter(([mark]) => told.some((line) => line.slice(markColumn).startsWith(`${mark} `)))
  const lines = marks.flatMap(([mark, text]) => wrapped(text, `  ${mark} `))
  if (isBrief) return lines.length === 0 ? [] : ['Marks:', ...lines]
  const version = /\bv(\d+)\b/.exec(told.join('\n'))?.[1]
  const texts = [
    'How to read: in front are the seconds at which an operation began and ended' +
      (told.some((line) => line.includes(', then ')) ? ' (with "then", the first and the last of several).' : '.'),
    version === undefined
      ? ''
      : `v${version} is version ${version}: each new content of a file gets the next number of a counter of the whole cluster, which counts other things too, so there are gaps.`,
    'Operations are drawn at random, and some cannot work: to be refused is then the right answer.',
    brevity === 0
      ? ''
      : 'Most reads that found what was there, and most refusals, have no line of their own: they are counted at the end of each chapter' +
        (brevity === 3 ? '; so are changes that went as asked in quiet chapters.' : '.'),
  ]
  return [...wrapped(texts.filter((text) => text !== '').join(' ')), ...lines]
}

const markColumn = spanText(0).length
const markTexts: readonly (readonly [string, string])[] = [
  ['*', 'something breaks, or works again'],
  ['=', 'what came of it, as was seen later'],
  ['>', 'what the master and the chunk servers do about it'],
  [
    '|',
    'at the same time as another one on the same file, which began at the time in [brackets]: either may be first, so old and new are both right',
  ],
  ['!', 'here a promise was broken'],
]
