/**
 * The root key of the S3 door: made at the first start, at random, and kept beside the master's secret, readable by its owner
 * alone. There is no default one. It reaches clients through `cluster.json`, and never a log.
 * @module
 */
import { join } from 'node:path'
import { AshlarError, isAshlarError } from '../../base/errors.ts'
import type { Env } from '../../env/env.ts'

export interface S3RootKey {
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

const maxBytes = 4096
const accessKeyCharacters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
const secretBytes = 30

/** @throws {AshlarError} `bad-store` — the file is there and is none */
export async function readOrMakeRootKey(env: Env, folder: string): Promise<S3RootKey> {
  const path = join(folder, 's3-root-key.json')
  try {
    return parse((await env.disk.readSmall(path, maxBytes)).toString('utf8'), path)
  } catch (error) {
    if (!isAshlarError(error, 'not-found')) throw error
  }
  const characters = [...env.random.bytes(16)].map((byte) => accessKeyCharacters[byte % accessKeyCharacters.length])
  const key = {
    accessKeyId: `ASHL${characters.join('')}`,
    secretAccessKey: env.random.bytes(secretBytes).toString('base64'),
  }
  await env.disk.writeSmall(path, Buffer.from(`${JSON.stringify(key, null, 2)}\n`))
  return key
}

function parse(text: string, path: string): S3RootKey {
  let value: Partial<S3RootKey> | undefined
  try {
    value = JSON.parse(text)
  } catch {
    // Not kept as cause: V8 quotes the text it could not parse, and the text holds the key.
  }
  const { accessKeyId, secretAccessKey } = value ?? {}
  if (typeof accessKeyId === 'string' && typeof secretAccessKey === 'string') return { accessKeyId, secretAccessKey }
  throw new AshlarError('bad-store', `Cannot use ${path}: it is not a root key. Restore it, or remove it for a new one`)
}
