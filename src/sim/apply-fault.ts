/**
 * Faults in effect: how each kind begins on the machines of a world, and what ends it.
 * @module
 */
import type { MemoryFaults } from '../kv/memory-kv.ts'
import { storePath } from './programs.ts'
import type { Fault, HostName } from './script.ts'
import type { SimHost } from './sim-host.ts'
import type { SimNetwork } from './sim-network.ts'
import type { SimWire } from './sim-wire.ts'

/** What faults act on. */
export interface FaultGround {
  readonly hosts: ReadonlyMap<HostName, SimHost>
  /** The machines that hold data: the master and the chunk servers. */
  readonly servers: readonly SimHost[]
  readonly wire: SimWire
  readonly network: SimNetwork
  readonly metadataFaults: MemoryFaults
  /** @returns what starts another master on the metadata that the chunk servers keep */
  readonly loseMasterDisk: () => () => void
}

type End = () => void

const once: End = () => undefined

/** @returns what ends it; does nothing where there is nothing to act on */
export function beginFault(fault: Fault, ground: FaultGround): End {
  if (fault.kind === 'power-loss') return losePower(fault.host, ground)
  if (fault.kind === 'partition') return partition(fault, ground)
  switch (fault.kind) {
    case 'metadata-conflicts':
      return setMetadata(ground, 'conflict', fault.chance)
    case 'metadata-unknown':
      return setMetadata(ground, 'unknown', fault.chance)
    case 'metadata-slow':
      return setMetadata(ground, 'delayMs', fault.delayMs)
    case 'master-disk-lost':
      return ground.loseMasterDisk()
    default: {
      const host = ground.hosts.get(fault.host)
      return host === undefined ? once : beginOnHost(fault, host, ground)
    }
  }
}

type HostFault = Exclude<
  Fault,
  {
    readonly kind:
      | 'power-loss'
      | 'partition'
      | 'metadata-conflicts'
      | 'metadata-unknown'
      | 'metadata-slow'
      | 'master-disk-lost'
  }
>

function beginOnHost(fault: HostFault, host: SimHost, { wire, network }: FaultGround): End {
  switch (fault.kind) {
    case 'kill':
      host.kill()
      return () => host.start()
    case 'pause':
      host.pause()
      return () => host.resume()
    case 'slow-link':
      wire.slow(host.name, fault.delayMs)
      return () => wire.slow(host.name, -fault.delayMs)
    case 'drop-connections':
      network.dropConnections(host.name)
      return once
    case 'clock-jump':
      host.clock.jump(fault.jumpMs)
      return once
    case 'clock-rate':
      host.clock.setRate(host.clock.rate * fault.rate)
      return () => host.clock.setRate(host.clock.rate / fault.rate)
    case 'disk-error':
      return host.disk.failWith(fault.operations, fault.chance)
    case 'disk-full':
      return host.disk.fill()
    case 'disk-stall':
      return host.disk.stall()
    case 'disk-slow':
      return host.disk.slowDown(fault.factor)
    case 'lying-sync':
      return host.disk.lie()
    case 'failed-sync':
      host.disk.failNextSync((path) => isChunkData(path) || isInTheMaking(path))
      return () => {
        host.disk.failNextSync(undefined)
        host.losePower()
        host.start()
      }
    case 'bit-flip':
      for (let flip = 0; flip < fault.flips; flip++) host.disk.flipBit(({ path }) => isChunkData(path))
      return once
    case 'misdirected-write':
      host.disk.misplaceNextWrite()
      return once
  }
}

function losePower(target: HostName, { hosts, servers }: FaultGround): End {
  const one = hosts.get(target)
  const struck = target === 'all' ? servers : one === undefined ? [] : [one]
  for (const host of struck) host.losePower()
  return () => {
    for (const host of struck) host.start()
  }
}

function partition(
  { from, to, oneWay }: { readonly from: HostName; readonly to: HostName; readonly oneWay: boolean },
  { hosts, wire }: FaultGround,
): End {
  const others = to === 'others' ? [...hosts.keys()].filter((name) => name !== from) : [to]
  for (const other of others) {
    wire.cut(from, other)
    if (!oneWay) wire.cut(other, from)
  }
  return () => {
    for (const other of others) {
      wire.heal(from, other)
      if (!oneWay) wire.heal(other, from)
    }
  }
}

function setMetadata({ metadataFaults }: FaultGround, name: keyof MemoryFaults, value: number): End {
  metadataFaults[name] += value
  return () => {
    const left = metadataFaults[name] - value
    // What overlapping faults leave by rounding is nothing.
    metadataFaults[name] = left < 1e-9 ? 0 : left
  }
}

/** A file that was opened before it got its name. */
function isInTheMaking(path: string): boolean {
  return path.startsWith(`${storePath}/tmp/`)
}

function isChunkData(path: string): boolean {
  return path.startsWith(`${storePath}/chunks/`) || path.startsWith(`${storePath}/segments/`)
}
