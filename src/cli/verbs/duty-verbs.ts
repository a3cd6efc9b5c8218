/** `drain`, `maintenance`, `plan`, `apply`, `pause`, `resume`, `cancel`: the duties that move chunks. @module */
import { readFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { AshlarError } from '../../base/errors.ts'
import { formatDuration, formatSize, parseDuration } from '../../base/sizes.ts'
import type {
  AshlarClient,
  DutyPlan,
  MemberDuty,
  NodeStatus,
  PausableDuty,
  PlannedStep,
  ServerId,
} from '../../client/index.ts'
import { formatTable } from '../table.ts'
import type { VerbRegistry } from '../verb-registry.ts'
import { showScrub } from './scrub-verb.ts'
import { addVerb } from './verb.ts'

const duties: readonly MemberDuty[] = ['repair', 'drain', 'rebalance']
const pausable: readonly PausableDuty[] = [...duties, 'scrub']
const stepsShown = 20
const pollMs = 1000

export function registerDutyVerbs(registry: VerbRegistry): void {
  addVerb<{ readonly cancel?: boolean; readonly wait?: boolean }>(registry, {
    usage: 'drain <server>',
    summary: 'have a chunk server give all it holds to others, so that it can leave',
    description:
      'Has a chunk server (by id, the beginning of it, address or domain) give its groups to others. It serves on meanwhile. Its state is "left" when nothing depends on it any more: only then stop it.',
    flags: [
      ['--cancel', 'keep what it still has; at any time, also when it has left'],
      ['--wait', 'show progress until it has left'],
    ],
    examples: ['drain host3', 'drain host3 --wait', 'drain host3 --cancel', 'plan drain --server host3'],
    run: async ({ client, output, options, signal }, name) => {
      const server = await findServer(client, name, signal)
      if (options.cancel) await client.duties.cancelDrain(server.id, { signal })
      else await client.duties.drain(server.id, { signal })
      if (options.wait && !options.cancel) {
        await waitUntilLeft(client, server.id, { tell: (line) => output.note(line), signal })
      }
      const node = await nodeOf(client, server.id, signal)
      output.object(node)
      output.line(describeDrain(node))
    },
  })

  addVerb<{ readonly for?: string; readonly end?: boolean }>(registry, {
    usage: 'maintenance <server>',
    summary: 'expect a chunk server to be away: nothing is repaired for it meanwhile',
    flags: [
      ['--for <duration>', 'how long (default: 1h)'],
      ['--end', 'it is over'],
    ],
    examples: ['maintenance host3 --for 1h', 'maintenance host3 --end'],
    run: async ({ client, output, options, signal }, name) => {
      const server = await findServer(client, name, signal)
      if (options.end) await client.duties.endMaintenance(server.id, { signal })
      else await client.duties.beginMaintenance(server.id, { forMs: parseDuration(options.for ?? '1h'), signal })
      const node = await nodeOf(client, server.id, signal)
      output.object(node)
      const left = node.maintenanceMs === undefined ? 'over' : `for ${formatDuration(node.maintenanceMs)} yet`
      output.line(`${node.domain} (${node.id.slice(0, 8)}): maintenance is ${left}`)
    },
  })

  addVerb<{ readonly server?: string }>(registry, {
    usage: 'plan <duty>',
    summary: 'show what repair, drain, rebalance, gc or scrub would do now, and why; changes nothing',
    flags: [['--server <server>', 'of a drain: as if this server were to leave']],
    examples: ['plan repair', 'plan drain --server host3', 'plan rebalance --json > plan.json'],
    run: async ({ client, output, options, signal }, name) => {
      if (name === 'gc') return showGc(await client.status({ signal }), output)
      if (name === 'scrub') return await showScrub({ client, output, signal })
      const duty = dutyOf(name)
      const server = options.server === undefined ? undefined : await findServer(client, options.server, signal)
      const plan = await client.duties.plan(duty, { signal, ...(server === undefined ? {} : { server: server.id }) })
      output.object({ duty, ...plan })
      for (const line of describePlan(plan)) output.line(line)
    },
  })

  addVerb(registry, {
    usage: 'apply <plan>',
    summary: 'begin the steps of a plan, as "plan --json" printed it',
    description:
      'Begins the steps of a plan that "ashlar plan --json" printed ("-": from stdin). Steps whose group has changed since are refused.',
    examples: ['apply plan.json', 'ashlar plan rebalance --json | ashlar apply -'],
    run: async ({ client, output, signal, exitWith }, file) => {
      const steps = readPlan(file === '-' ? await text(process.stdin) : await readFile(file as string, 'utf8'))
      const { begun, refused } = await client.duties.apply(steps, { signal })
      output.object({ begun, refused })
      output.line(`${begun} of ${steps.length} steps begun`)
      for (const reason of refused) output.note(reason)
      if (refused.length > 0) exitWith(4)
    },
  })

  for (const [verb, summary] of [
    ['pause', 'have a duty begin and copy nothing until it is resumed'],
    ['resume', 'have a paused duty go on'],
  ] as const) {
    addVerb(registry, {
      usage: `${verb} <duty>`,
      summary,
      description: `Duties are ${pausable.join(', ')}. A paused one begins and copies nothing until it is resumed, also over restarts of the master; what it began stays as it is.`,
      examples: [`${verb} rebalance`],
      run: async ({ client, output, signal }, name) => {
        const duty = dutyOf(name, pausable)
        await client.duties[verb](duty, { signal })
        output.object({ duty, paused: verb === 'pause' })
        output.line(`${duty} is ${verb === 'pause' ? 'paused' : 'on'}`)
      },
    })
  }

  registerCancelVerb(registry)
}

function registerCancelVerb(registry: VerbRegistry): void {
  addVerb(registry, {
    usage: 'cancel <duty>',
    summary: 'end repair, rebalance or all drains, and give back what they have under way',
    description:
      'Pauses repair or rebalance, or takes back the drain of every server. Groups that are being filled go back to the members that were to leave them, where those answer; what cannot go back stays as it is. "resume" lets repair and rebalance begin anew.',
    examples: ['cancel rebalance', 'resume rebalance', 'cancel drain'],
    run: async ({ client, output, signal }, name) => {
      const duty = dutyOf(name)
      const cancelled = await client.duties.cancel(duty, { signal })
      output.object({ duty, ...cancelled })
      const { turnedBack, kept, reason } = cancelled
      const until = duty === 'drain' ? '' : `, and paused until "ashlar resume ${duty}"`
      output.line(`${duty} is cancelled${until}: ${turnedBack} groups go back to their members`)
      if (kept > 0) output.line(`${kept} groups stay as they are${reason === undefined ? '' : `: ${reason}`}`)
    },
  })
}

function dutyOf<Duty extends string = MemberDuty>(
  name: string | undefined,
  known = duties as readonly string[] as readonly Duty[],
): Duty {
  const duty = known.find((each) => each === name)
  if (duty !== undefined) return duty
  throw new AshlarError('invalid-argument', `Cannot find duty "${name}": the duties are ${known.join(', ')}`)
}

async function findServer(client: AshlarClient, name = '', signal?: AbortSignal): Promise<NodeStatus> {
  const nodes = await client.nodes({ ...(signal === undefined ? {} : { signal }) })
  const found = nodes.filter(({ id, address, domain }) => id === name || address === name || domain === name)
  const matching = found.length > 0 || name.length < 4 ? found : nodes.filter(({ id }) => id.startsWith(name))
  const [node] = matching
  if (node !== undefined && matching.length === 1) return node
  if (node === undefined) throw new AshlarError('not-found', `Cannot find chunk server "${name}": see "ashlar nodes"`)
  throw new AshlarError('invalid-argument', `Cannot choose chunk server "${name}": ${matching.length} have this name`)
}

async function nodeOf(client: AshlarClient, id: ServerId, signal?: AbortSignal): Promise<NodeStatus> {
  return await findServer(client, id, signal)
}

async function waitUntilLeft(
  client: AshlarClient,
  id: ServerId,
  { tell, signal }: { readonly tell: (line: string) => void; readonly signal: AbortSignal },
): Promise<void> {
  for (let last = ''; ; ) {
    const node = await nodeOf(client, id, signal)
    const line = describeDrain(node)
    if (line !== last) tell(line)
    last = line
    if (node.state === 'left' || node.groupsLeft === undefined) return
    await sleep(pollMs, undefined, { signal })
  }
}

function describeDrain({ id, domain, state, groupsLeft, bytesLeft = 0 }: NodeStatus): string {
  const name = `${domain} (${id.slice(0, 8)})`
  if (state === 'left') return `${name} has left: nothing depends on it, stop it`
  if (groupsLeft === undefined) return `${name} is ${state}, and does not drain`
  if (groupsLeft === 0) return `${name} has given everything away; the rest is being checked`
  return `${name} has ${groupsLeft} groups and ${formatSize(bytesLeft)} to give away yet`
}

function describePlan({ steps, waiting, stepCount, waitingCount }: DutyPlan): readonly string[] {
  const bytes = steps.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  const lines = [`${stepCount} steps, ${formatSize(bytes)} to copy; ${waitingCount} wait`]
  if (steps.length > 0) {
    const rows = steps
      .slice(0, stepsShown)
      .map(({ group, from, to, sizeBytes, reason }) => [
        String(group),
        from.slice(0, 8),
        to.slice(0, 8),
        formatSize(sizeBytes),
        reason,
      ])
    lines.push(formatTable(['GROUP', 'FROM', 'TO', 'SIZE', 'WHY'], rows))
  }
  for (const [why, alike] of Map.groupBy(waiting, (each) => each.why)) lines.push(`${alike.length} wait: ${why}`)
  return lines
}

function showGc(
  { pendingDeletes, trashBytes, trashEntries }: Awaited<ReturnType<AshlarClient['status']>>,
  output: { object(value: unknown): void; line(text: string): void },
): void {
  output.object({ duty: 'gc', pendingDeletes, trashBytes, trashEntries })
  output.line(`${pendingDeletes} chunks to delete on their servers, now`)
  output.line(`${trashEntries} entries of trash with ${formatSize(trashBytes)}: each when its time is over`)
}

/** @throws {AshlarError} `invalid-argument` — it is not what `plan --json` prints */
function readPlan(json: string): readonly PlannedStep[] {
  let plan: unknown
  try {
    plan = JSON.parse(json)
  } catch (error) {
    throw new AshlarError('invalid-argument', 'Cannot read the plan: it is not JSON', { cause: error })
  }
  const steps = (plan as { readonly steps?: unknown })?.steps
  if (!Array.isArray(steps) || !steps.every(isStep)) {
    throw new AshlarError('invalid-argument', 'Cannot read the plan: its steps are not those of "ashlar plan --json"')
  }
  return steps
}

function isStep(value: unknown): value is PlannedStep {
  if (typeof value !== 'object' || value === null) return false
  const step = value as Readonly<Record<string, unknown>>
  const isCount = (name: string) => Number.isSafeInteger(step[name]) && (step[name] as number) >= 0
  const isId = (name: string) => typeof step[name] === 'string' && /^[0-9a-f]{32}$/.test(step[name])
  return (
    duties.includes(step['duty'] as MemberDuty) &&
    typeof step['reason'] === 'string' &&
    ['from', 'to'].every(isId) &&
    ['group', 'epoch', 'chunks', 'sizeBytes', 'survivors'].every(isCount)
  )
}
