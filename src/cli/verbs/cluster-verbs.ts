/** `nodes`, `groups`, `status`, `df`, `config`: the cluster itself. @module */
import { AshlarError } from '../../base/errors.ts'
import { formatCount, formatDuration, formatExactSize, formatSize } from '../../base/sizes.ts'
import type { NodeStatus } from '../../client/index.ts'
import { formatTable } from '../table.ts'
import type { VerbRegistry } from '../verb-registry.ts'
import { describeLedger } from './describe-ledger.ts'
import { describeStatus } from './describe-status.ts'
import { addVerb } from './verb.ts'
import { watchStatus } from './watch-status.ts'

export function registerClusterVerbs(registry: VerbRegistry): void {
  addVerb(registry, {
    usage: 'nodes',
    summary: 'show each chunk server',
    examples: ['nodes', 'nodes --json'],
    run: async ({ client, output, signal }) => {
      const nodes = [...(await client.nodes({ signal }))].sort(byDomain)
      output.object(nodes.map(nodeObject))
      const rows = nodes.map((node) => [
        node.id.slice(0, 8),
        node.address,
        node.domain,
        node.state,
        formatSize(node.capacityBytes),
        formatSize(node.usedBytes),
        formatSize(node.freeBytes),
        `${Math.round((100 * node.usedBytes) / Math.max(1, node.capacityBytes))} %`,
        String(node.chunks),
        noteOf(node),
      ])
      output.line(
        formatTable(['ID', 'ADDRESS', 'DOMAIN', 'STATE', 'CAPACITY', 'USED', 'FREE', 'LOAD', 'CHUNKS', 'NOTE'], rows),
      )
    },
  })

  addVerb(registry, {
    usage: 'groups',
    summary: 'show the placement groups: which servers hold the same chunks',
    examples: ['groups', 'groups --json'],
    run: async ({ client, output, signal }) => {
      const map = await client.map({ signal })
      const rows = map.groups.map(({ id, policy, epoch, members }) => [
        String(id),
        policy,
        String(epoch),
        members.map(({ server, state }) => `${server.slice(0, 8)}${state === 'in' ? '' : ` (${state})`}`).join(' '),
      ])
      for (const { id, policy, epoch, members } of map.groups) output.object({ id, policy, epoch, members })
      output.line(formatTable(['GROUP', 'POLICY', 'EPOCH', 'MEMBERS'], rows))
    },
  })

  addVerb<{ readonly watch?: boolean }>(registry, {
    usage: 'status',
    summary: 'show the whole cluster in one look',
    flags: [
      [
        '--watch',
        'one screen, new every second, until Ctrl-C: what it does now, how fast, how long yet, what is wrong',
      ],
    ],
    examples: ['status', 'status --watch', 'status --json'],
    run: async ({ client, output, options, signal }) => {
      if (options.watch === true) return await watchStatus({ client, output, signal })
      const status = await client.status({ signal })
      output.object(status)
      for (const line of describeStatus(status)) output.line(line)
    },
  })

  addVerb<{ readonly ledger?: boolean }>(registry, {
    usage: 'df',
    summary: 'show space, raw and usable',
    description:
      'Shows space: raw bytes over all chunk servers, and usable ones (raw divided by the copies of the default policy).',
    flags: [['--ledger', 'what every byte on the disks is for: adds up to "du -B1" of all data folders']],
    examples: ['df', 'df --json', 'df --ledger'],
    run: async ({ client, output, options, signal }) => {
      if (options.ledger === true) {
        const ledger = await client.insight.ledger({ signal })
        output.object(ledger)
        for (const line of describeLedger(ledger)) output.line(line)
        return
      }
      const [status, map] = await Promise.all([client.status({ signal }), client.map({ signal })])
      const copies = map.policies.find(({ name }) => name === map.defaultPolicy)?.replicas ?? 1
      const raw = { capacityBytes: status.capacityBytes, usedBytes: status.usedBytes, freeBytes: status.freeBytes }
      const usable = {
        capacityBytes: Math.floor(raw.capacityBytes / copies),
        usedBytes: Math.floor(raw.usedBytes / copies),
        freeBytes: Math.floor(raw.freeBytes / copies),
      }
      output.object({ raw, usable, copies, policy: map.defaultPolicy, trashBytes: status.trashBytes })
      const row = (name: string, space: typeof raw) => [
        name,
        formatSize(space.capacityBytes),
        formatSize(space.usedBytes),
        formatSize(space.freeBytes),
        `${Math.round((100 * space.usedBytes) / Math.max(1, space.capacityBytes))} %`,
      ]
      output.line(
        formatTable(['', 'CAPACITY', 'USED', 'FREE', 'LOAD'], [row('raw', raw), row(`usable (÷ ${copies})`, usable)]),
      )
      const trash = `Trash holds ${formatSize(status.trashBytes)} of it; "ashlar trash empty" gives that back.`
      output.line(status.trashBytes === 0 ? 'The trash is empty.' : trash)
    },
  })

  addVerb<{ readonly unset?: boolean }>(registry, {
    usage: 'config [name] [value]',
    summary: 'show or change a setting of the cluster',
    description:
      'Shows all settings, or one; with a value changes it, from now on and for all clients. Durations are written as 90s, 30m, 12h or 7d, sizes as 64MiB or in bytes.',
    examples: ['config', 'config trash-keep', 'config trash-keep 30d'],
    run: async ({ client, output, signal }, name, value) => {
      if (name !== undefined && value !== undefined) {
        await client.setSetting(name, value, { signal })
      }
      const settings = await client.settings({ signal })
      if (name !== undefined && settings[name] === undefined) {
        throw new AshlarError(
          'not-found',
          `Cannot show setting ${name}: the settings are ${Object.keys(settings).join(', ')}`,
        )
      }
      const shown = name === undefined ? settings : { [name]: settings[name] as string }
      output.object(shown)
      for (const [key, value] of Object.entries(shown)) {
        output.line(name === undefined ? `${key.padEnd(16)}${settingText(value)}` : settingText(value))
      }
    },
  })
}

/** A bare number is a size, in every setting. What is shown can be given again. */
function settingText(value: string): string {
  return /^\d+$/.test(value) ? formatExactSize(Number(value)) : value
}

function byDomain(one: NodeStatus, other: NodeStatus): number {
  return one.domain.localeCompare(other.domain, 'en', { numeric: true }) || (one.id < other.id ? -1 : 1)
}

function nodeObject(node: NodeStatus): object {
  const { id, address, domain, state, capacityBytes, usedBytes, reservedBytes, freeBytes, chunks } = node
  const { httpAddress, quarantinedChunks, silentMs, synced, refusal, groupsLeft, bytesLeft, maintenanceMs } = node
  const {
    oldestUnscrubbedSeconds,
    scrubBytesPerSecond,
    scrubbedBytes,
    badChunksScrubbed,
    diskBytesPerSecond,
    unsteady,
    silence,
  } = node
  return {
    ...{ id, address, domain, state, capacityBytes, usedBytes, reservedBytes, freeBytes, chunks },
    ...{ httpAddress, quarantinedChunks, silentMs, synced, refusal, groupsLeft, bytesLeft, maintenanceMs },
    ...{ oldestUnscrubbedSeconds, scrubBytesPerSecond, scrubbedBytes, badChunksScrubbed, diskBytesPerSecond, unsteady },
    silence,
  }
}

function noteOf(node: NodeStatus): string {
  const { quarantinedChunks, refusal, groupsLeft, bytesLeft = 0, maintenanceMs, state, unsteady, silence } = node
  const notes: string[] = []
  if (silence !== undefined) notes.push(silence)
  if (unsteady === true) notes.push('comes and goes: it is given nothing new')
  if (groupsLeft !== undefined && state !== 'left')
    notes.push(`${formatCount(groupsLeft, 'group')}, ${formatSize(bytesLeft)} to give away`)
  if (maintenanceMs !== undefined) notes.push(`${formatDuration(maintenanceMs)} of maintenance left`)
  if (quarantinedChunks > 0) notes.push(`${quarantinedChunks} in quarantine`)
  if (refusal !== undefined) notes.push(refusal)
  return notes.join('; ')
}
