/**
 * Turns of the event loop for whoever runs everything else in them: a simulator has each of its events in a turn of
 * its own, so that all promises that one event settles have run their course before the next one.
 * @module
 */

/** Queued at once: the loop comes round less often, and looks less often for real I/O. */
const turnsAhead = 64

/**
 * Calls `step` in one turn after the other until it returns false; what is queued as microtasks or next ticks runs in
 * between. Costs about 0.3 µs a turn.
 * @throws what `step` throws
 */
export function runTurns(step: () => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    let isOver = false
    let queued = 0
    const queue = () => {
      for (; queued < turnsAhead; queued++) setImmediate(turn)
    }
    const turn = () => {
      queued--
      if (isOver) return
      try {
        isOver = !step()
        if (isOver) resolve()
        else if (queued === 0) queue()
      } catch (error) {
        isOver = true
        reject(error)
      }
    }
    queue()
  })
}
