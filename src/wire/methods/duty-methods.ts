/** To the master: its duties, as people see and steer them (numbers 94–99). @module */
import { bool, choice, field, hex, type Infer, id, list, optional, struct, text, uint } from '../../base/codec.ts'
import type { GroupId, ServerId } from '../../base/ids.ts'
import { limits } from '../../base/limits.ts'
import type { Rising } from '../../base/rising.ts'
import { method } from '../method.ts'
import { memberDuty, serverState } from '../types/cluster-map.ts'
import { nothing } from './session-methods.ts'

/** One duty: what is under way, what is left, and how long that takes at the present rate. */
export const workReport = struct('work report', 1, {
  duty: field(1, memberDuty),
  /** `waiting`: something is to be done and nothing can be begun; `reason` says why. */
  state: field(2, choice('idle', 'working', 'waiting', 'paused')),
  /** Groups being filled. */
  groupsUnderWay: field(3, uint),
  groupsWaiting: field(4, uint),
  chunksLeft: field(5, uint),
  bytesLeft: field(6, uint),
  bytesPerSecond: field(7, uint),
  /** Absent while nothing moves, and in the first seconds. */
  timeLeftMs: optional(8, uint),
  reason: optional(9, text(1024)),
})
export type WorkReport = Infer<typeof workReport>

/** Asks something of a server. Each is durable when answered, and can be taken back. */
export const changeDuty = method({
  number: 94,
  name: 'changeDuty',
  request: struct('changeDuty', 1, {
    server: field(1, hex<ServerId>(16)),
    change: field(2, choice('drain', 'cancel-drain', 'begin-maintenance', 'end-maintenance')),
    /** Of maintenance. */
    forMs: optional(3, uint),
  }),
  response: nothing,
  callers: ['client'],
})

/** The duties that move chunks, as a member's, the one that only reads, and the one that deletes. */
export const pausableDuty = choice('repair', 'drain', 'rebalance', 'scrub', 'gc')
export type PausableDuty = 'repair' | 'drain' | 'rebalance' | 'scrub' | 'gc'

export const pauseDuty = method({
  number: 95,
  name: 'pauseDuty',
  request: struct('pauseDuty', 1, { duty: field(1, pausableDuty), paused: field(2, bool) }),
  response: nothing,
  callers: ['client'],
})

const plannedStep = struct('planned step', 1, {
  duty: field(1, memberDuty),
  group: field(2, id<GroupId>()),
  /** Of the group when it was planned: on any other the step is refused. */
  epoch: field(3, id<Rising>()),
  from: field(4, hex<ServerId>(16)),
  to: field(5, hex<ServerId>(16)),
  chunks: field(6, uint),
  sizeBytes: field(7, uint),
  survivors: field(8, uint),
  reason: field(9, text(1024)),
})
export type PlannedStep = Infer<typeof plannedStep>

const waitingStep = struct('waiting step', 1, {
  duty: field(1, memberDuty),
  group: field(2, id<GroupId>()),
  server: field(3, hex<ServerId>(16)),
  survivors: field(4, uint),
  why: field(5, text(1024)),
})

/** What the duty would begin now, and what it would leave waiting. Changes nothing. */
export const planDuty = method({
  number: 96,
  name: 'planDuty',
  request: struct('planDuty', 1, {
    duty: field(1, memberDuty),
    /** Of a drain that has not been asked for: as if this server were to leave. */
    server: optional(2, hex<ServerId>(16)),
  }),
  response: struct('planDuty response', 1, {
    steps: field(1, list(plannedStep, limits.planSteps)),
    waiting: field(2, list(waitingStep, limits.planSteps)),
    /** All of them, also those past the limit of the lists. */
    stepCount: field(3, uint),
    waitingCount: field(4, uint),
    bytesPerSecond: field(5, uint),
    /** Of all steps. @see PlanCost */
    cost: optional(
      6,
      struct('plan cost', 1, {
        sizeBytes: field(1, uint),
        busiestLinkBytes: field(2, uint),
        diskBytes: field(3, uint),
        diskMs: optional(4, uint),
      }),
    ),
    /** What is begun is not filled until the duty is resumed. */
    isPaused: optional(7, bool),
  }),
  callers: ['client'],
})
export type DutyPlan = Infer<typeof planDuty.response>

/**
 * Ends a duty: it is paused (a drain: taken back, of every server), and what it has filling gives its place back where it can.
 * What cannot stays as it is, for when the duty is resumed.
 */
export const cancelDuty = method({
  number: 98,
  name: 'cancelDuty',
  request: struct('cancelDuty', 1, { duty: field(1, memberDuty) }),
  response: struct('cancelDuty response', 1, {
    /** Groups whose former member has its place back. */
    turnedBack: field(1, uint),
    /** Groups that stay as they are. */
    kept: field(2, uint),
    /** Why, of one of them. */
    reason: optional(3, text(1024)),
  }),
  callers: ['client'],
})
export type CancelledDuty = Infer<typeof cancelDuty.response>

/** What keeps deletes and repairs waiting: servers that were not compared since this master started, and a mass loss. */
export const safeMode = method({
  number: 99,
  name: 'safeMode',
  request: nothing,
  response: struct('safeMode response', 1, {
    groups: field(1, uint),
    /** Nothing is deleted for absence before it is all of them. */
    comparedGroups: field(2, uint),
    waitsFor: field(
      3,
      list(
        struct('awaited server', 1, {
          server: field(1, hex<ServerId>(16)),
          domain: field(2, text(256)),
          state: field(3, serverState),
          /** Its groups that were not compared. */
          groups: field(4, uint),
        }),
        limits.chunkServers,
      ),
    ),
    massLoss: optional(
      4,
      struct('mass loss', 1, { silent: field(1, uint), servers: field(2, uint), leftMs: field(3, uint) }),
    ),
  }),
  callers: ['client'],
})
export type SafeMode = Infer<typeof safeMode.response>

/** Begins steps of a plan. Those made on an older epoch of their group are refused. */
export const applySteps = method({
  number: 97,
  name: 'applySteps',
  request: struct('applySteps', 1, { steps: field(1, list(plannedStep, limits.planSteps)) }),
  response: struct('applySteps response', 1, {
    begun: field(1, uint),
    refused: field(2, list(text(1024), limits.planSteps)),
    /** Duties of what was begun that are paused: nothing is filled for them until they are resumed. Absent: none. */
    paused: optional(3, list(memberDuty, 8)),
  }),
  callers: ['client'],
})
