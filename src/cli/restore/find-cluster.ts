/**
 * What `--from-servers` names: a join file; or a cluster.json, or the data folder of `ashlar up`, beside which one lies. A client's
 * cluster.json alone does not do: it holds no secret, and only the secret opens a backup.
 * @module
 */
import { dirname, join } from 'node:path'
import { AshlarError, isAshlarError } from '../../base/errors.ts'
import type { Env } from '../../env/env.ts'
import { type JoinFile, readJoinFile } from '../servers/join-file.ts'
import { chunkServerFolder } from '../up/lost-stores.ts'
import { readPlan } from '../up/plan-file.ts'

export interface FoundCluster {
  readonly join: JoinFile
  /** Data folders of its chunk servers, where they are on this machine and known: of a cluster by `ashlar up`. */
  readonly serverFolders: readonly string[]
}

/** @throws {AshlarError} `not-found`, `invalid-argument` — names the file that is needed */
export async function findCluster(env: Env, path: string): Promise<FoundCluster> {
  const info = await env.disk.info(path).catch((cause: unknown) => {
    throw new AshlarError('not-found', `Cannot restore from ${path}: there is no such file or folder`, { cause })
  })
  const folder = info.kind === 'directory' ? path : dirname(path)
  const own = info.kind === 'directory' ? [] : [path]
  const join_ = await firstJoinFile(env, [...own, join(folder, 'join.json')])
  const plan = await readPlan(env.disk, folder)
  const serverFolders = plan?.servers.map((_, index) => chunkServerFolder(folder, index)) ?? []
  return { join: join_, serverFolders }
}

async function firstJoinFile(env: Env, paths: readonly string[]): Promise<JoinFile> {
  let failure: unknown
  for (const path of paths) {
    try {
      return await readJoinFile(env.disk, path)
    } catch (error) {
      if (!isAshlarError(error, 'not-found', 'invalid-argument')) throw error
      failure ??= error
    }
  }
  throw new AshlarError(
    'invalid-argument',
    `Cannot restore from ${paths[0]}: the cluster secret is needed, which is in the join file of the chunk servers ` +
      '(what "ashlar join" printed). Name that file',
    { cause: failure },
  )
}
