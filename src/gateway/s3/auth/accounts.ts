/** Who may ask: the accounts behind access keys, as authentication and the rules see them. @module */

export interface Account {
  /** The canonical user id: what ACLs and owners name. */
  readonly id: string
  readonly displayName: string
  readonly email?: string | undefined
  /** May do everything, in every bucket. */
  readonly isRoot: boolean
}

export interface AccessKey {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly account: Account
}

export interface Accounts {
  /** Undefined: no such key, or it was revoked. */
  findKey(accessKeyId: string): AccessKey | undefined
  findById(id: string): Account | undefined
  findByEmail(email: string): Account | undefined
  /** Of something that may be owned by no account that is known: the root account's then, or one that only has its id. */
  owner(id: string | undefined): Pick<Account, 'id' | 'displayName'>
}

/** A fixed list. */
export function staticAccounts(keys: readonly AccessKey[]): Accounts {
  const byKey = new Map(keys.map((key) => [key.accessKeyId, key]))
  const byId = new Map(keys.map(({ account }) => [account.id, account]))
  const byEmail = new Map(
    keys.flatMap(({ account }) => (account.email === undefined ? [] : [[account.email, account] as const])),
  )
  const root = keys.find(({ account }) => account.isRoot)?.account ?? { id: 'root', displayName: 'root' }
  return {
    owner: (id) => (id === undefined ? root : (byId.get(id) ?? { id, displayName: id })),
    findKey: (accessKeyId) => byKey.get(accessKeyId),
    findById: (id) => byId.get(id),
    findByEmail: (email) => byEmail.get(email),
  }
}
