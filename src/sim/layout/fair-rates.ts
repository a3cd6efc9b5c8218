/**
 * How fast each of several copies runs when they share disks and links: max-min fairness. All rates rise together until some
 * resource is full; the copies that use it stay there, the others rise on.
 * Pure. Invariant: no resource is asked for more than it has, and each copy uses one that is full.
 * @see Bertsekas and Gallager, "Data Networks", section 6.5.2
 * @module
 */

export interface Resource {
  /** What it is, for the sentence that says which limit binds. */
  readonly kind: string
  readonly bytesPerSecond: number
}

/** What a copy takes of a resource, per byte copied. */
export interface Use {
  readonly resource: Resource
  readonly weight: number
}

export interface FairRate {
  readonly bytesPerSecond: number
  /** The resource that holds it back. */
  readonly limit: Resource
}

/** @param copies the uses of each, at least one */
export function fairRates(copies: readonly (readonly Use[])[]): readonly FairRate[] {
  const rates: (FairRate | undefined)[] = copies.map(() => undefined)
  const left = new Map<Resource, number>()
  for (const { resource } of copies.flat()) left.set(resource, resource.bytesPerSecond)
  for (let open = copies.length; open > 0; ) {
    const asked = new Map<Resource, number>()
    for (const [index, uses] of copies.entries()) {
      if (rates[index] !== undefined) continue
      for (const { resource, weight } of uses) asked.set(resource, (asked.get(resource) ?? 0) + weight)
    }
    let limit: Resource | undefined
    let bytesPerSecond = Number.POSITIVE_INFINITY
    for (const [resource, weight] of asked) {
      const share = Math.max(0, left.get(resource) ?? 0) / weight
      if (share >= bytesPerSecond) continue
      limit = resource
      bytesPerSecond = share
    }
    if (limit === undefined) break
    for (const [index, uses] of copies.entries()) {
      if (rates[index] !== undefined || !uses.some(({ resource }) => resource === limit)) continue
      rates[index] = { bytesPerSecond, limit }
      open--
      for (const { resource, weight } of uses) left.set(resource, (left.get(resource) ?? 0) - weight * bytesPerSecond)
    }
  }
  return rates as readonly FairRate[]
}
