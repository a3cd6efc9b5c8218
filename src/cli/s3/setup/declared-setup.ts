/**
 * The declared set-up of S3: users, their policies and keys, webhooks, buckets. Read from JSON and checked as a whole before
 * anything is done; whatever is wrong is named by its path in the file. What a file does not name stays as it is.
 * @module
 */
import { AshlarError } from '../../../base/errors.ts'
import { checkKey, checkUserName, checkUserPolicy } from '../../../gateway/s3/auth/account-registry.ts'
import { checkBucketName } from '../../../gateway/s3/rules/bucket-name.ts'
import { S3Error } from '../../../gateway/s3/rules/s3-error.ts'
import { bucketSections, type SectionName, sectionNames } from './bucket-sections.ts'
import { asList, asObject, asText, boolean, checkShape } from './shape.ts'

export interface DeclaredSetup {
  readonly users: readonly DeclaredUser[]
  readonly buckets: readonly DeclaredBucket[]
}

export interface DeclaredUser {
  readonly path: string
  readonly name: string
  readonly email: string | undefined
  /** Undefined: as it is. */
  readonly isDisabled: boolean | undefined
  /** JSON by name: exactly these. Undefined: as they are. */
  readonly policies: ReadonlyMap<string, string> | undefined
  /** At least these. */
  readonly keys: readonly DeclaredKey[]
}

export interface DeclaredKey {
  readonly path: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

export interface DeclaredBucket {
  readonly path: string
  readonly name: string
  /** Checked; `null`: without. */
  readonly sections: ReadonlyMap<SectionName, unknown>
}

/** From where secrets come that do not stand in the file itself. */
export interface SecretSources {
  /** @throws {AshlarError} `not-found` */
  readonly environment: (name: string) => string | undefined
  readonly file: (path: string) => Promise<string>
}

/** @throws {AshlarError} `invalid-argument`, naming the path of what is wrong */
export async function parseSetup(source: string, sources: SecretSources): Promise<DeclaredSetup> {
  let json: unknown
  try {
    json = JSON.parse(source)
  } catch {
    // Not kept as cause: V8 quotes the text it could not parse, and the text may hold secrets.
    throw refused('the file', 'it is not JSON')
  }
  const { version, users = [], buckets = [] } = asObject(json, 'config', ['version', 'users', 'buckets'])
  if (version !== 1) throw refused('config.version', 'it must be 1')
  const parsedUsers: DeclaredUser[] = []
  for (const [index, user] of asList(users, 'users').entries()) {
    parsedUsers.push(await parseUser(user, `users[${index}]`, sources))
  }
  const parsedBuckets = asList(buckets, 'buckets').map((bucket, index) => parseBucket(bucket, `buckets[${index}]`))
  refuseDoubles(parsedUsers)
  refuseDoubles(parsedBuckets)
  const keys = parsedUsers.flatMap((user) => user.keys)
  refuseDoubles(keys.map(({ path, accessKeyId }) => ({ path, name: accessKeyId })))
  return { users: parsedUsers, buckets: parsedBuckets }
}

async function parseUser(json: unknown, path: string, sources: SecretSources): Promise<DeclaredUser> {
  const fields = asObject(json, path, ['name', 'email', 'disabled', 'policies', 'keys'])
  const { email, disabled, policies, keys = [] } = fields
  const name = asText(fields['name'], `${path}.name`)
  named(`${path}.name`, () => checkUserName(name))
  if (disabled !== undefined) checkShape(disabled, boolean, `${path}.disabled`)
  const parsedKeys: DeclaredKey[] = []
  for (const [index, key] of asList(keys, `${path}.keys`).entries()) {
    parsedKeys.push(await parseKey(key, { path: `${path}.keys[${index}]`, userName: name, sources }))
  }
  return {
    ...{ path, name, keys: parsedKeys },
    email: email === undefined ? undefined : asText(email, `${path}.email`),
    isDisabled: disabled as boolean | undefined,
    policies:
      policies === undefined ? undefined : parsePolicies(policies, { path: `${path}.policies`, userName: name }),
  }
}

function parsePolicies(json: unknown, of: { readonly path: string; readonly userName: string }): Map<string, string> {
  return new Map(
    Object.entries(asObject(json, of.path)).map(([name, policy]) => {
      const path = `${of.path}.${name}`
      const text = JSON.stringify(asObject(policy, path))
      named(path, () => checkUserPolicy(text, { userName: of.userName, name }))
      return [name, text]
    }),
  )
}

async function parseKey(
  json: unknown,
  { path, userName, sources }: { readonly path: string; readonly userName: string; readonly sources: SecretSources },
): Promise<DeclaredKey> {
  const fields = asObject(json, path, ['accessKeyId', 'secretAccessKey'])
  const accessKeyId = asText(fields['accessKeyId'], `${path}.accessKeyId`)
  const secretAccessKey = await secretOf(fields['secretAccessKey'], `${path}.secretAccessKey`, sources)
  named(path, () => checkKey({ accessKeyId, secretAccessKey, userName }))
  return { path, accessKeyId, secretAccessKey }
}

/** A text, `{"env": NAME}` or `{"file": PATH}`. */
async function secretOf(json: unknown, path: string, { environment, file }: SecretSources): Promise<string> {
  if (typeof json === 'string') return json
  const { env, file: from } = asObject(json, path, ['env', 'file'])
  if ((env === undefined) === (from === undefined)) throw refused(path, 'it must be a text, {"env"} or {"file"}')
  if (from !== undefined) return (await file(asText(from, `${path}.file`))).trim()
  const name = asText(env, `${path}.env`)
  const value = environment(name)
  if (value === undefined || value === '') throw refused(`${path}.env`, `the environment has no ${name.slice(0, 64)}`)
  return value
}

function parseBucket(json: unknown, path: string): DeclaredBucket {
  const fields = asObject(json, path, ['name', ...sectionNames])
  const name = asText(fields['name'], `${path}.name`)
  named(`${path}.name`, () => checkBucketName(name))
  const sections = new Map<SectionName, unknown>()
  for (const section of sectionNames) {
    const value = fields[section]
    if (value === undefined) continue
    const at = `${path}.${section}`
    if (value !== null) bucketSections[section].check(value, at)
    else if (section === 'versioning') throw refused(at, 'versions are suspended, never taken away')
    sections.set(section, value)
  }
  return { path, name, sections }
}

function refuseDoubles(all: readonly { readonly path: string; readonly name: string }[]): void {
  const seen = new Map<string, string>()
  for (const { path, name } of all) {
    const first = seen.get(name)
    if (first !== undefined) throw refused(path, `${first} has the same name, ${name}`)
    seen.set(name, path)
  }
}

/** Says where, of what a check throws. */
function named(path: string, check: () => void): void {
  try {
    check()
  } catch (cause) {
    if (!(cause instanceof AshlarError || cause instanceof S3Error)) throw cause
    throw refused(path, cause.message, cause)
  }
}

function refused(path: string, why: string, cause?: unknown): AshlarError {
  return new AshlarError('invalid-argument', `Cannot use ${path}: ${why}`, { cause })
}
