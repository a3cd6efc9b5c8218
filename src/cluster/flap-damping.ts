/**
 * Servers that come and go: each time one stops answering it gets a penalty point, and points fade by half in ten minutes. From
 * three on a server is *unsteady*, until it is back at one: as if it had been steady for a quarter of an hour.
 *
 * An unsteady server is believed like any other (it serves what it holds, and dies and returns by the same rules): it is only
 * given nothing new while others can take it, and gets no slot back that another is filling. So a flapping server costs one
 * repair, and not one for each time.
 * Pure; times are of one monotonic clock, in ms.
 * @see RFC 2439 (route flap damping), from which the shape is taken
 * @module
 */

export interface Steadiness {
  readonly points: number
  readonly atMs: number
  readonly isUnsteady: boolean
}

export const steady: Steadiness = { points: 0, atMs: 0, isUnsteady: false }

const halfLifeMs = 600_000
const unsteadyFrom = 3
const steadyFrom = 1
/** However often it flapped, it is forgiven after a while. */
const mostPoints = 12

/** It stopped answering. */
export function flapped(before: Steadiness, nowMs: number): Steadiness {
  const now = faded(before, nowMs)
  const points = Math.min(mostPoints, now.points + 1)
  // A little less than three whole points: they fade while they come.
  return { points, atMs: nowMs, isUnsteady: now.isUnsteady || points > unsteadyFrom - 0.5 }
}

/** What passing time leaves of it. */
export function faded({ points, atMs, isUnsteady }: Steadiness, nowMs: number): Steadiness {
  const left = points * 0.5 ** (Math.max(0, nowMs - atMs) / halfLifeMs)
  return { points: left, atMs: nowMs, isUnsteady: isUnsteady && left > steadyFrom }
}
