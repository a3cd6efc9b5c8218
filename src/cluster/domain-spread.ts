/**
 * How the copies of a chunk are spread over failure domains. A server's domain is `host`, `host/rack` or longer, outermost last: at each
 * level no domain holds more copies than it must, given how many domains there are.
 *
 * With as many racks as copies that is one copy a rack. With fewer each rack holds its share: of three copies in two racks, two and one.
 * On one host (the innermost that is named) there are never two.
 * Pure. Invariant: what is admitted one after the other is spread as evenly as can be, in any order. (From four copies on, domains of very
 * unequal size can make that impossible at all: then no group is formed.)
 * @module
 */

export interface InDomain {
  readonly domain: string
}

export class DomainSpread {
  /** Distinct domains of each level, outermost first. */
  readonly #counts: readonly number[]
  readonly #levels = new Map<string, readonly string[]>()

  /** @param servers those that hold copies or may come to */
  constructor(servers: Iterable<InDomain>) {
    const seen: Set<string>[] = []
    for (const domain of new Set(Array.from(servers, (server) => server.domain))) {
      for (const [level, key] of this.#levelsOf(domain).entries()) {
        seen[level] ??= new Set()
        seen[level].add(key)
      }
    }
    this.#counts = seen.map(({ size }) => size)
  }

  /** Outermost domains there are. */
  get outermost(): number {
    return this.#counts[0] ?? 0
  }

  /** Whether a copy in `domain` may stand beside those in `others`, of `copies` in all. */
  admits(domain: string, others: readonly string[], copies: number): boolean {
    if (others.includes(domain)) return false
    const levels = this.#levelsOf(domain)
    // Domains are nested: what is apart in the outermost ones is apart in all.
    if (this.outermost >= copies) return others.every((other) => this.#levelsOf(other)[0] !== levels[0])
    return levels.every((key, level) => this.#admitsAt({ key, level }, others, copies))
  }

  #admitsAt(
    { key, level }: { readonly key: string; readonly level: number },
    others: readonly string[],
    copies: number,
  ): boolean {
    const count = Math.max(1, this.#counts[level] ?? 1)
    const most = Math.ceil(copies / count)
    const held = new Map<string, number>()
    for (const other of others) {
      const theirs = this.#levelsOf(other)[level]
      if (theirs !== undefined) held.set(theirs, (held.get(theirs) ?? 0) + 1)
    }
    const after = (held.get(key) ?? 0) + 1
    if (after > most) return false
    const withMost = copies % count
    if (after < most || withMost === 0) return true
    return [...held.values()].filter((each) => each === most).length < withMost
  }

  /** `a/b/c`: `c`, `b/c`, `a/b/c`. So two racks of one name in different rooms are two. */
  #levelsOf(domain: string): readonly string[] {
    let levels = this.#levels.get(domain)
    if (levels === undefined) {
      const names = domain.split('/')
      levels = names.map((_, index) => names.slice(names.length - 1 - index).join('/'))
      this.#levels.set(domain, levels)
    }
    return levels
  }
}
