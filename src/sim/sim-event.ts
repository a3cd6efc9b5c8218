/** What will happen in a simulated world, and to whom. @module */

/** Whose event it is: a paused owner's wait, a dead owner's never run. */
export interface EventOwner {
  readonly index: number
  readonly state: 'running' | 'paused' | 'dead'
  /** Called instead of the event while paused. */
  postpone(event: SimEvent): void
}

/** For the trace. */
export type EventKind = 'timer' | 'soon' | 'arrival' | 'sent' | 'dial' | 'disk' | 'fault' | 'resumed'

export interface SimEvent {
  atMs: number
  /** Decides between events of one time. */
  tie: number
  readonly sequence: number
  readonly kind: EventKind
  readonly owner: EventOwner | undefined
  /** Undefined: cancelled, or run. */
  callback: (() => void) | undefined
}
