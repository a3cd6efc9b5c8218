/**
 * Placement strategies: which servers become the members of a group, and which group takes the next chunks. A cluster has
 * one of them (setting `placement`); `ashlar sim placement` compares them.
 *
 * | strategy | members of a group | the next chunks |
 * |---|---|---|
 * | `spread` | copysets: partners with few groups, wherever they are | go to each server by the bytes it has free |
 * | `load-sorted` | as `spread` | go to the emptiest group of a sample |
 * | `consistent-hash`, `hash`, `range` | by a layout (placement-layouts.ts) | go to any group alike |
 *
 * The cluster map names the members of every group, whatever the strategy: reading depends on none, and changing it loses
 * nothing. New groups and chunks follow the new one at once. A layout also says where the members of existing groups belong: repair
 * and drain choose by it where they can, and rebalancing moves one member after the other there (placement-moves.ts).
 * Without a layout rebalancing evens out bytes, and leaves members as they are otherwise.
 * Pure: the same input and draws give the same answer. Invariant: members of a group share no failure domain.
 * @module
 */
import { AshlarError } from '../base/errors.ts'
import type { GroupId, ServerId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import { fitWeights, type SetWeight } from './group-weights.ts'
import { type GroupCandidate, type GroupPlanInput, planGroups } from './groups.ts'
import { type GroupLayout, hashLayout, rangeLayout, ringLayout } from './placement-layouts.ts'
import type { RandomChoice } from './random-choice.ts'

export const strategyNames = ['spread', 'load-sorted', 'consistent-hash', 'hash', 'range'] as const
export type StrategyName = (typeof strategyNames)[number]

export interface MissingGroupsInput extends GroupPlanInput {
  /** Of the first group to be planned; the others follow. */
  readonly firstId: GroupId
}

export interface WeighInput {
  /** Writing members of the groups that can take the chunks, at least one group. */
  readonly sets: readonly (readonly ServerId[])[]
  readonly roomOf: (server: ServerId) => ServerRoom
}

export interface ServerRoom {
  readonly freeBytes: number
  readonly capacityBytes: number
}

export interface PlacementStrategy {
  readonly name: StrategyName
  /** Member lists that are missing, in slot order; empty when nothing is, or there are too few domains. */
  readonly planGroups: (input: MissingGroupsInput, random: RandomChoice) => readonly (readonly ServerId[])[]
  /** Groups to draw from for the next chunks, with their chances; of a large cluster's only a sample. */
  readonly weigh: (input: WeighInput, random: RandomChoice) => readonly SetWeight[]
  /** Where members belong, given the servers that are to hold chunks. Absent: anywhere in domains of their own. */
  readonly layout?: (servers: readonly GroupCandidate[]) => GroupLayout
}

/** Groups looked at for the emptiest one: all would be the same one until servers report again. */
const emptiestOf = 8

const strategies: Readonly<Record<StrategyName, PlacementStrategy>> = {
  spread: {
    name: 'spread',
    planGroups,
    weigh: ({ sets, roomOf }, random) => fitWeights({ sets, amountOf: (id) => roomOf(id).freeBytes }, random),
  },
  'load-sorted': { name: 'load-sorted', planGroups, weigh: emptiest },
  'consistent-hash': withLayout('consistent-hash', ringLayout),
  hash: withLayout('hash', hashLayout),
  range: withLayout('range', rangeLayout),
}

export const defaultStrategy: StrategyName = 'spread'

export function strategyOf(name: StrategyName): PlacementStrategy {
  return strategies[name]
}

export function isStrategyName(text: string): text is StrategyName {
  return (strategyNames as readonly string[]).includes(text)
}

/** @throws {AshlarError} `invalid-argument` — there is none of this name */
export function strategyNamed(text: string): StrategyName {
  if (isStrategyName(text)) return text
  const known = strategyNames.join(', ')
  throw new AshlarError('invalid-argument', `Cannot place by "${text.slice(0, 40)}": the strategies are ${known}`)
}

function withLayout(
  name: StrategyName,
  layout: (servers: readonly GroupCandidate[]) => GroupLayout,
): PlacementStrategy {
  return {
    name,
    layout,
    planGroups: ({ candidates, existing, replicas, firstId }) => {
      const wanted = Math.ceil((candidates.length * groupsPerServer(replicas)) / replicas)
      const membersOf = layout(candidates)
      const planned: (readonly ServerId[])[] = []
      for (let index = 0; existing.length + index < wanted; index++) {
        const members = membersOf((firstId + index) as GroupId, replicas)
        if (members.length === 0) break
        planned.push(members)
      }
      return planned
    },
    weigh: ({ sets }, random) => [{ index: random.below(sets.length), weight: 1 }],
  }
}

/** Of single copies fewer, so that the map of the largest cluster holds the groups of every policy. */
function groupsPerServer(replicas: number): number {
  return replicas === 1 ? limits.groupsPerServer / 4 : limits.groupsPerServer
}

/** The group whose fullest member is emptiest. */
function emptiest({ sets, roomOf }: WeighInput, random: RandomChoice): readonly SetWeight[] {
  const isSampled = sets.length > emptiestOf
  let best = 0
  let bestFree = Number.NEGATIVE_INFINITY
  for (let count = 0; count < Math.min(sets.length, emptiestOf); count++) {
    const index = isSampled ? random.below(sets.length) : count
    let free = Number.POSITIVE_INFINITY
    for (const id of sets[index] as readonly ServerId[]) free = Math.min(free, freeFraction(roomOf(id)))
    if (free <= bestFree) continue
    best = index
    bestFree = free
  }
  return [{ index: best, weight: 1 }]
}

function freeFraction({ freeBytes, capacityBytes }: ServerRoom): number {
  return freeBytes / Math.max(1, capacityBytes)
}
