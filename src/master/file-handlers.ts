/** The namespace, as clients ask for it: what is stored is passed on as it is; what servers hold is added. @module */
import { groupOf } from '../base/ids.ts'
import { isAnswering } from '../cluster/placement.ts'
import type { ExtentDescription } from '../namespace/namespace.ts'
import * as methods from '../wire/methods/file-methods.ts'
import * as versionMethods from '../wire/methods/version-methods.ts'
import { EncodedResponse } from '../wire/peer.ts'
import type { ChunkDescription } from '../wire/types/extent.ts'
import { type HandlerContext, passThrough } from './handlers.ts'

export function answerFiles(context: HandlerContext): void {
  const { service, namespace, workers } = context
  passThrough(service, methods.stat, (request) => namespace.stat(request))
  passThrough(service, methods.listDirectory, (request) => namespace.listDirectory(request))
  service.handle(methods.listObjects, async (request) => ({
    value: new EncodedResponse(await namespace.encodeObjects(request)),
  }))
  passThrough(service, methods.openFile, (request) => namespace.openFile(request))
  passThrough(service, methods.getExtents, (request) => namespace.getExtents(request))
  passThrough(service, methods.summarize, (request) => namespace.summarize(request))
  passThrough(service, methods.listTrash, (request) => namespace.listTrash(request))
  passThrough(service, methods.makeDirectory, (request) => namespace.makeDirectory(request))
  passThrough(service, methods.rename, (request) => namespace.rename(request))
  passThrough(service, methods.remove, (request) => namespace.remove(request))
  passThrough(service, methods.truncate, (request) => namespace.truncate(request))
  passThrough(service, methods.concat, (request) => namespace.concat(request))
  passThrough(service, methods.copyFile, (request) => namespace.copyFile(request))
  passThrough(service, methods.setAttributes, (request) => namespace.setAttributes(request))
  passThrough(service, methods.setXattrs, (request) => namespace.setXattrs(request))
  passThrough(service, methods.undelete, (request) => namespace.undelete(request))
  passThrough(service, versionMethods.listVersions, (request) => namespace.listVersions(request))
  passThrough(service, versionMethods.setVersioning, (request) => namespace.setVersioning(request))
  passThrough(service, versionMethods.removeObject, (request) => namespace.removeObject(request))
  passThrough(service, versionMethods.setObjectLock, (request) => namespace.setObjectLock(request))
  service.handle(methods.emptyTrash, async (request) => {
    const value = await namespace.emptyTrash(request)
    workers.wake('purge', 'gc')
    return { value }
  })
  service.handle(methods.describeChunks, async (request) => {
    const { extents, extentCount } = await namespace.describeExtents(request)
    return { value: { extentCount, chunks: extents.map((extent) => describe(context, extent)) } }
  })
}

function describe(
  { registry, settings }: HandlerContext,
  { extent, group, owing }: ExtentDescription,
): ChunkDescription {
  const members = (group?.members ?? []).map(({ server, state }) => {
    if (owing.includes(server)) return { server, state: 'missing' as const }
    // What a filling member has not copied yet is known to itself alone.
    const isKnown = state !== 'filling' && isAnswering(registry.stateOf(server))
    return { server, state: isKnown ? ('ok' as const) : ('unknown' as const) }
  })
  const replicas = settings.policy(group?.policy ?? '')?.replicas ?? members.length
  const slots = (group?.members ?? []).filter(
    ({ server, state }) => state !== 'filling' && !owing.includes(server) && registry.stateOf(server) !== 'dead',
  )
  const present = new Set(slots.map(({ slot }) => slot)).size
  return {
    extent,
    group: group?.id ?? groupOf(extent.chunk),
    members,
    missing: Math.max(0, replicas - present),
    policy: group?.policy,
  }
}
