/** The options of `ashlar sim placement`. @module */
import type { Command } from 'commander'
import { AshlarError } from '../../base/errors.ts'
import { limits } from '../../base/limits.ts'
import { parseSize } from '../../base/sizes.ts'
import { fallbackPolicyName } from '../../cluster/policies.ts'
import { type ComparisonOptions, replicatedPolicy } from '../../sim/layout/compare-placement.ts'
import { count, type RawLayoutOptions, seedOf } from './layout-options.ts'

export interface RawPlacementOptions extends RawLayoutOptions {
  readonly chunks?: string
  readonly trials?: string
  readonly deaths?: string
}

const defaultServers = 10_000
const serversPerRack = 20
const mostChunks = 1e12
const defaultTrials = 5000
const defaultChunksPerServer = 100_000

export function addPlacementOptions(command: Command): Command {
  return command
    .option('--chunks <n>', 'of placement: how many chunks of 8 MiB, as 1e9 too (default: 100,000 for each server)')
    .option('--trials <n>', `of placement: deaths drawn for each figure (default: ${defaultTrials})`)
    .option('--deaths <n[,n…]>', 'of placement: servers that die at once (default: 3, and 0.5, 1 and 5 % of all)')
}

/** @throws {AshlarError} `invalid-argument` — names the option and what it takes */
export function checkPlacementOptions(raw: RawPlacementOptions): Omit<ComparisonOptions, 'nowMs' | 'onStrategy'> {
  const servers =
    count('--servers', raw.servers, { least: limits.allTriplesUpToServers + 1, most: limits.chunkServers }) ??
    defaultServers
  const policyName = raw.policy ?? fallbackPolicyName
  const policy = replicatedPolicy(policyName)
  if (policy === undefined) {
    throw new AshlarError(
      'invalid-argument',
      `Cannot use --policy ${policyName.slice(0, 40)}: there is none of this name`,
    )
  }
  return {
    servers,
    racks: count('--racks', raw.racks, { least: policy.replicas, most: servers }) ?? racksOf(servers, policy.replicas),
    policy,
    chunks: count('--chunks', raw.chunks, { least: 1, most: mostChunks }) ?? servers * defaultChunksPerServer,
    capacityBytes: raw.capacity === undefined ? undefined : parseSize(raw.capacity),
    deaths: deathsOf(raw.deaths, { servers, replicas: policy.replicas }),
    trials: count('--trials', raw.trials, { least: 1, most: 10_000_000 }) ?? defaultTrials,
    seed: seedOf(raw),
  }
}

function racksOf(servers: number, replicas: number): number {
  return Math.max(2 * replicas, Math.round(servers / serversPerRack))
}

function deathsOf(
  text: string | undefined,
  { servers, replicas }: { readonly servers: number; readonly replicas: number },
): readonly number[] {
  if (text !== undefined) {
    return text.split(',').map((part) => count('--deaths', part, { least: 1, most: servers }) as number)
  }
  const usual = [replicas, ...[0.005, 0.01, 0.05].map((part) => Math.round(part * servers))]
  return [...new Set(usual.filter((deaths) => deaths >= replicas))]
}
