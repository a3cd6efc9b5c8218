/**
 * What a file may hold after a crash. Each path belongs to one worker, whose operations on it come one after the other: so
 * after any cut it must be in the last acknowledged state, or in that of the one operation that was under way.
 * @module
 */

/** Content is made from its length and seed, so that histories stay small. Undefined: no file. */
export interface Content {
  readonly seed: number
  readonly length: number
  /** Of what was found and nobody wrote. */
  readonly bytes?: Buffer
}

export type State = Content | undefined

export interface PathHistory {
  acknowledged: State
  /** When it was acknowledged, in ms since 1970. */
  acknowledgedMs: number
  /** The states before, newest last, with the time each was acknowledged: what an acknowledgement after the fault falls back to. */
  readonly earlier: { readonly state: State; readonly acknowledgedMs: number }[]
  pending: { readonly state: State } | undefined
}

export class History {
  readonly #paths = new Map<string, PathHistory>()
  acknowledgements = 0

  begin(path: string, state: State): void {
    this.#path(path).pending = { state }
  }

  acknowledge(path: string): void {
    const history = this.#path(path)
    history.earlier.push({ state: history.acknowledged, acknowledgedMs: history.acknowledgedMs })
    if (history.earlier.length > 64) history.earlier.shift()
    history.acknowledged = history.pending?.state
    history.acknowledgedMs = Date.now()
    history.pending = undefined
    this.acknowledgements++
  }

  /** The operation failed with `applied: no`. */
  refuse(path: string): void {
    this.#path(path).pending = undefined
  }

  /** After a restart: what was found is the truth from now on. */
  settle(path: string, found: State): void {
    const history = this.#path(path)
    history.acknowledged = found
    history.acknowledgedMs = 0
    history.earlier.length = 0
    history.pending = undefined
  }

  current(path: string): State {
    return this.#paths.get(path)?.acknowledged
  }

  paths(): string[] {
    return [...this.#paths.keys()]
  }

  /**
   * States that may be found after a fault at `faultMs`: an acknowledgement stamped later proves nothing, so the states
   * before it are allowed too.
   */
  allowed(path: string, faultMs: number): State[] {
    const { acknowledged, acknowledgedMs, pending, earlier } = this.#path(path)
    const states: State[] = pending === undefined ? [acknowledged] : [acknowledged, pending.state]
    let isLate = acknowledgedMs > faultMs
    for (const entry of [...earlier].reverse()) {
      if (!isLate) break
      states.push(entry.state)
      isLate = entry.acknowledgedMs > faultMs
    }
    return states
  }

  /** Whether the path held these bytes at any time that is remembered: old, not wrong. */
  held(path: string, found: Buffer | undefined): boolean {
    const { acknowledged, pending, earlier } = this.#path(path)
    return [acknowledged, pending?.state, ...earlier.map(({ state }) => state)].some((state) => matches(found, state))
  }

  #path(path: string): PathHistory {
    let history = this.#paths.get(path)
    if (history === undefined) {
      history = { acknowledged: undefined, acknowledgedMs: 0, earlier: [], pending: undefined }
      this.#paths.set(path, history)
    }
    return history
  }
}

/** Bytes that tell their seed and position: any mix of two contents is seen. */
export function bytesOf({ seed, length, bytes: found }: Content): Buffer {
  if (found !== undefined) return found
  const bytes = Buffer.allocUnsafe(length)
  let state = (seed * 2_654_435_761) >>> 0 || 1
  for (let at = 0; at < length; at += 4) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    state >>>= 0
    if (at + 4 <= length) bytes.writeUInt32LE(state, at)
    else for (let rest = at; rest < length; rest++) bytes[rest] = (state >>> ((rest - at) * 8)) & 0xff
  }
  return bytes
}

/** Whether `found` is exactly what `state` says. */
export function matches(found: Buffer | undefined, state: State): boolean {
  if (found === undefined || state === undefined) return found === undefined && state === undefined
  return found.length === state.length && found.equals(bytesOf(state))
}
