/** `ashlar join`: prints the join file of the cluster whose data is here. @module */
import { join, resolve } from 'node:path'
import { isAshlarError } from '../../base/errors.ts'
import { defaultDataFolder } from '../../client/cluster-file.ts'
import type { Env } from '../../env/env.ts'
import type { Output } from '../output.ts'
import { formatJoinFile, type JoinFile, readJoinFile } from './join-file.ts'

/** `--data` names the folder of `ashlar up`, or of a master of its own. */
export async function printJoinFile(
  { data = defaultDataFolder() }: { readonly data?: string },
  { env, output }: { readonly env: Env; readonly output: Output },
): Promise<void> {
  const folder = resolve(data)
  const joinFile = await readEither(env, [join(folder, 'master', 'join.json'), join(folder, 'join.json')])
  output.object(joinFile)
  output.line(formatJoinFile(joinFile).trimEnd())
}

async function readEither(env: Env, [first, second]: readonly [string, string]): Promise<JoinFile> {
  try {
    return await readJoinFile(env.disk, first)
  } catch (error) {
    if (!isAshlarError(error, 'not-found')) throw error
    return await readJoinFile(env.disk, second)
  }
}
