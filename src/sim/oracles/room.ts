/**
 * Whether a cluster cannot hold what is acknowledged, wherever it is put: the only excuse for a file that stays short of a copy.
 * A proof, by counting: however chunks are placed, a failure domain holds one copy of each at most, and no more than fit.
 * What it does not prove may still be impossible; that is no excuse.
 * @module
 */

export interface RoomCase {
  /** Bytes of each chunk that some file names. */
  readonly lengths: readonly number[]
  readonly servers: readonly { readonly domain: string; readonly capacityBytes: number }[]
  readonly replicas: number
}

export function isProvablyFull({ lengths, servers, replicas }: RoomCase): boolean {
  const domains = [...Map.groupBy(servers, ({ domain }) => domain).values()]
  const sorted = lengths.filter((length) => length > 0).toSorted((a, b) => b - a)
  let sum = 0
  return sorted.some((length, index) => {
    // The chunks of this length and more: their number, by how many of the smallest fit, and their bytes.
    const count = index + 1
    sum += length
    const fits = (room: (capacityBytes: number) => number, most: number) =>
      domains.reduce(
        (total, own) =>
          total +
          Math.min(
            most,
            own.reduce((part, { capacityBytes }) => part + room(capacityBytes), 0),
          ),
        0,
      )
    const slots = fits((capacityBytes) => Math.floor(capacityBytes / length), count)
    return slots < replicas * count || fits((capacityBytes) => capacityBytes, sum) < replicas * sum
  })
}
