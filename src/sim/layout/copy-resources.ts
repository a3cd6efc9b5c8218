/**
 * What a copy from one server to another takes: both disks (a copy is written and read back before it counts), both network
 * links, the uplinks of their racks, and a place among the copies that each server makes at once (master/copy-slots.ts).
 * Repair gets a share of disks and links; the rest is for clients.
 * @module
 */
import type { ServerId } from '../../base/ids.ts'
import { copiesAtOnceOf } from '../../master/copy-slots.ts'
import type { Resource, Use } from './fair-rates.ts'
import type { LayoutCluster } from './layout-cluster.ts'

export interface Hardware {
  /** Bytes per second of one server's disk, reads and writes together. */
  readonly diskBytesPerSecond: number
  /** Of one server's link, each way. */
  readonly netBytesPerSecond: number
  /** Of one rack's link to the others, each way; absent: as fast as all its servers. */
  readonly uplinkBytesPerSecond?: number | undefined
  /** What repair may take of disks and links, 0 to 1. */
  readonly repairShare: number
  /** From the order of a copy to its receipt, beside the bytes themselves. */
  readonly copyLatencyMs: number
}

/** On the target's disk: a copy is read back whole. */
const writeAndReadBack = 2

export class CopyResources {
  readonly #cluster: LayoutCluster
  readonly #hardware: Hardware
  readonly #copyBytes: number
  readonly #resources = new Map<string, Resource>()

  /** @param copyBytes the mean size of a chunk */
  constructor(cluster: LayoutCluster, hardware: Hardware, { copyBytes }: { readonly copyBytes: number }) {
    this.#cluster = cluster
    this.#hardware = hardware
    this.#copyBytes = copyBytes
  }

  usesOf(source: ServerId, target: ServerId): readonly Use[] {
    const { diskBytesPerSecond, netBytesPerSecond, uplinkBytesPerSecond, copyLatencyMs } = this.#hardware
    const copies = (copiesAtOnceOf(this.#copyBytes) * this.#copyBytes * 1000) / Math.max(0.001, copyLatencyMs)
    const uses: Use[] = [
      { resource: this.#shared('disks', `disk ${source}`, diskBytesPerSecond), weight: 1 },
      { resource: this.#shared('disks', `disk ${target}`, diskBytesPerSecond), weight: writeAndReadBack },
      { resource: this.#shared('network links', `out ${source}`, netBytesPerSecond), weight: 1 },
      { resource: this.#shared('network links', `in ${target}`, netBytesPerSecond), weight: 1 },
      { resource: this.#resource('copies at once', `sends ${source}`, copies), weight: 1 },
      { resource: this.#resource('copies at once', `takes ${target}`, copies), weight: 1 },
    ]
    const [from, to] = [this.#cluster.rackOf(source), this.#cluster.rackOf(target)]
    if (uplinkBytesPerSecond === undefined || from === to) return uses
    return [
      ...uses,
      { resource: this.#shared('uplinks of racks', `rack ${from} out`, uplinkBytesPerSecond), weight: 1 },
      { resource: this.#shared('uplinks of racks', `rack ${to} in`, uplinkBytesPerSecond), weight: 1 },
    ]
  }

  /** The least time that the disks of `servers` servers need for so many bytes, whatever else there is. */
  idealMs(copiedBytes: number, servers: number): number {
    const { diskBytesPerSecond, repairShare } = this.#hardware
    return (copiedBytes * (1 + writeAndReadBack) * 1000) / (servers * diskBytesPerSecond * repairShare)
  }

  #shared(kind: string, name: string, bytesPerSecond: number): Resource {
    return this.#resource(kind, name, bytesPerSecond * this.#hardware.repairShare)
  }

  #resource(kind: string, name: string, bytesPerSecond: number): Resource {
    const known = this.#resources.get(name)
    if (known !== undefined) return known
    const made = { kind, bytesPerSecond }
    this.#resources.set(name, made)
    return made
  }
}
