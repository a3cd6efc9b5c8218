/**
 * A network namespace for each server, joined by a bridge, so that links can be cut, one way too, made lossy, or narrow, by the
 * kernel's own means (iptables, tc). The test itself lives at the bridge and reaches all. Needs root.
 * @module
 */
import { execFileSync } from 'node:child_process'
import { needs } from './preloaded.ts'

export type Peer = 'everyone' | string

let made = 0

export class NetworkSpaces {
  readonly #prefix: string
  readonly #subnet: string
  readonly #names: readonly string[]

  /** @param names of the servers, at most 200 */
  constructor(names: readonly string[]) {
    made++
    // Interface names have at most 15 bytes.
    this.#prefix = `as${(process.pid % 46_656).toString(36)}${made.toString(36)}`
    this.#subnet = `10.${100 + (process.pid % 100)}.${(Math.floor(process.pid / 100) + made) % 250}`
    this.#names = names
    ip('link', 'add', 'name', this.#bridge, 'type', 'bridge')
    ip('addr', 'add', `${this.#subnet}.254/24`, 'dev', this.#bridge)
    ip('link', 'set', this.#bridge, 'up')
    for (const [index, name] of names.entries()) {
      const space = this.#space(name)
      const [outer, inner] = [`${this.#prefix}o${index}`, `${this.#prefix}i${index}`]
      ip('netns', 'add', space)
      ip('link', 'add', outer, 'type', 'veth', 'peer', 'name', inner)
      ip('link', 'set', outer, 'master', this.#bridge, 'up')
      ip('link', 'set', inner, 'netns', space)
      ip('-n', space, 'link', 'set', inner, 'name', 'eth0')
      ip('-n', space, 'addr', 'add', `${this.host(name)}/24`, 'dev', 'eth0')
      ip('-n', space, 'link', 'set', 'eth0', 'up')
      ip('-n', space, 'link', 'set', 'lo', 'up')
    }
  }

  get #bridge(): string {
    return `${this.#prefix}b`
  }

  host(name: string): string {
    return `${this.#subnet}.${this.#names.indexOf(name) + 1}`
  }

  /**
   * What a command begins with that runs there. Not `ip netns exec`: that copies all mounts, and a disk image of another run
   * would stay mounted in the copy after its power cut.
   */
  command(name: string): readonly string[] {
    return ['nsenter', `--net=/run/netns/${this.#space(name)}`]
  }

  /** What `name` sends to `peer` vanishes without a word. */
  cutOutgoing(name: string, peer: Peer = 'everyone'): void {
    this.#drop(name, 'OUTPUT', peer === 'everyone' ? [] : ['-d', this.host(peer)])
  }

  /** What `peer` sends to `name` vanishes without a word. */
  cutIncoming(name: string, peer: Peer = 'everyone'): void {
    this.#drop(name, 'INPUT', peer === 'everyone' ? [] : ['-s', this.host(peer)])
  }

  /** Each packet of `name`, either way, is lost with this probability. */
  lose(name: string, probability: number): void {
    const chance = ['-m', 'statistic', '--mode', 'random', '--probability', String(probability)]
    this.#drop(name, 'OUTPUT', chance)
    this.#drop(name, 'INPUT', chance)
  }

  /** What `name` sends is no faster than this, and waits in a queue. */
  narrow(name: string, bitsPerSecond: number): void {
    const shape = ['tbf', 'rate', `${bitsPerSecond}bit`, 'burst', '32kbit', 'latency', '400ms']
    this.#run(name, 'tc', ['qdisc', 'replace', 'dev', 'eth0', 'root', ...shape])
  }

  heal(name: string): void {
    this.#run(name, 'iptables', ['-F'])
    // There may be none.
    this.#run(name, 'sh', ['-c', 'tc qdisc del dev eth0 root 2>/dev/null || :'])
  }

  close(): void {
    for (const name of this.#names) ip('netns', 'del', this.#space(name))
    ip('link', 'del', this.#bridge)
  }

  #drop(name: string, chain: 'INPUT' | 'OUTPUT', match: readonly string[]): void {
    this.#run(name, 'iptables', ['-w', '-A', chain, ...match, '-j', 'DROP'])
  }

  #run(name: string, command: string, args: readonly string[]): void {
    const [program, ...before] = this.command(name) as [string, ...string[]]
    execFileSync(program, [...before, command, ...args], { stdio: ['ignore', 'ignore', 'pipe'] })
  }

  #space(name: string): string {
    return `${this.#prefix}-${name}`
  }
}

let reason: string | false | undefined

/** @returns why links cannot be cut here, or false when they can */
export function whyNoNetworkSpaces(): string | false {
  reason ??= needs(['ip', 'iptables', 'tc', 'nsenter'], { root: true }) || tryOne()
  return reason
}

function tryOne(): string | false {
  let spaces: NetworkSpaces | undefined
  try {
    spaces = new NetworkSpaces(['probe'])
    spaces.lose('probe', 0.5)
    spaces.narrow('probe', 1_000_000)
    spaces.heal('probe')
    return false
  } catch (error) {
    return `no network namespace can be made here: ${String((error as { stderr?: Buffer }).stderr ?? error).trim()}`
  } finally {
    spaces?.close()
  }
}

function ip(...args: readonly string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] })
}
