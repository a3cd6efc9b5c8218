/** Who may ask: the accounts behind access keys, as authentication and the rules see them. @module */
import type { Policy } from '../rules/policy/policy.ts'

export interface Account {
  /** The canonical user id: what ACLs and owners name. Never given twice. */
  readonly id: string
  /** Unique: what policies name, by ARN and `aws:username`. */
  readonly userName: string
  readonly displayName: string
  readonly email?: string | undefined
  /** May do everything, in every bucket. */
  readonly isRoot: boolean
  /** What an administrator attached; with any of them they say all that the user may. Default: none. */
  readonly policies?: readonly Policy[] | undefined
}

export interface AccessKey {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly account: Account
}

/** The accounts as they were at one moment: one request sees the same ones from its head to its end. */
export interface Accounts {
  /** Undefined: no such key, it was revoked, or its user is disabled. */
  findKey(accessKeyId: string): AccessKey | undefined
  findById(id: string): Account | undefined
  findByEmail(email: string): Account | undefined
  /** Of something that may be owned by no account that is known: the root account's then, or one that only has its id. */
  owner(id: string | undefined): Pick<Account, 'id' | 'displayName'>
}

export interface AccountSource {
  /**
   * The accounts as they are now, or were at most seconds ago.
   * @param options.isFresh nothing that was changed before this call may be missing
   * @throws {AshlarError} what reading them met: nobody is let in by guess
   */
  current(options?: { readonly isFresh?: boolean }): Promise<Accounts>
}

/** A fixed list. */
export function staticAccounts(keys: readonly AccessKey[]): Accounts & AccountSource {
  const byKey = new Map(keys.map((key) => [key.accessKeyId, key]))
  const accounts = { ...accountsOf(keys.map(({ account }) => account)), findKey: (id: string) => byKey.get(id) }
  return { ...accounts, current: async () => accounts }
}

/** All but keys. */
export function accountsOf(accounts: readonly Account[]): Omit<Accounts, 'findKey'> {
  const byId = new Map(accounts.map((account) => [account.id, account]))
  const byEmail = new Map(
    accounts.flatMap((account) => (account.email === undefined ? [] : [[account.email, account] as const])),
  )
  const root = accounts.find(({ isRoot }) => isRoot) ?? { id: 'root', displayName: 'root' }
  return {
    owner: (id) => (id === undefined ? root : (byId.get(id) ?? { id, displayName: id })),
    findById: (id) => byId.get(id),
    findByEmail: (email) => byEmail.get(email),
  }
}

/** The administrator of the cluster, who is there before all others. */
export function rootAccount(): Account {
  return { id: 'root', userName: 'root', displayName: 'root', isRoot: true }
}
