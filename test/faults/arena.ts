/**
 * A cluster with everything beneath it that a fault needs: disks of its own, preloaded libraries, networks of its own. What a
 * machine cannot give is said before anything is made.
 * @module
 */
import { globSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DiskImage, whyNoDiskImages } from './disk-images.ts'
import { HandCluster, type HandClusterOptions, type Place, type ServerName } from './hand-cluster.ts'
import { NetworkSpaces, whyNoNetworkSpaces } from './network-spaces.ts'
import { buildFailingDisk, needs } from './preloaded.ts'

/** What a fault needs beneath the cluster. `images?`: taken where the machine has them. */
export type Need = 'images' | 'images?' | 'failing disk' | 'faketime' | 'networks'

const [libfaketime] = globSync('/usr/lib/*/faketime/libfaketimeMT.so.1')

/** @returns why the machine cannot give all of it, or false */
export function whyNoArena(wanted: readonly Need[]): string | false {
  for (const need of wanted) {
    const reason = reasonAgainst(need)
    if (reason !== false) return reason
  }
  return false
}

function reasonAgainst(need: Need): string | false {
  switch (need) {
    case 'images':
      return whyNoDiskImages()
    case 'images?':
      return false
    case 'failing disk':
      return needs(['cc'])
    case 'faketime':
      return libfaketime === undefined && 'needs faketime'
    case 'networks':
      return whyNoNetworkSpaces()
  }
}

export interface ArenaOptions extends Pick<HandClusterOptions, 'chunkServers' | 'capacity' | 'masterArgs'> {
  readonly needs: readonly Need[]
  readonly imageSize?: string
  /** With `faketime`: whether a server's monotonic clock is wrong too. Default: it is right. */
  readonly fakesMonotonic?: (name: ServerName) => boolean
  /** More for the environment of a server. */
  readonly variables?: (name: ServerName) => Readonly<Record<string, string>>
}

export class Arena {
  readonly root = mkdtempSync(join(tmpdir(), 'ashlar-arena-'))
  readonly cluster: HandCluster
  readonly disks = new Map<ServerName, DiskImage>()
  readonly networks: NetworkSpaces | undefined
  readonly #library: string | undefined

  constructor(given: ArenaOptions) {
    const { needs: wanted, imageSize = '3G', variables, fakesMonotonic = () => false, ...options } = given
    const folder = join(this.root, 'data')
    this.cluster = new HandCluster(folder, { ...options, place: (name) => this.#place(name, variables?.(name)) })
    const { names } = this.cluster
    if (wanted.includes('failing disk')) this.#library = buildFailingDisk(this.root)
    if (wanted.includes('images') || (wanted.includes('images?') && whyNoDiskImages() === false)) {
      for (const name of names) this.disks.set(name, new DiskImage(join(folder, name), imageSize))
    }
    if (wanted.includes('networks')) this.networks = new NetworkSpaces(names)
    if (wanted.includes('faketime')) for (const name of names) this.setClock(name, '+0')
    this.#isFaking = wanted.includes('faketime')
    this.#fakesMonotonic = fakesMonotonic
  }

  readonly #isFaking: boolean
  readonly #fakesMonotonic: (name: ServerName) => boolean

  /** Of a running server: `+365d`, `-1h`, `+0 x10`. */
  setClock(name: ServerName, offset: string): void {
    writeFileSync(this.#clockFile(name), `${offset}\n`)
  }

  /** Where `tools/failing-disk.c` looks for its orders. */
  get orderFile(): string {
    return join(this.root, 'order')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cluster.killAll()
    this.networks?.close()
    for (const disk of this.disks.values()) disk.drop()
    rmSync(this.root, { recursive: true, force: true })
  }

  #clockFile(name: ServerName): string {
    return join(this.root, `clock-${name}`)
  }

  #place(name: ServerName, more: Readonly<Record<string, string>> = {}): Place {
    const variables: Record<string, string> = { ...more }
    if (this.#library !== undefined)
      Object.assign(variables, { LD_PRELOAD: this.#library, FAIL_CONTROL: this.orderFile })
    if (this.#isFaking) {
      Object.assign(variables, {
        LD_PRELOAD: libfaketime as string,
        FAKETIME_TIMESTAMP_FILE: this.#clockFile(name),
        FAKETIME_NO_CACHE: '1',
        NO_FAKE_STAT: '1',
        ...(this.#fakesMonotonic(name) ? {} : { DONT_FAKE_MONOTONIC: '1' }),
      })
    }
    if (this.networks === undefined) return { variables }
    return { variables, command: this.networks.command(name), host: this.networks.host(name) }
  }
}
