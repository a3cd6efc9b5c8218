/**
 * The accounts of the cluster as a gateway holds them: the root key, and what was read of users and keys. Read again when their
 * revision changed, which is asked for at most once a second; so a revoked key stops within a second or two, on every gateway.
 *
 * Bounded: `limits.s3Users`, `limits.s3Keys` and `limits.s3AccountBytes`. Secrets stay sealed in memory until their key is used. What
 * cannot be understood lets nobody in: a user whose policy is of a newer version counts as disabled.
 * @module
 */
import { AshlarError } from '../../../base/errors.ts'
import { limits } from '../../../base/limits.ts'
import type { AshlarClient } from '../../../client/index.ts'
import type { Env } from '../../../env/env.ts'
import { parsePolicy } from '../rules/policy/parse-policy.ts'
import type { Policy } from '../rules/policy/policy.ts'
import { type KeyRow, readKeys, readRevision, readUsers, type UserRow } from './account-rows.ts'
import { type AccessKey, type Account, type AccountSource, type Accounts, accountsOf, rootAccount } from './accounts.ts'
import { SecretSeal } from './sealed-secret.ts'

/** How old what is known may be before the revision is asked for. */
const revisionAgeMs = 1000
/** Everything is read again after so long, whatever the revision says: whoever changed something may have died before it rose. */
const longestAgeMs = 60_000

export interface RootKey {
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

export const userKeyPurpose = 'user keys'

export class StoredAccounts implements AccountSource {
  readonly #env: Env
  readonly #client: AshlarClient
  readonly #root: AccessKey
  readonly #seal: SecretSeal
  #known: { readonly accounts: Accounts; readonly revision: string | undefined; readonly readMs: number } | undefined
  #checkedMs = 0
  #refreshing: Promise<Accounts> | undefined
  #policies = new Map<string, Policy>()

  constructor({ env, client, root }: { readonly env: Env; readonly client: AshlarClient; readonly root: RootKey }) {
    this.#env = env
    this.#client = client
    this.#root = { ...root, account: rootAccount() }
    this.#seal = new SecretSeal(root.secretAccessKey, userKeyPurpose)
  }

  async current({ isFresh = false }: { readonly isFresh?: boolean } = {}): Promise<Accounts> {
    const known = this.#known
    const isRecent = known !== undefined && this.#env.clock.monotonicMs() - this.#checkedMs < revisionAgeMs
    if (isRecent && !isFresh) return known.accounts
    // What is being read may have been read before the change that is asked for.
    if (isFresh) await this.#refreshing
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = undefined
    })
    return await this.#refreshing
  }

  async #refresh(): Promise<Accounts> {
    const nowMs = this.#env.clock.monotonicMs()
    // Before the rows: what changes while they are read is seen the next time.
    const revision = await readRevision(this.#client)
    let known = this.#known
    if (known === undefined || known.revision !== revision || nowMs - known.readMs >= longestAgeMs) {
      known = { accounts: await this.#read(), revision, readMs: nowMs }
      this.#known = known
    }
    this.#checkedMs = nowMs
    return known.accounts
  }

  async #read(): Promise<Accounts> {
    const accounts = new Map<string, Account>()
    const enabled = new Set<string>()
    const keys = new Map<string, KeyRow>()
    const policies = new Map<string, Policy>()
    let sizeBytes = 0
    for await (const row of readUsers(this.#client)) {
      sizeBytes += sizeOf(row)
      if (accounts.size >= limits.s3Users || sizeBytes > limits.s3AccountBytes) throw tooMany('users')
      const parsed = this.#parsePolicies(row, policies)
      accounts.set(row.name, accountOf(row, parsed ?? []))
      if (!row.isDisabled && parsed !== undefined) enabled.add(row.name)
    }
    for await (const row of readKeys(this.#client)) {
      if (keys.size >= limits.s3Keys) throw tooMany('keys')
      keys.set(row.accessKeyId, row)
    }
    this.#policies = policies
    return {
      ...accountsOf([this.#root.account, ...accounts.values()]),
      findKey: (accessKeyId) => {
        if (accessKeyId === this.#root.accessKeyId) return this.#root
        const row = keys.get(accessKeyId)
        const account = row === undefined || !enabled.has(row.userName) ? undefined : accounts.get(row.userName)
        return row === undefined || account === undefined ? undefined : this.#opened(row, account)
      },
    }
  }

  #opened({ accessKeyId, sealedSecret }: KeyRow, account: Account): AccessKey | undefined {
    const secretAccessKey = this.#seal.open(sealedSecret, { owner: accessKeyId })
    if (secretAccessKey !== undefined) return { accessKeyId, secretAccessKey, account }
    this.#env.log.error('An S3 key was sealed under another root key: revoke it and add a new one', { accessKeyId })
    return undefined
  }

  /** Undefined: one of them cannot be understood. */
  #parsePolicies({ name, policies }: UserRow, next: Map<string, Policy>): readonly Policy[] | undefined {
    try {
      return [...policies].map(([policyName, text]) => {
        const key = `${policyName}\n${text}`
        const parsed = this.#policies.get(key) ?? parsePolicy(text, 'user')
        const policy = { ...parsed, id: policyName }
        next.set(key, policy)
        return policy
      })
    } catch (error) {
      this.#env.log.error('A policy of an S3 user cannot be understood: the user counts as disabled', {
        user: name,
        error,
      })
      return undefined
    }
  }
}

function accountOf({ id, name, email }: UserRow, policies: readonly Policy[]): Account {
  return { id, userName: name, displayName: name, email, isRoot: false, policies }
}

/** What counts against `limits.s3AccountBytes`. */
export function sizeOf({ name, email = '', policies }: UserRow): number {
  let sizeBytes = name.length + email.length
  for (const [policyName, text] of policies) sizeBytes += policyName.length + Buffer.byteLength(text)
  return sizeBytes
}

function tooMany(what: string): AshlarError {
  return new AshlarError(
    'too-large',
    `Cannot read the ${what} of S3: they are more than a gateway holds (docs/limits.md)`,
  )
}
