/**
 * The faults of a simulated minute: a few kinds per seed, at random moments, on random hosts.
 *
 * What breaks a promise of the hardware (a sync that lies, a bit that flips, a write beside its place) strikes one server
 * at most, and only where the policy keeps every acknowledged byte on another one too.
 * @module
 */
import type { Random } from '../env/random.ts'
import type { SeededRandom } from '../env/seeded-random.ts'
import type { Fault, FaultKind, HostName, SimCluster } from './script.ts'

interface Draw {
  readonly id: number
  readonly atMs: number
  readonly durationMs: number
  readonly random: Random
  readonly master: HostName
  readonly servers: readonly HostName[]
  readonly clients: readonly HostName[]
  /** Where most faults of this seed strike; undefined: anywhere. */
  readonly focus: HostName | undefined
  /** Of a disk: an operation that has begun takes its time even when the fault is over. */
  readonly mostSlowness: number
  /** The one server whose hardware may break its promises; undefined: none may. */
  readonly rotten: HostName | undefined
}

const lastFaultFraction = 0.85
const mostFaults = 10
const styles = { calm: 1, mixed: 6, storm: 3 } as const
const slowestSyncMs = 1_000
const focusShare = 0.7

export function drawFaults(
  random: SeededRandom,
  { cluster, durationMs }: { readonly cluster: SimCluster; readonly durationMs: number },
): readonly Fault[] {
  const servers = cluster.servers.map((_, index) => `chunkserver-${index + 1}`)
  const rotten = cluster.policy === 'replicated-1' ? undefined : servers[random.below(servers.length)]
  // Three styles of bad days: none at all, a few kinds anywhere, or one machine that dies again and again.
  const style = random.weighted(['calm', 'mixed', 'storm'] as const, (one) => styles[one])
  const focus = style === 'storm' || random.fraction() < 0.5 ? servers[random.below(servers.length)] : undefined
  const kinds = (Object.keys(drawers) as FaultKind[]).filter((kind) => {
    const share = isDeath(kind) ? (style === 'storm' ? 1 : 0.4) : style === 'storm' ? 0.15 : 0.25
    const isPossible = isRot({ kind }) ? rotten !== undefined : kind !== 'master-disk-lost' || cluster.backups === true
    return random.fraction() < share && isPossible
  })
  const count = style === 'calm' || kinds.length === 0 ? 0 : 1 + random.below(mostFaults)
  const faults: Fault[] = []
  for (let id = 0; id < count; id++) {
    const kind = kinds[random.below(kinds.length)] as FaultKind
    const draw: Draw = {
      id,
      atMs: Math.round(random.fraction() * durationMs * lastFaultFraction),
      durationMs: drawDuration(random),
      random,
      master: 'master',
      servers,
      clients: Array.from({ length: cluster.clients }, (_, index) => `client-${index + 1}`),
      focus,
      mostSlowness: Math.max(10, Math.round(slowestSyncMs / cluster.syncDelayMs)),
      rotten,
    }
    faults.push(drawers[kind](draw))
  }
  return faults.sort((a, b) => a.atMs - b.atMs || a.id - b.id)
}

function isDeath(kind: FaultKind): boolean {
  return kind === 'kill' || kind === 'power-loss'
}

/** Whether it breaks a promise of the hardware: stored bytes may be wrong, or gone. */
export function isRot({ kind }: { readonly kind: FaultKind }): boolean {
  return kind === 'bit-flip' || kind === 'lying-sync' || kind === 'misdirected-write'
}

/** Whose disks break their promises. */
export function untrustedHosts(faults: readonly Fault[]): ReadonlySet<HostName> {
  return new Set(faults.flatMap((fault) => (isRot(fault) && 'host' in fault ? [fault.host] : [])))
}

const drawers: { readonly [Kind in FaultKind]: (draw: Draw) => Fault } = {
  kill: (draw) => ({ kind: 'kill', ...lasting(draw), ...atMoment(draw), host: anyHost(draw) }),
  'power-loss': (draw) => ({
    kind: 'power-loss',
    ...lasting(draw),
    ...atMoment(draw),
    host: draw.random.fraction() < 0.3 ? 'all' : draw.random.fraction() < 0.3 ? draw.master : anyServer(draw),
  }),
  pause: (draw) => ({ kind: 'pause', ...lasting(draw), host: anyHost(draw) }),
  partition: (draw) => {
    const from = anyHost(draw)
    const to = draw.random.fraction() < 0.4 ? 'others' : anyHost(draw)
    // From itself nothing is cut off.
    return {
      ...{ kind: 'partition', ...lasting(draw), from, to: to === from ? 'others' : to },
      oneWay: draw.random.fraction() < 0.4,
    }
  },
  'slow-link': (draw) => ({
    kind: 'slow-link',
    ...lasting(draw),
    host: anyHost(draw),
    delayMs: Math.round(10 ** (1 + 2.5 * draw.random.fraction())),
  }),
  'drop-connections': (draw) => ({
    kind: 'drop-connections',
    ...beginning(draw),
    ...atMoment(draw),
    host: anyHost(draw),
  }),
  'clock-jump': (draw) => ({
    kind: 'clock-jump',
    ...beginning(draw),
    host: anyHost(draw),
    jumpMs: draw.random.weighted([3_600_000, -3_600_000, 31_536_000_000, -31_536_000_000], () => 1),
  }),
  'clock-rate': (draw) => ({
    kind: 'clock-rate',
    ...lasting(draw),
    host: anyHost(draw),
    rate: draw.random.weighted([0.2, 0.9, 1.1, 10], () => 1),
  }),
  'disk-error': (draw) => ({
    kind: 'disk-error',
    ...lasting(draw),
    host: anyServer(draw),
    operations: draw.random.weighted([['read'], ['write'], ['sync'], ['read', 'write', 'sync']] as const, () => 1),
    chance: draw.random.weighted([0.02, 0.2, 1], () => 1),
  }),
  'disk-full': (draw) => ({ kind: 'disk-full', ...lasting(draw), host: anyServer(draw) }),
  'disk-stall': (draw) => ({ kind: 'disk-stall', ...lasting(draw), host: anyServer(draw) }),
  'disk-slow': (draw) => ({
    kind: 'disk-slow',
    ...lasting(draw),
    host: anyServer(draw),
    factor: Math.min(
      draw.mostSlowness,
      draw.random.weighted([10, 100, 1000], () => 1),
    ),
  }),
  'lying-sync': (draw) => ({ kind: 'lying-sync', ...lasting(draw), host: draw.rotten as HostName }),
  'bit-flip': (draw) => ({
    kind: 'bit-flip',
    ...beginning(draw),
    host: draw.rotten as HostName,
    flips: 1 + draw.random.below(8),
  }),
  'misdirected-write': (draw) => ({ kind: 'misdirected-write', ...beginning(draw), host: draw.rotten as HostName }),
  'metadata-conflicts': (draw) => ({
    kind: 'metadata-conflicts',
    ...lasting(draw),
    chance: draw.random.weighted([0.05, 0.3], () => 1),
  }),
  'metadata-unknown': (draw) => ({
    kind: 'metadata-unknown',
    ...lasting(draw),
    chance: draw.random.weighted([0.02, 0.2], () => 1),
  }),
  'metadata-slow': (draw) => ({
    kind: 'metadata-slow',
    ...lasting(draw),
    delayMs: draw.random.weighted([20, 500, 3000], () => 1),
  }),
  'failed-sync': (draw) => ({ kind: 'failed-sync', ...lasting(draw), host: anyServer(draw) }),
  'master-disk-lost': (draw) => ({ kind: 'master-disk-lost', ...lasting(draw), ...atMoment(draw) }),
}

function beginning({ id, atMs }: Draw): { readonly id: number; readonly atMs: number } {
  return { id, atMs }
}

function lasting({ id, atMs, durationMs }: Draw): {
  readonly id: number
  readonly atMs: number
  readonly durationMs: number
} {
  return { id, atMs, durationMs }
}

/** Mostly just when someone was told that all is safe, or in the middle of a write. */
function atMoment({ random }: Draw): { readonly atAnswer?: boolean; readonly atWrite?: boolean } {
  return random.weighted([{}, { atAnswer: true }, { atWrite: true }], (one) => ('atAnswer' in one ? 2 : 1))
}

/** From a tenth of a second to half a minute, each length as likely. */
function drawDuration(random: Random): number {
  return Math.round(100 * 300 ** random.fraction())
}

/** Chunk servers mostly. */
function anyHost({ random, master, servers, clients, focus }: Draw): HostName {
  if (focus !== undefined && random.fraction() < focusShare) return focus
  const pool = random.weighted([[master], servers, clients], (hosts) => (hosts === servers ? 3 : 1))
  return pool[random.below(pool.length)] as HostName
}

function anyServer({ random, servers, focus }: Draw): HostName {
  if (focus !== undefined && random.fraction() < focusShare) return focus
  return servers[random.below(servers.length)] as HostName
}
