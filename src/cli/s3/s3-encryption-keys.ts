/**
 * The keys under which the S3 door wraps what it encrypts: made at the first start, at random, and kept beside the master's secret,
 * readable by its owner alone. Gateways get them through `cluster.json`; chunk servers, which hold the bytes, never do.
 *
 * The first key is used for what is written; put a new one in front of it to change it. Without a key, what it wrapped is lost.
 * @module
 */
import { join } from 'node:path'
import { AshlarError, isAshlarError } from '../../base/errors.ts'
import { isKeyList } from '../../client/cluster-file.ts'
import type { Env } from '../../env/env.ts'

const maxBytes = 64 * 1024
const keyBytes = 32

/** @returns base64, the newest first @throws {AshlarError} `bad-store` — the file is there and holds none */
export async function readOrMakeEncryptionKeys(env: Env, folder: string): Promise<readonly string[]> {
  const path = join(folder, 's3-encryption-keys.json')
  try {
    return parse((await env.disk.readSmall(path, maxBytes)).toString('utf8'), path)
  } catch (error) {
    if (!isAshlarError(error, 'not-found')) throw error
  }
  const keys = [env.random.bytes(keyBytes).toString('base64')]
  await env.disk.writeSmall(path, Buffer.from(`${JSON.stringify({ keys }, null, 2)}\n`))
  return keys
}

function parse(text: string, path: string): readonly string[] {
  let value: { readonly keys?: unknown } | undefined
  try {
    value = JSON.parse(text)
  } catch {
    // Not kept as cause: V8 quotes the text it could not parse, and the text holds the keys.
  }
  if (isKeyList(value?.keys) && value.keys.length > 0) return value.keys
  throw new AshlarError(
    'bad-store',
    `Cannot use ${path}: it holds no keys. Restore it: without them what was encrypted cannot be read`,
  )
}
