/** `drain`, `maintenance`, `pause`, `resume`, `cancel`: what is asked of the duties that move chunks, read them and delete them. @module */
import { setTimeout as sleep } from 'node:timers/promises'
import { AshlarError } from '../../base/errors.ts'
import { formatCount, formatDuration, formatSize, parseDuration } from '../../base/sizes.ts'
import type { AshlarClient, NodeStatus, PausableDuty, ServerId } from '../../client/index.ts'
import type { VerbRegistry } from '../verb-registry.ts'
import { dutyOf, findServer, memberDuties } from './duty-names.ts'
import { addVerb } from './verb.ts'

const pausable: readonly PausableDuty[] = [...memberDuties, 'scrub', 'gc']
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
      const left = node.maintenanceMs
      const state = left === undefined ? 'not in maintenance' : `in maintenance for ${formatDuration(left)} from now`
      output.line(`${node.domain} (${node.id.slice(0, 8)}) is ${state}`)
    },
  })

  for (const [verb, summary] of [
    ['pause', 'have a duty begin and copy nothing until it is resumed'],
    ['resume', 'have a paused duty go on'],
  ] as const) {
    addVerb(registry, {
      usage: `${verb} <duty>`,
      summary,
      description: `Duties are ${pausable.join(', ')}. A paused one begins and copies nothing until it is resumed, also over restarts of the master; what it began stays as it is. While gc is paused nothing is deleted from any server, and trash whose time is over stays.`,
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
      if (name === 'scrub' || name === 'gc') throw nothingToCancel(name)
      const duty = dutyOf(name)
      const cancelled = await client.duties.cancel(duty, { signal })
      output.object({ duty, ...cancelled })
      const { turnedBack, kept, reason } = cancelled
      const until = duty === 'drain' ? '' : `, and paused until "ashlar resume ${duty}"`
      output.line(`${duty} is cancelled${until}: ${formatCount(turnedBack, 'group')} go back to their members`)
      if (kept > 0)
        output.line(`${formatCount(kept, 'group')} stay as they are${reason === undefined ? '' : `: ${reason}`}`)
    },
  })
}

/** What the others have under way are single reads and deletes: nothing of it could be given back. */
function nothingToCancel(duty: 'scrub' | 'gc'): AshlarError {
  const command = duty === 'scrub' ? '; "ashlar scrub --now" ends with its command' : ''
  const way = `Hold it with "ashlar pause ${duty}"${command}`
  return new AshlarError(
    'invalid-argument',
    `Cannot cancel ${duty}: it has nothing under way that could be taken back. ${way}`,
  )
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
  return `${name} has ${formatCount(groupsLeft, 'group')} and ${formatSize(bytesLeft)} to give away yet`
}
