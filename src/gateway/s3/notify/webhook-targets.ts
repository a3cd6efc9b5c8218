/**
 * Webhooks that buckets may name, as an administrator declared them: so nobody else chooses what this machine calls. At rest beside
 * the accounts, `/.s3/accounts/webhooks/NAME`, each with its secret, sealed.
 * @module
 */
import { AshlarError, isAshlarError } from '../../../base/errors.ts'
import { limits } from '../../../base/limits.ts'
import { isWebhookName } from '../../../base/notification-rule.ts'
import type { AshlarClient } from '../../../client/index.ts'
import type { Env } from '../../../env/env.ts'
import { checkPostTarget } from '../../../env/http-post.ts'
import { accountsFolder } from '../auth/account-rows.ts'
import { SecretSeal } from '../auth/sealed-secret.ts'
import type { RootKey } from '../auth/stored-accounts.ts'

export interface Webhook {
  readonly name: string
  readonly url: string
  /** It may lie in a private network, or on this machine. */
  readonly mayBePrivate: boolean
  /** Signs what is sent. */
  readonly secret: string
}

interface StoredWebhook {
  readonly version: 1
  readonly url: string
  readonly mayBePrivate: boolean
  readonly sealed: string
}

interface CallOptions {
  readonly signal?: AbortSignal | undefined
}

const folder = `${accountsFolder}/webhooks`
const attribute = 's3.webhook'
const secretBytes = 30
const keptMs = 5000

export class WebhookTargets {
  readonly #env: Env
  readonly #client: AshlarClient
  readonly #seal: SecretSeal
  /** Bounded by `limits.s3Webhooks`. */
  readonly #known = new Map<string, { readonly webhook: Webhook | undefined; readonly readMs: number }>()

  constructor({ env, client, root }: { readonly env: Env; readonly client: AshlarClient; readonly root: RootKey }) {
    this.#env = env
    this.#client = client
    this.#seal = new SecretSeal(root.secretAccessKey, 'webhooks')
  }

  /**
   * @returns the webhook, with the secret that is told this once
   * @throws {AshlarError} `already-exists`, `forbidden`, `invalid-argument`, `too-large`
   */
  async add(
    name: string,
    { url, mayBePrivate, signal }: CallOptions & { readonly url: string; readonly mayBePrivate: boolean },
  ): Promise<Webhook> {
    if (!isWebhookName(name)) {
      throw new AshlarError(
        'invalid-argument',
        'Cannot add a webhook: its name takes letters, digits, _ and -, 64 at most',
      )
    }
    checkTarget(name, { url, mayBePrivate })
    if ((await this.list({ signal })).length >= limits.s3Webhooks) {
      throw new AshlarError('too-large', `Cannot add webhook ${name}: there are at most ${limits.s3Webhooks}`)
    }
    const secret = this.#env.random.bytes(secretBytes).toString('base64')
    const sealed = this.#seal.seal(secret, { owner: name, nonce: this.#env.random.bytes(12) })
    const stored: StoredWebhook = { version: 1, url, mayBePrivate, sealed }
    const xattrs = { [attribute]: JSON.stringify(stored) }
    try {
      await this.#client.writeFile(`${folder}/${name}`, '', { ifAbsent: true, makeParents: true, xattrs, signal })
    } catch (cause) {
      if (!isAshlarError(cause, 'already-exists')) throw cause
      throw new AshlarError('already-exists', `Cannot add webhook ${name}: there is one. Remove it first`, { cause })
    }
    return { name, url, mayBePrivate, secret }
  }

  /** What waits for it is not sent any more. @throws {AshlarError} `not-found` */
  async remove(name: string, { signal }: CallOptions = {}): Promise<void> {
    if (!isWebhookName(name))
      throw new AshlarError('not-found', `Cannot remove webhook ${name.slice(0, 64)}: there is none`)
    await this.#client.removeXattr(`${folder}/${name}`, attribute, { signal })
    await this.#client.unlink(`${folder}/${name}`, { signal })
  }

  async list({ signal }: CallOptions = {}): Promise<readonly Omit<Webhook, 'secret'>[]> {
    const found: Omit<Webhook, 'secret'>[] = []
    try {
      for await (const { name, stats } of this.#client.list(folder, { xattrs: true, signal })) {
        const stored = parse(stats.xattrs.get(attribute))
        if (stored !== undefined) found.push({ name, url: stored.url, mayBePrivate: stored.mayBePrivate })
      }
    } catch (error) {
      if (!isAshlarError(error, 'not-found')) throw error
    }
    return found
  }

  /** As it is now, or was at most seconds ago. Undefined: there is none of this name. */
  async find(name: string, { signal }: CallOptions = {}): Promise<Webhook | undefined> {
    if (!isWebhookName(name)) return undefined
    const nowMs = this.#env.clock.monotonicMs()
    const known = this.#known.get(name)
    if (known !== undefined && nowMs - known.readMs < keptMs) return known.webhook
    const webhook = await this.#read(name, signal)
    if (this.#known.size >= limits.s3Webhooks) this.#known.clear()
    this.#known.set(name, { webhook, readMs: nowMs })
    return webhook
  }

  async #read(name: string, signal: AbortSignal | undefined): Promise<Webhook | undefined> {
    let stored: StoredWebhook | undefined
    try {
      stored = parse(await this.#client.getXattr(`${folder}/${name}`, attribute, { signal }))
    } catch (error) {
      if (!isAshlarError(error, 'not-found')) throw error
    }
    if (stored === undefined) return undefined
    const secret = this.#seal.open(stored.sealed, { owner: name })
    if (secret !== undefined) return { name, url: stored.url, mayBePrivate: stored.mayBePrivate, secret }
    this.#env.log.error('A webhook was sealed under another root key: remove it and add it again', { webhook: name })
    return undefined
  }
}

/** Refused now, where it would never be reached later. */
function checkTarget(
  name: string,
  { url, mayBePrivate }: { readonly url: string; readonly mayBePrivate: boolean },
): void {
  try {
    checkPostTarget(url, { mayBePrivate })
  } catch (cause) {
    if (mayBePrivate || !isAshlarError(cause, 'forbidden')) throw cause
    throw new AshlarError(
      'forbidden',
      `Cannot add webhook ${name}: its address is a private one. Say --allow-private if it may be reached`,
      { cause },
    )
  }
}

function parse(bytes: Buffer | undefined): StoredWebhook | undefined {
  if (bytes === undefined) return undefined
  const stored = JSON.parse(bytes.toString('utf8')) as StoredWebhook
  if (stored.version === 1) return stored
  throw new AshlarError('version-unsupported', 'Cannot read a webhook of S3: its row is of a newer Ashlar')
}
