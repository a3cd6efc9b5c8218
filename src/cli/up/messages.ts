/** What `ashlar up` and its servers say to each other on a pipe. @module */

/** From a server. The master leads before it listens: chunk servers can join while it opens its HTTP door. */
export type ChildReport =
  | { readonly event: 'leading'; readonly address: string }
  | { readonly event: 'listening'; readonly address: string; readonly httpAddress: string; readonly serverId: string }
  | { readonly event: 'registered' }
  | { readonly event: 'failed'; readonly code: string; readonly message: string }

/** To a chunk server that may join, or a gateway that may connect: where the master is. */
export interface ParentMessage {
  readonly masterAddress: string
}
