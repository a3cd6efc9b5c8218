/**
 * What has to be done so that the cluster is as declared: looked up first, as steps with a reason each, so that they can be shown
 * before they are taken. Buckets are asked of an S3 door and changed through it, so that what it would refuse is refused here too.
 * Taking the steps twice does nothing the second time.
 * @module
 */
import { AshlarError } from '../../../base/errors.ts'
import type { AccountRegistry } from '../../../gateway/s3/auth/account-registry.ts'
import type { KeyRow, UserRow } from '../../../gateway/s3/auth/account-rows.ts'
import type { SignedRequests } from '../signed-request.ts'
import { bucketSections } from './bucket-sections.ts'
import type { DeclaredBucket, DeclaredKey, DeclaredSetup, DeclaredUser } from './declared-setup.ts'

export interface SetupStep {
  readonly action: 'add' | 'change' | 'remove'
  /** `bucket reports: lifecycle` */
  readonly what: string
  /** In the file: `buckets[0].lifecycle`. */
  readonly path: string
  /** @throws {AshlarError} naming the path */
  apply(): Promise<void>
}

export interface SetupTarget {
  readonly accounts: AccountRegistry
  readonly door: SignedRequests
  readonly signal: AbortSignal
}

export async function planSetup({ users, buckets }: DeclaredSetup, target: SetupTarget): Promise<readonly SetupStep[]> {
  const { accounts, signal } = target
  const [rows, keys] = [await accounts.users({ signal }), await accounts.keys({ signal })]
  const steps = users.flatMap((user) => userSteps(user, { rows, keys, target }))
  for (const bucket of buckets) steps.push(...(await bucketSteps(bucket, target)))
  return steps
}

interface Known {
  readonly rows: readonly UserRow[]
  readonly keys: readonly KeyRow[]
  readonly target: SetupTarget
}

function userSteps(user: DeclaredUser, { rows, keys, target: { accounts, signal } }: Known): SetupStep[] {
  const { path, name, email } = user
  const what = `user ${name}`
  const steps: SetupStep[] = []
  const step = (action: SetupStep['action'], of: string, at: string, apply: () => Promise<unknown>) =>
    steps.push({ action, what: of, path: at, apply: () => located(at, apply) })
  const row = rows.find((known) => known.name === name)
  if (row === undefined) step('add', what, path, () => accounts.addUser(name, { email, signal }))
  else if (email !== undefined && row.email !== email) {
    throw new AshlarError(
      'invalid-argument',
      `Cannot apply ${path}.email: ${what} has another one, which cannot be changed`,
    )
  }
  const { isDisabled } = user
  if (isDisabled !== undefined && isDisabled !== (row?.isDisabled ?? false)) {
    const of = `${what}: ${isDisabled ? 'disabled' : 'enabled'}`
    step('change', of, `${path}.disabled`, () => accounts.setDisabled(name, { isDisabled, signal }))
  }
  const attached = row?.policies ?? new Map<string, string>()
  for (const [policy, text] of user.policies ?? []) {
    if (isSameJson(attached.get(policy), text)) continue
    const action = attached.has(policy) ? 'change' : 'add'
    step(action, `${what}: policy ${policy}`, `${path}.policies.${policy}`, () =>
      accounts.putPolicy(name, { name: policy, text, signal }),
    )
  }
  for (const policy of user.policies === undefined ? [] : attached.keys()) {
    if (user.policies?.has(policy)) continue
    step('remove', `${what}: policy ${policy}`, `${path}.policies`, () =>
      accounts.removePolicy(name, { name: policy, signal }),
    )
  }
  for (const key of user.keys) {
    if (hasKey(key, { keys, userName: name, accounts })) continue
    step('add', `${what}: key ${key.accessKeyId}`, key.path, () => accounts.addKey(name, { given: key, signal }))
  }
  return steps
}

/** @throws {AshlarError} `invalid-argument`: the id is another user's, or has another secret: a key is never changed in silence */
function hasKey(
  { path, accessKeyId, secretAccessKey }: DeclaredKey,
  of: { readonly keys: readonly KeyRow[]; readonly userName: string; readonly accounts: AccountRegistry },
): boolean {
  const row = of.keys.find((key) => key.accessKeyId === accessKeyId)
  if (row === undefined) return false
  if (row.userName === of.userName && of.accounts.isSecretOf(row, secretAccessKey)) return true
  const why = row.userName === of.userName ? 'the key has another secret' : `the key is one of ${row.userName}`
  throw new AshlarError(
    'invalid-argument',
    `Cannot apply ${path}: ${why}. Revoke it first: ashlar key revoke ${accessKeyId}`,
  )
}

async function bucketSteps({ path, name, sections }: DeclaredBucket, { door }: SetupTarget): Promise<SetupStep[]> {
  const what = `bucket ${name}`
  const steps: SetupStep[] = []
  const { status } = await door.send('HEAD', `/${name}`)
  const isThere = status === 200
  if (!isThere) {
    const make = async () => expectDone(await door.send('PUT', `/${name}`))
    steps.push({ action: 'add', what, path, apply: () => located(path, make) })
  }
  for (const [section, value] of sections) {
    const { parameter, bodyOf, isSame, canRemove } = bucketSections[section]
    const url = `/${name}?${parameter}`
    const now = isThere ? await door.send('GET', url) : undefined
    const at = `${path}.${section}`
    if (now !== undefined && now.status !== 200 && now.status !== 404) {
      throw new AshlarError('invalid-argument', `Cannot apply ${at}: ${now.code}: ${now.message}`)
    }
    const isSet = now?.status === 200
    // What cannot be removed is set to nothing.
    const wanted = value === null && !canRemove ? emptyOf(section) : value
    if (wanted === null ? !isSet : isSet && isSame(wanted, now.body)) continue
    // A bucket that is made now has nothing to take away.
    if (value === null && !isThere) continue
    const change = async () =>
      expectDone(wanted === null ? await door.send('DELETE', url) : await door.send('PUT', url, bodyOf(wanted)))
    const action = value === null ? 'remove' : isSet ? 'change' : 'add'
    steps.push({ action, what: `${what}: ${section}`, path: at, apply: () => located(at, change) })
  }
  return steps
}

/** Of the sections whose absence S3 writes as an empty document. */
function emptyOf(section: string): unknown {
  return section === 'logging' ? {} : []
}

function expectDone(answer: Awaited<ReturnType<SignedRequests['send']>>): void {
  if (answer.status < 300) return
  throw new AshlarError('invalid-argument', `${answer.code}: ${answer.message}`)
}

async function located(path: string, apply: () => Promise<unknown>): Promise<void> {
  try {
    await apply()
  } catch (cause) {
    if (!(cause instanceof AshlarError)) throw cause
    throw new AshlarError(cause.code, `Cannot apply ${path}: ${cause.message}`, { cause, applied: cause.applied })
  }
}

function isSameJson(known: string | undefined, wanted: string): boolean {
  return known !== undefined && canonical(JSON.parse(known)) === canonical(JSON.parse(wanted))
}

/** Fields in the order of their names. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, part) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  )
}
