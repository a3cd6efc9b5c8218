/** What `ashlar up` and its servers say to each other on a pipe. @module */

/** From a server. */
export type ChildReport =
  | { readonly event: 'listening'; readonly address: string; readonly httpAddress: string; readonly serverId: string }
  | { readonly event: 'registered' }
  | { readonly event: 'failed'; readonly code: string; readonly message: string }

/** To a chunk server: where the master is. */
export interface ParentMessage {
  readonly masterAddress: string
}
