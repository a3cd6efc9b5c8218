/** What the cluster is and holds, its settings, and what chunk servers tell. @module */

import { groupOf } from '../base/ids.ts'
import { parseAddress } from '../env/address.ts'
import {
  type ClusterStatus,
  changeSetting,
  getNodes,
  getSettings,
  getStatus,
  heartbeat,
  register,
} from '../wire/methods/cluster-methods.ts'
import type { NodeStatus } from '../wire/types/cluster-map.ts'
import type { HandlerContext } from './handlers.ts'
import { heartbeatIntervalMs } from './settings.ts'

export interface ClusterHandlerOptions {
  readonly status: () => Promise<ClusterStatus>
  readonly nodes: () => readonly NodeStatus[]
  readonly isScrubPaused: () => boolean
}

export function answerCluster(context: HandlerContext, options: ClusterHandlerOptions): void {
  const { status, nodes } = options
  const { service, settings } = context
  service.handle(getNodes, async () => ({ value: { nodes: nodes() } }))
  service.handle(getStatus, async () => ({ value: { status: await status() } }))
  service.handle(getSettings, async () => ({ value: { settings: settings.list() } }))
  service.handle(changeSetting, async ({ name, value }) => {
    await setSetting(context, name, value)
    return { value: {} }
  })
  answerChunkServers(context, options)
}

async function setSetting({ settings, leader, map }: HandlerContext, name: string, text: string): Promise<void> {
  const value = settings.check(name, text)
  await leader.putSetting(name, value)
  settings.apply(name, value)
  // Policies and the default one travel with the map.
  await map.raiseVersion()
  await map.ensureGroups(settings.values.defaultPolicy)
}

function answerChunkServers(
  { service, registry, leader, map, clusterTime, settings }: HandlerContext,
  { isScrubPaused }: Pick<ClusterHandlerOptions, 'isScrubPaused'>,
): void {
  service.handle(register, async (request, { peer }) => {
    parseAddress(request.address)
    parseAddress(request.httpAddress)
    await registry.register(request, peer)
    return {
      value: {
        leaderEpoch: leader.epoch,
        clusterTime: clusterTime(),
        heartbeatMs: heartbeatIntervalMs(settings.values),
        map: map.index.map,
      },
    }
  })
  service.handle(heartbeat, async (request, { peer }) => {
    registry.heartbeat(request, peer)
    // Before the answer: then the server may forget them.
    for (const chunk of request.quarantined) {
      registry.noteDoubt(request.server, groupOf(chunk))
      await leader.queueRepair(chunk, request.server)
    }
    return {
      value: {
        leaderEpoch: leader.epoch,
        clusterTime: clusterTime(),
        mapVersion: map.version,
        heartbeatMs: heartbeatIntervalMs(settings.values),
        scrub: {
          withinMs: settings.values.scrubWithinMs,
          mostBytesPerSecond: settings.values.scrubBytesPerSecond,
          isPaused: isScrubPaused(),
        },
      },
    }
  })
}
