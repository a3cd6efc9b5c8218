/** The options of `ashlar sim` that describe a layout, and what they mean. @module */
import type { Command } from 'commander'
import { AshlarError } from '../../base/errors.ts'
import { limits } from '../../base/limits.ts'
import { parseDuration, parseSize } from '../../base/sizes.ts'
import { defaultStrategy, strategyNamed, strategyNames } from '../../cluster/placement-strategy.ts'
import { fallbackPolicyName } from '../../cluster/policies.ts'
import type { Kill, LayoutOptions } from '../../sim/layout/simulate-layout.ts'

/** As commander hands them over. */
export interface RawLayoutOptions {
  readonly servers?: string
  readonly racks?: string
  readonly domain?: string
  readonly policy?: string
  readonly placement?: string
  readonly capacity?: string
  readonly files?: string
  readonly bytes?: string
  readonly disk?: string
  readonly net?: string
  readonly uplink?: string
  readonly repairShare?: string
  readonly deadAfter?: string
  readonly killRack?: string
  readonly killServer?: string
  readonly killServers?: string
  readonly random?: boolean
  readonly seed?: string
}

const layoutKeys = [
  ...(['servers', 'racks', 'domain', 'policy', 'placement', 'capacity', 'files', 'bytes', 'disk', 'net'] as const),
  ...(['uplink', 'repairShare', 'deadAfter', 'killRack', 'killServer', 'killServers', 'random'] as const),
]
const mostFiles = 1e12
const defaultSeed = 1
const defaultCapacity = '16TiB'
const defaultDisk = '180MiB'
const defaultNet = '1200MiB'
const copyLatencyMs = 10

export function addLayoutOptions(command: Command): Command {
  return command
    .option('--servers <n>', `your layout, and not a seed: so many chunk servers (1 to ${limits.chunkServers})`)
    .option('--racks <n>', 'racks, with the servers dealt to them in turn (default: none)')
    .option(
      '--domain <level>',
      'copies of a chunk lie in different racks or hosts (default: rack, where there are racks)',
    )
    .option('--policy <name>', `default: ${fallbackPolicyName}`)
    .option('--placement <strategy>', `${strategyNames.join(', ')} (default: ${defaultStrategy})`)
    .option('--capacity <size>', `of each server (default: ${defaultCapacity})`)
    .option('--files <n>', 'how many there are (default: one for each 8 MiB)')
    .option('--bytes <size>', 'of all files, without their copies (default: what fills the servers by half)')
    .option('--disk <size>', `bytes per second of a server's disk (default: ${defaultDisk})`)
    .option('--net <size>', `bytes per second of a server's link, each way (default: ${defaultNet})`)
    .option('--uplink <size>', 'bytes per second from a rack to all others, each way (default: no limit)')
    .option('--repair-share <fraction>', 'what repair may take of disks and links (default: 0.5)')
    .option('--dead-after <duration>', 'default: 30s')
    .option('--kill-rack <n>', 'lose this rack, from 1')
    .option('--kill-server <n>', 'lose this server, from 1')
    .option('--kill-servers <n>', 'lose so many at once, drawn by --seed')
    .option('--random', 'of --kill-servers: drawn at random, which they are anyway')
}

/** Whether an option was given that has no meaning for seeds. */
export function describesLayout({ seed: _, ...raw }: RawLayoutOptions): boolean {
  return layoutKeys.some((key) => raw[key] !== undefined)
}

/** @throws {AshlarError} `invalid-argument` — names the option and what it takes */
export function checkLayoutOptions(raw: RawLayoutOptions): LayoutOptions {
  const servers = count('--servers', raw.servers, { least: 1, most: limits.chunkServers })
  if (servers === undefined)
    throw new AshlarError('invalid-argument', 'Cannot simulate a layout: say how many --servers')
  const racks = count('--racks', raw.racks, { least: 1, most: servers }) ?? 0
  return {
    servers,
    racks,
    domain: domainOf(raw.domain, racks),
    policy: raw.policy ?? fallbackPolicyName,
    strategy: strategyNamed(raw.placement ?? defaultStrategy),
    capacityBytes: positive('--capacity', parseSize(raw.capacity ?? defaultCapacity)),
    fileBytes: raw.bytes === undefined ? undefined : parseSize(raw.bytes),
    files: count('--files', raw.files, { least: 1, most: mostFiles }),
    diskBytesPerSecond: positive('--disk', parseSize(raw.disk ?? defaultDisk)),
    netBytesPerSecond: positive('--net', parseSize(raw.net ?? defaultNet)),
    uplinkBytesPerSecond: raw.uplink === undefined ? undefined : positive('--uplink', parseSize(raw.uplink)),
    repairShare: shareOf(raw.repairShare),
    copyLatencyMs,
    kill: killOf(raw),
    deadAfterMs: raw.deadAfter === undefined ? limits.deadAfterMs : parseDuration(raw.deadAfter),
    holdOffMs: limits.holdOffMs,
    seed: seedOf(raw),
  }
}

export function seedOf({ seed }: RawLayoutOptions): number {
  return count('--seed', seed, { least: 0, most: 2 ** 32 - 1 }) ?? defaultSeed
}

/** A whole number; also as `1e9`. */
export function count(
  option: string,
  text: string | undefined,
  { least, most }: { readonly least: number; readonly most: number },
): number | undefined {
  if (text === undefined) return undefined
  const value = /^\d+(e\d{1,2})?$/.test(text) ? Number(text) : Number.NaN
  if (value >= least && value <= most) return value
  throw refused(option, text, `give a whole number, ${least} to ${most.toLocaleString('en')}`)
}

function killOf(raw: RawLayoutOptions): Kill {
  const given = [raw.killRack, raw.killServer, raw.killServers].filter((text) => text !== undefined)
  if (given.length > 1)
    throw new AshlarError('invalid-argument', 'Cannot simulate two losses: give one of the --kill options')
  const range = { least: 1, most: limits.chunkServers }
  const rack = count('--kill-rack', raw.killRack, range)
  if (rack !== undefined) return { kind: 'rack', number: rack }
  const server = count('--kill-server', raw.killServer, range)
  if (server !== undefined) return { kind: 'server', number: server }
  const servers = count('--kill-servers', raw.killServers, range)
  return servers === undefined ? { kind: 'nothing' } : { kind: 'servers', count: servers }
}

function domainOf(text: string | undefined, racks: number): 'rack' | 'host' {
  if (text === undefined) return racks > 0 ? 'rack' : 'host'
  if (text === 'host' || (text === 'rack' && racks > 0)) return text
  throw refused('--domain', text, racks > 0 ? 'it is rack or host' : 'without --racks it is host')
}

function shareOf(text: string | undefined): number {
  if (text === undefined) return 0.5
  const share = Number(text)
  if (share > 0 && share <= 1) return share
  throw refused('--repair-share', text, 'it is more than 0, and 1 at most')
}

function positive(option: string, value: number): number {
  if (value > 0) return value
  throw refused(option, String(value), 'it is more than 0')
}

function refused(option: string, text: string, why: string): AshlarError {
  return new AshlarError('invalid-argument', `Cannot use ${option} ${text.slice(0, 40)}: ${why}`)
}
