/**
 * Users, keys and policies as an administrator changes them, with the client key and the root key.
 *
 * Changes are made one at a time, under a lock of the cluster, and each ends by a new revision: what was acknowledged is seen by
 * every gateway within seconds. A user is never removed, only disabled: its name and id are never given to another one, so no
 * list or policy that names it comes to mean somebody else.
 * @module
 */
import { AshlarError } from '../../../base/errors.ts'
import { limits } from '../../../base/limits.ts'
import type { AshlarClient } from '../../../client/index.ts'
import type { Env } from '../../../env/env.ts'
import { parsePolicy } from '../rules/policy/parse-policy.ts'
import { S3Error } from '../rules/s3-error.ts'
import {
  accountsFolder,
  disabledAttribute,
  findKeyRow,
  findUser,
  formatKey,
  formatUser,
  type KeyRow,
  keyAttribute,
  keysFolder,
  policyAttributePrefix,
  readKeys,
  readUsers,
  revisionAttribute,
  type UserRow,
  userAttribute,
  usersFolder,
} from './account-rows.ts'
import { SecretSeal } from './sealed-secret.ts'
import { type RootKey, sizeOf, userKeyPurpose } from './stored-accounts.ts'

/** A key as it is shown once. */
export interface NewKey {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly userName: string
}

interface CallOptions {
  readonly signal?: AbortSignal | undefined
}

/** As IAM's: fit for ARNs and paths. */
const userNameForm = /^[\w+=,@-][\w+=,.@-]{0,63}$/
const policyNameForm = /^[\w+=,.@-]{1,128}$/
const emailForm = /^[^\s@]{1,128}@[^\s@]{1,125}$/
const keyIdForm = /^[\w.-]{3,128}$/
const keyIdCharacters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
const secretBytes = 30
const secretLengths = { least: 16, most: 128 }
const lockName = 's3-accounts'

export class AccountRegistry {
  readonly #env: Env
  readonly #client: AshlarClient
  readonly #root: RootKey
  readonly #seal: SecretSeal

  constructor({ env, client, root }: { readonly env: Env; readonly client: AshlarClient; readonly root: RootKey }) {
    this.#env = env
    this.#client = client
    this.#root = root
    this.#seal = new SecretSeal(root.secretAccessKey, userKeyPurpose)
  }

  async users(options: CallOptions = {}): Promise<readonly UserRow[]> {
    return await listOf(readUsers(this.#client, options))
  }

  /** @param userName of this user alone */
  async keys({
    userName,
    ...options
  }: CallOptions & { readonly userName?: string | undefined } = {}): Promise<readonly KeyRow[]> {
    const keys = await listOf(readKeys(this.#client, options))
    return userName === undefined ? keys : keys.filter((key) => key.userName === userName)
  }

  /**
   * @throws {AshlarError} `already-exists`: the name or the e-mail address is another user's; `invalid-name`, `invalid-argument`,
   *   `too-large`
   */
  async addUser(
    name: string,
    { email, signal }: CallOptions & { readonly email?: string | undefined } = {},
  ): Promise<UserRow> {
    checkUserName(name)
    if (email !== undefined && !emailForm.test(email)) {
      throw new AshlarError('invalid-argument', `Cannot add user ${name}: its e-mail address is none`)
    }
    return await this.#change(signal, async () => {
      const users = await this.users({ signal })
      if (users.length >= limits.s3Users) throw tooLarge(`add user ${name}`, `${limits.s3Users} users`)
      if (users.some((user) => user.name === name)) {
        throw new AshlarError('already-exists', `Cannot add user ${name}: there is one of this name`)
      }
      const other = email === undefined ? undefined : users.find((user) => user.email === email)
      if (other !== undefined) {
        throw new AshlarError('already-exists', `Cannot add user ${name}: ${other.name} has this e-mail address`)
      }
      const row = { id: this.#env.random.bytes(32).toString('hex'), email }
      const xattrs = { [userAttribute]: formatUser(row) }
      await this.#client.writeFile(`${usersFolder}/${name}`, '', { ifAbsent: true, makeParents: true, xattrs, signal })
      return { ...row, name, createdMs: this.#env.clock.wallMs(), isDisabled: false, policies: new Map() }
    })
  }

  /** A disabled user's keys are refused; what it owns stays. Idempotent. @throws {AshlarError} `not-found` */
  async setDisabled(
    name: string,
    { isDisabled, signal }: CallOptions & { readonly isDisabled: boolean },
  ): Promise<void> {
    await this.#change(signal, async () => {
      await this.#user(name, signal)
      const path = `${usersFolder}/${name}`
      if (isDisabled) await this.#client.setXattr(path, disabledAttribute, '1', { signal })
      else await this.#client.removeXattr(path, disabledAttribute, { signal })
    })
  }

  /**
   * Attaches a policy, or replaces the one of this name.
   * @param text JSON without principals
   * @throws {AshlarError} `invalid-argument`: it is no policy, and why; `not-found`: the user; `too-large`
   */
  async putPolicy(
    userName: string,
    { name, text, signal }: CallOptions & { readonly name: string; readonly text: string },
  ): Promise<void> {
    checkUserPolicy(text, { userName, name })
    await this.#change(signal, async () => {
      const user = await this.#user(userName, signal)
      const doing = `attach policy ${name} to ${userName}`
      const isNew = !user.policies.has(name)
      if (isNew && user.policies.size >= limits.s3PoliciesPerUser) {
        throw tooLarge(doing, `${limits.s3PoliciesPerUser} policies a user`)
      }
      let sizeBytes = Buffer.byteLength(text)
      for (const row of await this.users({ signal })) sizeBytes += sizeOf(row)
      if (sizeBytes > limits.s3AccountBytes)
        throw tooLarge(doing, `${limits.s3AccountBytes} bytes of names and policies`)
      await this.#client.setXattr(`${usersFolder}/${userName}`, `${policyAttributePrefix}${name}`, text, { signal })
    })
  }

  /** An absent one is no error. @throws {AshlarError} `not-found`: the user */
  async removePolicy(userName: string, { name, signal }: CallOptions & { readonly name: string }): Promise<void> {
    await this.#change(signal, async () => {
      await this.#user(userName, signal)
      await this.#client.removeXattr(`${usersFolder}/${userName}`, `${policyAttributePrefix}${name}`, { signal })
    })
  }

  /**
   * A new key of a user. Its secret is told here, once, and never again.
   * @param given an id and secret that were made elsewhere. Default: at random
   * @throws {AshlarError} `not-found`: the user; `already-exists`: the id; `invalid-argument`; `too-large`
   */
  async addKey(
    userName: string,
    { given, signal }: CallOptions & { readonly given?: RootKey | undefined } = {},
  ): Promise<NewKey> {
    const key = { ...(given ?? this.#randomKey()), userName }
    checkKey(key)
    return await this.#change(signal, async () => {
      await this.#user(userName, signal)
      const keys = await this.keys({ signal })
      const doing = `add a key of ${userName}`
      if (keys.length >= limits.s3Keys) throw tooLarge(doing, `${limits.s3Keys} keys`)
      if (keys.filter((row) => row.userName === userName).length >= limits.s3KeysPerUser) {
        throw tooLarge(doing, `${limits.s3KeysPerUser} keys a user. Revoke one first`)
      }
      const { accessKeyId } = key
      if (accessKeyId === this.#root.accessKeyId || keys.some((row) => row.accessKeyId === accessKeyId)) {
        throw new AshlarError('already-exists', `Cannot ${doing}: there is a key ${accessKeyId}`)
      }
      const sealedSecret = this.#sealed(key)
      const xattrs = { [keyAttribute]: formatKey({ userName, sealedSecret }) }
      await this.#client.writeFile(`${keysFolder}/${accessKeyId}`, '', {
        ifAbsent: true,
        makeParents: true,
        xattrs,
        signal,
      })
      return key
    })
  }

  /** Ends a key for good: its secret is removed, from the trash too. @throws {AshlarError} `not-found` */
  async revokeKey(accessKeyId: string, { signal }: CallOptions = {}): Promise<void> {
    await this.#change(signal, async () => {
      if (!keyIdForm.test(accessKeyId) || (await findKeyRow(this.#client, accessKeyId, { signal })) === undefined) {
        const isRoot = accessKeyId === this.#root.accessKeyId
        const why = isRoot ? 'it is the root key, which lies with the master' : 'there is no such key'
        throw new AshlarError('not-found', `Cannot revoke key ${accessKeyId.slice(0, 128)}: ${why}`)
      }
      const path = `${keysFolder}/${accessKeyId}`
      // First the secret: what is undeleted from trash is no key any more.
      await this.#client.removeXattr(path, keyAttribute, { signal })
      await this.#client.unlink(path, { signal })
    })
  }

  /** Whether a key has this secret: so that a declared set-up changes only what differs. */
  isSecretOf({ accessKeyId, sealedSecret }: KeyRow, secretAccessKey: string): boolean {
    return this.#seal.open(sealedSecret, { owner: accessKeyId }) === secretAccessKey
  }

  async #change<Result>(signal: AbortSignal | undefined, work: () => Promise<Result>): Promise<Result> {
    return await this.#client.withLock(
      lockName,
      async () => {
        const result = await work()
        const revision = this.#env.random.bytes(16).toString('hex')
        await this.#client.mkdir(accountsFolder, { recursive: true, signal })
        await this.#client.setXattr(accountsFolder, revisionAttribute, revision, { signal })
        return result
      },
      { signal },
    )
  }

  async #user(name: string, signal: AbortSignal | undefined): Promise<UserRow> {
    const user = userNameForm.test(name) ? await findUser(this.#client, name, { signal }) : undefined
    if (user !== undefined) return user
    throw new AshlarError('not-found', `Cannot find user ${name.slice(0, 64)}: see "ashlar user list"`)
  }

  #sealed({ accessKeyId, secretAccessKey }: NewKey): string {
    return this.#seal.seal(secretAccessKey, { owner: accessKeyId, nonce: this.#env.random.bytes(12) })
  }

  #randomKey(): RootKey {
    const { random } = this.#env
    const characters = [...random.bytes(16)].map((byte) => keyIdCharacters[byte % keyIdCharacters.length])
    return {
      accessKeyId: `ASHL${characters.join('')}`,
      secretAccessKey: random.bytes(secretBytes).toString('base64'),
    }
  }
}

/** @throws {AshlarError} `invalid-name` */
export function checkUserName(name: string): void {
  if (userNameForm.test(name) && name !== 'root') return
  const why =
    name === 'root'
      ? 'that is the administrator, who is always there'
      : 'it takes letters, digits and _+=,.@-, 64 at most'
  throw new AshlarError('invalid-name', `Cannot use "${name.slice(0, 80)}" as the name of a user: ${why}`)
}

/** @throws {AshlarError} `invalid-argument`, saying what of it is not understood */
export function checkUserPolicy(text: string, of: { readonly userName: string; readonly name: string }): void {
  const doing = `attach policy ${of.name.slice(0, 128)} to ${of.userName}`
  if (!policyNameForm.test(of.name)) {
    throw new AshlarError(
      'invalid-argument',
      `Cannot ${doing}: its name takes letters, digits and _+=,.@-, 128 at most`,
    )
  }
  if (Buffer.byteLength(text) > limits.xattrValueBytes)
    throw tooLarge(doing, `${limits.xattrValueBytes} bytes a policy`)
  try {
    parsePolicy(text, 'user')
  } catch (cause) {
    if (!(cause instanceof S3Error)) throw cause
    throw new AshlarError('invalid-argument', `Cannot ${doing}: ${cause.message}`, { cause })
  }
}

/** @throws {AshlarError} `invalid-argument`; the secret is never in the message */
export function checkKey({ accessKeyId, secretAccessKey, userName }: NewKey): void {
  const refuse = (why: string) => new AshlarError('invalid-argument', `Cannot add a key of ${userName}: ${why}`)
  if (!keyIdForm.test(accessKeyId) || /^\.+$/.test(accessKeyId)) {
    throw refuse('its id takes 3 to 128 letters, digits and _.-')
  }
  const { least, most } = secretLengths
  const isPrintable = /^[\x21-\x7e]+$/.test(secretAccessKey)
  if (!isPrintable || secretAccessKey.length < least || secretAccessKey.length > most) {
    throw refuse(`its secret takes ${least} to ${most} printable characters`)
  }
}

async function listOf<Row>(rows: AsyncIterable<Row>): Promise<readonly Row[]> {
  const list: Row[] = []
  for await (const row of rows) list.push(row)
  return list
}

function tooLarge(doing: string, what: string): AshlarError {
  return new AshlarError('too-large', `Cannot ${doing}: there are at most ${what} (docs/limits.md)`)
}
