/**
 * Copies that were ordered and not proven by a receipt: the answer was lost, or said something else. The member may hold them
 * all the same, so that before it counts each is read by an order of its own.
 * Bounded: a comparison makes no further copies for a member of a group that owes so many proofs.
 * @module
 */
import type { ChunkFacts } from '../base/digest.ts'
import type { ChunkId, GroupId, ServerId } from '../base/ids.ts'

/** A copy of a group is of one member of it. */
export interface CopyPlace {
  readonly group: GroupId
  readonly server: ServerId
}

const mostOfMember = 128

export class UnprovenCopies {
  readonly #byGroup = new Map<GroupId, Map<ServerId, Map<ChunkId, ChunkFacts>>>()

  add({ group, server }: CopyPlace, facts: ChunkFacts): void {
    const servers = this.#byGroup.get(group) ?? new Map<ServerId, Map<ChunkId, ChunkFacts>>()
    this.#byGroup.set(group, servers)
    const copies = servers.get(server) ?? new Map<ChunkId, ChunkFacts>()
    servers.set(server, copies.set(facts.id, facts))
  }

  of({ group, server }: CopyPlace): readonly ChunkFacts[] {
    return [...(this.#byGroup.get(group)?.get(server)?.values() ?? [])]
  }

  isEmpty({ group, server }: CopyPlace): boolean {
    return this.#byGroup.get(group)?.get(server) === undefined
  }

  isFull({ group, server }: CopyPlace): boolean {
    return (this.#byGroup.get(group)?.get(server)?.size ?? 0) >= mostOfMember
  }

  remove({ group, server }: CopyPlace, chunk: ChunkId): void {
    const copies = this.#byGroup.get(group)?.get(server)
    copies?.delete(chunk)
    if (copies?.size === 0) this.#byGroup.get(group)?.delete(server)
  }

  /** What servers owe that are no members any more is nobody's. */
  keepMembers(group: GroupId, members: readonly { readonly server: ServerId }[]): void {
    const servers = this.#byGroup.get(group)
    for (const server of servers?.keys() ?? []) {
      if (!members.some((member) => member.server === server)) servers?.delete(server)
    }
    if (servers?.size === 0) this.#byGroup.delete(group)
  }
}
