/** What the cluster is and holds: servers, settings, and where the chunks of a file are. @module */
import { type ChunkId, groupOf, type ServerId } from '../base/ids.ts'
import { describeReplica } from '../wire/methods/chunk-methods.ts'
import { type ClusterStatus, changeSetting, getNodes, getSettings, getStatus } from '../wire/methods/cluster-methods.ts'
import { describeChunks } from '../wire/methods/file-methods.ts'
import type { ClusterMap, NodeStatus } from '../wire/types/cluster-map.ts'
import type { ChunkDescription } from '../wire/types/extent.ts'
import type { ClientCore } from './client-core.ts'
import type { ChunkReport, ReplicaReport } from './filesystem.ts'
import type { CallOptions } from './options.ts'
import { checkPath } from './paths.ts'

export class ClusterCalls {
  readonly #core: ClientCore

  constructor(core: ClientCore) {
    this.#core = core
  }

  async nodes({ signal }: CallOptions = {}): Promise<readonly NodeStatus[]> {
    return (await this.#core.link.call(getNodes, {}, { signal })).value.nodes
  }

  async status({ signal }: CallOptions = {}): Promise<ClusterStatus> {
    return (await this.#core.link.call(getStatus, {}, { signal })).value.status
  }

  async map({ signal }: CallOptions = {}): Promise<ClusterMap> {
    return (await this.#core.maps.refresh(signal)).map
  }

  async settings({ signal }: CallOptions = {}): Promise<Readonly<Record<string, string>>> {
    const { value } = await this.#core.link.call(getSettings, {}, { signal })
    return Object.fromEntries(value.settings.map(({ name, value: text }) => [name, text]))
  }

  async setSetting(name: string, value: string, { signal }: CallOptions = {}): Promise<void> {
    await this.#core.link.call(changeSetting, { name, value }, { signal })
  }

  async *describeChunks(path: string, { signal }: CallOptions = {}): AsyncGenerator<ChunkReport, void, undefined> {
    checkPath(path)
    const { maps, link } = this.#core
    await maps.refresh(signal)
    let position = 0
    for (let from = 0; ; ) {
      const { value } = await link.call(describeChunks, { path, from }, { signal })
      for (const description of value.chunks) {
        yield this.#report(description, position)
        position += description.extent.length
      }
      from += value.chunks.length
      if (value.chunks.length === 0 || from >= value.extentCount) return
    }
  }

  async describeReplica(
    chunk: ChunkId,
    server: ServerId,
    { md5: wantMd5 = false, signal }: CallOptions & { readonly md5?: boolean } = {},
  ): Promise<ReplicaReport> {
    const { tokens, pool, maps } = this.#core
    await maps.current(signal)
    const token = await tokens.get(groupOf(chunk), signal)
    const peer = await pool.sharedPeer(server, signal)
    const options = signal === undefined ? {} : { signal }
    const { value } = await peer.call(describeReplica, { chunk, token, wantMd5 }, options)
    const { length, crc, md5 } = value
    return { length, crc, ...(md5 === undefined ? {} : { md5: md5.toString('hex') }) }
  }

  #report({ extent, group, members, missing, policy }: ChunkDescription, position: number): ChunkReport {
    const replicas = members.map(({ server, state }) => ({
      serverId: server,
      address: this.#core.maps.known?.server(server)?.address ?? 'unknown',
      state,
    }))
    const { chunk: chunkId, offset, length, chunkLength, crc } = extent
    return { chunkId, position, offset, length, chunkLength, crc, group, policy, missing, replicas }
  }
}
