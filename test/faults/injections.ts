/**
 * The faults that a round can suffer while its load runs. Each strikes, and leaves a cluster whose causes are gone: what was
 * ended may still be down, and the driver starts it.
 * @module
 */
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import type { Arena, Need } from './arena.ts'
import { cutPower } from './disk-images.ts'
import { type HandCluster, master, type ServerName } from './hand-cluster.ts'
import { rotOneServer } from './rot.ts'

export interface Strike {
  /** An acknowledgement after it (in ms since 1970) proves nothing. */
  readonly faultMs: number
  /** What happened, for people. */
  readonly story: string
  /** How many of the faults that the mode is about. */
  readonly faults: number
}

export interface StrikeContext {
  readonly arena: Arena
  /** In [0, 1). */
  readonly random: () => number
  /** Acknowledgements so far. */
  readonly acknowledged: () => number
}

export interface Injection {
  readonly needs: readonly Need[]
  /** Everything is down when it has struck: the disks can be looked at before the start. */
  readonly endsAll: boolean
  /** Options of the master. */
  readonly masterArgs?: readonly string[]
  strike(context: StrikeContext): Promise<Strike>
}

const never = Number.POSITIVE_INFINITY
/** Servers are dead after 3 s of silence, so that a round can outlast it. */
const quickDeath = ['--dead-after', '3s']

const wait = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

export const injections = {
  kill: {
    needs: [],
    endsAll: true,
    async strike({ arena }) {
      await arena.cluster.killAll()
      return { faultMs: never, story: 'SIGKILL for every process', faults: 1 }
    },
  },
  'kill-one': {
    needs: [],
    endsAll: false,
    async strike({ arena: { cluster }, random }) {
      const name = oneOf(cluster, random)
      await cluster.end(name, 'SIGKILL')
      await wait(100 + random() * 500)
      await cluster.startOne(name)
      await wait(300)
      return { faultMs: never, story: `SIGKILL for ${name}, which comes back under load`, faults: 1 }
    },
  },
  // Between any two steps that make something durable: a copy, its name, its record, a batch of metadata, an index.
  crash: {
    needs: ['failing disk', 'images?'],
    endsAll: true,
    async strike({ arena, random }) {
      const { within, call } = crashPoints[Math.floor(random() * crashPoints.length)] as CrashPoint
      const { chunkServers } = arena.cluster
      const isOfMaster = within.startsWith('metadata')
      const name = isOfMaster ? master : (chunkServers[Math.floor(random() * chunkServers.length)] as ServerName)
      const when = random() < 0.5 ? 'before' : 'after'
      const file = await order(arena, { name, within, call, count: 1, error: when === 'before' ? -1 : -2 })
      const what = `${name} dies ${when} a ${call} of ${file ?? within}`
      await wait(random() * 300)
      const losesPower = arena.disks.size > 0 && random() < 0.5
      let faultMs = never
      if (losesPower) faultMs = await losePower(arena)
      else await arena.cluster.killAll()
      const story = `${what}${file === undefined ? ' (it never came there)' : ''}, then ${losesPower ? 'the power goes' : 'all'}`
      return { faultMs, story, faults: file === undefined ? 0 : 1 }
    },
  },
  stop: {
    needs: [],
    endsAll: false,
    masterArgs: quickDeath,
    async strike({ arena: { cluster }, random }) {
      const name = oneOf(cluster, random)
      const ms = Math.round(random() < 0.5 ? 300 + random() * 1_500 : 4_000 + random() * 1_000)
      cluster.signal(name, 'SIGSTOP')
      await wait(ms)
      cluster.signal(name, 'SIGCONT')
      await wait(300)
      return { faultMs: never, story: `${name} is stopped for ${ms} ms (dead after 3,000)`, faults: 1 }
    },
  },
  power: {
    needs: ['images'],
    endsAll: true,
    async strike({ arena }) {
      return { faultMs: await losePower(arena), story: 'the power of every disk is cut', faults: 1 }
    },
  },
  'power-one': {
    needs: ['images'],
    endsAll: false,
    async strike({ arena, random }) {
      const name = oneOf(arena.cluster, random)
      cutPower([diskOf(arena, name)])
      await wait(random() * 300)
      await replug(arena, name)
      return { faultMs: never, story: `the power of ${name} is cut, and returns under load`, faults: 1 }
    },
  },
  // The power goes soon after, so that what a second sync answered OK for is seen to be lost.
  fsync: {
    needs: ['failing disk', 'images?'],
    endsAll: true,
    async strike({ arena, random }) {
      const name = oneOf(arena.cluster, random)
      const file = await order(arena, { name, call: 'sync', count: 1, error: 5 })
      await wait(200 + random() * 500)
      let faultMs = never
      if (arena.disks.size > 0) faultMs = await losePower(arena)
      else await arena.cluster.killAll()
      if (file === undefined) return { faultMs, story: `${name} synced nothing in time`, faults: 0 }
      return { faultMs, story: `a sync of ${name}${file} fails, then the power goes`, faults: 1 }
    },
  },
  torn: {
    needs: ['failing disk', 'images?'],
    endsAll: true,
    async strike({ arena, random }) {
      const name = oneOf(arena.cluster, random)
      const file = await order(arena, { name, call: 'write', count: 1, error: 5, torn: 1 })
      await wait(random() * 300)
      let faultMs = never
      if (arena.disks.size > 0 && random() < 0.5) faultMs = await losePower(arena)
      else await arena.cluster.killAll()
      if (file === undefined) return { faultMs, story: `${name} wrote nothing in time`, faults: 0 }
      return { faultMs, story: `half of a write to ${name}${file} is stored, then all end`, faults: 1 }
    },
  },
  slow: {
    needs: ['failing disk'],
    endsAll: false,
    async strike({ arena, random }) {
      const name = oneOf(arena.cluster, random)
      const call = ['read', 'write', 'sync'][Math.floor(random() * 3)] as Order['call']
      const delayMs = name === master ? 20 : 100
      await order(arena, { name, call, count: 0, error: 0, delayMs })
      await wait(1_000 + random() * 1_000)
      rmSync(arena.orderFile, { force: true })
      return { faultMs: never, story: `each ${call} of ${name} takes ${delayMs} ms longer for a while`, faults: 1 }
    },
  },
  full: {
    needs: ['images'],
    endsAll: false,
    async strike(context) {
      const { arena, random } = context
      const some = arena.cluster.names.filter(() => random() < 0.5)
      const names = some.length === 0 ? [oneOf(arena.cluster, random)] : some
      for (const name of names) diskOf(arena, name).fill()
      await wait(700 + random() * 500)
      const story = `the disks of ${names.join(', ')} are full`
      if (random() < 0.5) {
        await arena.cluster.killAll()
        for (const name of names) diskOf(arena, name).empty()
        return { faultMs: never, story: `${story}, and every process is killed on them`, faults: names.length }
      }
      for (const name of names) diskOf(arena, name).empty()
      await untilAcknowledged(context, 'after the disks had room again')
      return { faultMs: never, story: `${story}, and have room again without a restart`, faults: names.length }
    },
  },
  // As ext4 does by itself after an error.
  readonly: {
    needs: ['images'],
    endsAll: false,
    async strike({ arena, random }) {
      const name = oneOf(arena.cluster, random)
      diskOf(arena, name).failReadOnly()
      await wait(300 + random() * 500)
      await replug(arena, name)
      return { faultMs: never, story: `the disk of ${name} turns read-only beneath it, and is mounted anew`, faults: 1 }
    },
  },
  clock: {
    needs: ['faketime'],
    endsAll: false,
    async strike({ arena, random }) {
      const offsets = ['+0', '+365d', '-365d', '+1h', '-1h', '+0 x10']
      const { cluster } = arena
      const jumps = cluster.names.map(
        (name) => [name, offsets[Math.floor(random() * offsets.length)] as string] as const,
      )
      for (const [name, offset] of jumps) arena.setClock(name, offset)
      await wait(500 + random() * 500)
      const restarted = oneOf(cluster, random)
      if (random() < 0.5) {
        await cluster.end(restarted, 'SIGKILL')
        await cluster.startOne(restarted)
      }
      await wait(300)
      return { faultMs: never, story: `clocks jump: ${jumps.map((jump) => jump.join(' ')).join(', ')}`, faults: 1 }
    },
  },
  network: {
    needs: ['networks'],
    endsAll: false,
    masterArgs: quickDeath,
    async strike({ arena, random }) {
      const { cluster, networks } = arena
      if (networks === undefined) throw new Error('the arena has no networks')
      const name = oneOf(cluster, random)
      const ms = Math.round(random() < 0.5 ? 500 + random() * 1_500 : 4_000 + random() * 2_000)
      const kind = ['cut', 'cut outwards', 'cut inwards', 'lossy', 'narrow', 'flapping'][
        Math.floor(random() * 6)
      ] as string
      if (kind === 'cut' || kind === 'cut outwards') networks.cutOutgoing(name)
      if (kind === 'cut' || kind === 'cut inwards') networks.cutIncoming(name)
      if (kind === 'lossy') networks.lose(name, 0.3)
      if (kind === 'narrow') networks.narrow(name, 1_000_000)
      for (let flap = 0; kind === 'flapping' && flap < ms / 500; flap++) {
        networks.cutOutgoing(name)
        await wait(250)
        networks.heal(name)
        await wait(250)
      }
      if (kind !== 'flapping') await wait(ms)
      networks.heal(name)
      await wait(300)
      return { faultMs: never, story: `the link of ${name} is ${kind} for ${ms} ms`, faults: 1 }
    },
  },
  // Always the same server, so that no chunk rots on all of them: nothing could serve it then.
  rot: {
    needs: [],
    endsAll: false,
    async strike({ arena: { cluster }, random }) {
      await cluster.killAll()
      const { flips, swaps } = rotOneServer(cluster.data('chunkserver-1'), random)
      return {
        faultMs: never,
        story: `${flips} bits flip on chunkserver-1, ${swaps} chunk files swap`,
        faults: flips + swaps,
      }
    },
  },
} as const satisfies Record<string, Injection>

interface CrashPoint {
  /** Part of the file's path within the server's folder. */
  readonly within: string
  readonly call: Order['call']
}

const crashPoints: readonly CrashPoint[] = [
  { within: 'segments/', call: 'write' },
  { within: 'segments/', call: 'sync' },
  { within: 'tmp/', call: 'write' },
  { within: 'tmp/', call: 'sync' },
  // To its name, and the directory that holds it.
  { within: 'chunks/', call: 'rename' },
  { within: 'chunks/', call: 'sync' },
  { within: 'index/', call: 'write' },
  { within: 'index/', call: 'sync' },
  { within: 'metadata.db', call: 'write' },
  { within: 'metadata.db', call: 'sync' },
]

export type Mode = keyof typeof injections
export const modes = Object.keys(injections) as readonly Mode[]

function oneOf(cluster: HandCluster, random: () => number): ServerName {
  return cluster.names[Math.floor(random() * cluster.names.length)] as ServerName
}

function diskOf(arena: Arena, name: ServerName) {
  const disk = arena.disks.get(name)
  if (disk === undefined) throw new Error(`${name} has no disk image`)
  return disk
}

/** @returns when it began */
async function losePower(arena: Arena): Promise<number> {
  const disks = [...arena.disks.values()]
  const faultMs = cutPower(disks)
  await arena.cluster.killAll()
  await Promise.all(disks.map((disk) => disk.revive()))
  return faultMs
}

async function replug(arena: Arena, name: ServerName): Promise<void> {
  await arena.cluster.end(name, 'SIGKILL')
  await diskOf(arena, name).revive()
  await arena.cluster.startOne(name)
  await wait(300)
}

interface Order {
  readonly name: ServerName
  /** Part of the path within the server's folder. Default: any. */
  readonly within?: string
  readonly call: 'read' | 'write' | 'sync' | 'rename'
  /** 0: each call, until the order is taken back. */
  readonly count: 0 | 1
  /** The errno; 0: none, -1: SIGKILL before the call, -2: after it. */
  readonly error: number
  readonly torn?: 0 | 1
  readonly delayMs?: number
}

/** @returns the file, within the server's folder, whose call failed; undefined when none did, or it is not waited for */
async function order(
  arena: Arena,
  { name, within = '', call, count, error, torn = 0, delayMs = 0 }: Order,
): Promise<string | undefined> {
  const { orderFile, cluster } = arena
  const done = `${orderFile}.done`
  const part = `${cluster.data(name)}/${within}`
  writeFileSync(`${orderFile}.new`, `${part} ${call} ${count} ${error} ${torn} ${delayMs}\n`)
  renameSync(`${orderFile}.new`, orderFile)
  if (count === 0) return undefined
  for (let look = 0; look < 300 && !existsSync(done); look++) await wait(10)
  if (!existsSync(done)) {
    rmSync(orderFile, { force: true })
    return undefined
  }
  const path = readFileSync(done, 'utf8')
  rmSync(done)
  return path.slice(cluster.data(name).length)
}

async function untilAcknowledged({ acknowledged }: StrikeContext, when: string): Promise<void> {
  const before = acknowledged()
  for (let look = 0; look < 150; look++) {
    if (acknowledged() > before) return
    await wait(100)
  }
  throw new Error(`no write succeeded within 15 s ${when}`)
}
