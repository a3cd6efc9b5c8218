/** A promise that was seen broken. @module */

/** Which promise; a shrunk script must break the same one. */
export type OracleName =
  /** An answer that no order of the operations explains: bytes lost or made up, a rename seen half, a stale read. */
  | 'order'
  /** A version that did not rise, or that named two contents. */
  | 'versions'
  /** Bytes that nobody wrote. */
  | 'bytes'
  /** A failure that no fault explains. */
  | 'surprise'
  /** An operation that never ended. */
  | 'ended'
  /** An epoch, map version or cluster time that went back. */
  | 'epochs'
  /** Two members of a group in one failure domain, or fewer than the policy says. */
  | 'domains'
  /** A member that lacks what it has acknowledged. */
  | 'proof'
  /** The cluster did not come to rest after all faults were gone. */
  | 'rest'
  /** A file that cannot be read once all is well. */
  | 'readable'
  /** Servers hold other chunks than the metadata names. */
  | 'books'
  /** Rows of the metadata that contradict each other. */
  | 'rows'
  /** The world could not be started or healed, or the simulation itself failed. */
  | 'world'

export interface Violation {
  readonly oracle: OracleName
  /** One sentence for people: what was promised, and what was seen. */
  readonly text: string
  /** Ids of those at which it shows. */
  readonly operations?: readonly number[]
}
