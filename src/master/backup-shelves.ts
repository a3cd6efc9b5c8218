/** The chunk servers as places where backups are kept: which of them there are, and what they are asked and told. @module */
import { AshlarError } from '../base/errors.ts'
import type { ServerId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import type { Rising } from '../base/rising.ts'
import { failureDomainOf } from '../cluster/cluster-map.ts'
import { appendPiece, finishPiece, listPieces, readPiece, removePieces } from '../wire/methods/backup-methods.ts'
import type { Peer } from '../wire/peer.ts'
import type { PieceEntry } from '../wire/types/backup.ts'
import type { CurrentMap } from './current-map.ts'
import type { ServerRegistry } from './server-registry.ts'

export interface BackupShelvesOptions {
  readonly map: CurrentMap
  readonly registry: ServerRegistry
  readonly leaderEpoch: Rising
}

/** A base of gigabytes is read back before it counts. */
const finishTimeoutMs = 600_000

/** A server at its declared capacity keeps backups: they do not count against it. */
const takesNothing: ReadonlySet<string | undefined> = new Set(['disk-full', 'fenced'])

export class BackupShelves {
  readonly #options: BackupShelvesOptions

  constructor(options: BackupShelvesOptions) {
    this.#options = options
  }

  /** Servers that answer. */
  up(): readonly ServerId[] {
    const { map, registry } = this.#options
    return map.index.map.servers.map(({ id }) => id).filter((id) => registry.peerOf(id) !== undefined)
  }

  /** Whether want of room is why no server takes a backup: every one that answers, and whose disk works, says so. */
  isFull(): boolean {
    const { registry } = this.#options
    const refusals = this.up().map((id) => registry.loadOf(id)?.refusal)
    const sound = refusals.filter((refusal) => refusal !== 'fenced')
    return sound.length > 0 && sound.every((refusal) => refusal === 'disk-full')
  }

  /** Servers that are there or may come back. */
  knownCount(): number {
    const { map, registry } = this.#options
    return map.index.map.servers.filter(({ id }) => !['dead', 'left'].includes(registry.stateOf(id))).length
  }

  /**
   * The best servers to keep backups: those in `preferred` that still can, then in failure domains of their own, then by room.
   * Never one that is to leave, nor one whose disk is full or failed.
   */
  choose(count: number, preferred: ReadonlySet<ServerId>): readonly ServerId[] {
    const { map, registry } = this.#options
    const candidates = this.up()
      .filter((id) => registry.stateOf(id) === 'up' && !takesNothing.has(registry.loadOf(id)?.refusal))
      .map((id) => {
        const server = map.index.server(id)
        const domain = server === undefined ? '' : failureDomainOf(server)
        return { id, domain, freeBytes: registry.loadOf(id)?.freeBytes ?? 0 }
      })
      .sort((a, b) => Number(preferred.has(b.id)) - Number(preferred.has(a.id)) || b.freeBytes - a.freeBytes)
    const seen = new Set<string>()
    const spread = candidates.filter(({ domain }) => !seen.has(domain) && seen.add(domain))
    const others = candidates.filter((candidate) => !spread.includes(candidate))
    return [...spread, ...others].slice(0, count).map(({ id }) => id)
  }

  async list(server: ServerId): Promise<readonly PieceEntry[]> {
    return (await this.#peer(server).call(listPieces, {})).value.pieces
  }

  async append(
    server: ServerId,
    { name, offset, bytes }: { readonly name: string; readonly offset: number; readonly bytes: Uint8Array },
  ): Promise<void> {
    const { leaderEpoch } = this.#options
    await this.#peer(server).call(appendPiece, { leaderEpoch, name, offset }, { payload: bytes })
  }

  async finish(
    server: ServerId,
    piece: { readonly name: string; readonly lengthBytes: number; readonly crc: number; readonly manifest: Buffer },
  ): Promise<void> {
    const { manifest: payload, ...request } = piece
    const { leaderEpoch } = this.#options
    await this.#peer(server).call(finishPiece, { leaderEpoch, ...request }, { payload, timeoutMs: finishTimeoutMs })
  }

  async read(
    server: ServerId,
    { name, offset, manifest = false }: { readonly name: string; readonly offset: number; readonly manifest?: boolean },
  ): Promise<Buffer> {
    const request = { name, offset, manifest, length: limits.framePayloadBytes }
    return (await this.#peer(server).call(readPiece, request)).payload
  }

  async remove(server: ServerId, names: readonly string[]): Promise<void> {
    const { leaderEpoch } = this.#options
    await this.#peer(server).call(removePieces, { leaderEpoch, names })
  }

  #peer(server: ServerId): Peer {
    const peer = this.#options.registry.peerOf(server)
    if (peer !== undefined) return peer
    throw new AshlarError('unavailable', `Cannot reach chunk server ${server} for a backup: it is not up`)
  }
}
