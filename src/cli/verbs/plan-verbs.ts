/** `plan` and `apply`: what a duty would do, what that costs and why, and beginning just that. @module */
import { readFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import { AshlarError } from '../../base/errors.ts'
import { formatCount, formatDuration, formatSize, parseSize } from '../../base/sizes.ts'
import type { DutyPlan, MemberDuty, PlannedStep } from '../../client/index.ts'
import { formatTable } from '../table.ts'
import type { VerbRegistry } from '../verb-registry.ts'
import { dutyOf, findServer, memberDuties } from './duty-names.ts'
import { type DutyLook, showScrub } from './scrub-verb.ts'
import { addVerb } from './verb.ts'

const planned = [...memberDuties, 'gc', 'scrub'] as const
const stepsShown = 20
/** Ten gigabits: of a server's link, each way. */
const defaultNet = '1200MiB'

export function registerPlanVerbs(registry: VerbRegistry): void {
  addVerb<{ readonly server?: string; readonly net?: string }>(registry, {
    usage: 'plan <duty>',
    summary: 'show what repair, drain, rebalance, gc or scrub would do now, what it costs, and why; changes nothing',
    description:
      'Shows what a duty would begin now: steps with their reasons, bytes, and how long network and disks need at the least. Times of disks are of what the duties may take of them ("repair-rate"), once their servers have measured them.',
    flags: [
      ['--server <server>', 'of a drain: as if this server were to leave'],
      ['--net <size>', `bytes per second of a server's link, each way (default: ${defaultNet})`],
    ],
    examples: ['plan repair', 'plan drain --server host3', 'plan rebalance --json > plan.json', 'plan gc'],
    run: async ({ client, output, options, signal }, name) => {
      const duty = dutyOf<(typeof planned)[number]>(name, planned)
      if (duty === 'gc') return await showGc({ client, output, signal })
      if (duty === 'scrub') return await showScrub({ client, output, signal })
      const server = options.server === undefined ? undefined : await findServer(client, options.server, signal)
      const plan = await client.duties.plan(duty, { signal, ...(server === undefined ? {} : { server: server.id }) })
      const { cost, ...rest } = plan
      const networkMs = Math.ceil((1000 * (cost?.busiestLinkBytes ?? 0)) / parseSize(options.net ?? defaultNet))
      output.object({ duty, ...rest, ...cost, networkMs })
      for (const line of describePlan(plan, networkMs)) output.line(line)
      if (server?.state === 'up' && duty === 'drain') {
        output.line(`${server.domain} is not to leave yet: "ashlar drain ${server.id.slice(0, 8)}" begins this`)
      }
      if (plan.isPaused) output.line(pausedLine(duty))
    },
  })

  addVerb(registry, {
    usage: 'apply <plan>',
    summary: 'begin the steps of a plan, as "plan --json" printed it',
    description:
      'Begins the steps of a plan that "ashlar plan --json" printed ("-": from stdin). Steps whose group has changed since are refused, and those of a drain that was not asked for. Steps of a paused duty are begun, and filled when it is resumed.',
    examples: ['apply plan.json', 'ashlar plan rebalance --json | ashlar apply -'],
    run: async ({ client, output, signal, exitWith }, file) => {
      const steps = readPlan(file === '-' ? await text(process.stdin) : await readFile(file as string, 'utf8'))
      const { begun, refused, paused = [] } = await client.duties.apply(steps, { signal })
      output.object({ begun, refused, paused })
      output.line(`${begun} of ${formatCount(steps.length, 'step')} begun`)
      for (const duty of paused) output.line(pausedLine(duty))
      for (const reason of refused.slice(0, stepsShown)) output.note(reason)
      if (refused.length > stepsShown) output.note(`… ${refused.length - stepsShown} more: see --json`)
      if (refused.length > 0) exitWith(4)
    },
  })
}

function pausedLine(duty: MemberDuty | 'gc'): string {
  return `${duty} is paused: nothing is ${duty === 'gc' ? 'deleted' : 'copied for it'} until "ashlar resume ${duty}"`
}

function describePlan(
  { steps, waiting, stepCount, waitingCount, cost }: DutyPlan,
  networkMs: number,
): readonly string[] {
  if (stepCount + waitingCount === 0) return ['nothing to do']
  const wait =
    waitingCount === 0 ? '' : `; ${formatCount(waitingCount, 'group')} ${waitingCount === 1 ? 'waits' : 'wait'}`
  const lines = [`${formatCount(stepCount, 'step')}, ${formatSize(cost?.sizeBytes ?? 0)} to copy${wait}`]
  if (cost !== undefined && cost.sizeBytes > 0) {
    const link = `${formatSize(cost.busiestLinkBytes)} through the busiest link`
    lines.push(`network: ${formatSize(cost.sizeBytes)}, ${link}: ${formatDuration(networkMs)}`)
    const time = cost.diskMs === undefined ? 'not measured yet' : formatDuration(cost.diskMs)
    lines.push(`disks: ${formatSize(cost.diskBytes)} read, written and read back; the busiest one: ${time}`)
  }
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
    if (stepCount > stepsShown) lines.push(`… ${stepCount - stepsShown} more: see --json`)
  }
  for (const [why, alike] of Map.groupBy(waiting, (each) => each.why))
    lines.push(`${alike.length} ${alike.length === 1 ? 'waits' : 'wait'}: ${why}`)
  return lines
}

/** What deletes will free, from the byte ledger: they read nothing, and send nothing but ids. */
async function showGc({ client, output, signal }: DutyLook): Promise<void> {
  const [status, ledger] = await Promise.all([client.status({ signal }), client.insight.ledger({ signal })])
  const { pendingDeletes, trashEntries, paused = [] } = status
  const { trashBytes, trashKeptForMs, orphanBytes } = ledger
  const steps = [
    ...ledger.pendingReclaim,
    ...(orphanBytes === 0
      ? []
      : [{ what: 'orphans', bytes: orphanBytes, why: 'no file names them: deleted once every server was compared' }]),
    ...(trashEntries === 0
      ? []
      : [{ what: 'trash', bytes: trashBytes, withinMs: trashKeptForMs, why: 'each of it when its time is over' }]),
  ]
  const isPaused = paused.includes('gc')
  output.object({ duty: 'gc', steps, pendingDeletes, trashEntries, trashBytes, networkMs: 0, diskMs: 0, isPaused })
  const freed = steps.reduce((sum, { bytes }) => sum + bytes, 0)
  const now = `${formatCount(pendingDeletes, 'chunk')} of it to delete now`
  output.line(freed === 0 ? 'nothing to do' : `${formatSize(freed)} to free on disks, ${now}; nothing is copied`)
  if (steps.length > 0) {
    const rows = steps.map((step) => [
      step.what,
      formatSize(step.bytes),
      'withinMs' in step && step.withinMs !== undefined ? formatDuration(step.withinMs) : '-',
      step.why,
    ])
    output.line(formatTable(['WHAT', 'SIZE', 'WITHIN', 'WHY'], rows))
  }
  if (isPaused) output.line(pausedLine('gc'))
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
    memberDuties.includes(step['duty'] as MemberDuty) &&
    typeof step['reason'] === 'string' &&
    ['from', 'to'].every(isId) &&
    ['group', 'epoch', 'chunks', 'sizeBytes', 'survivors'].every(isCount)
  )
}
