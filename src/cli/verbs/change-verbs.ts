/** `mkdir`, `mv`, `cp`, `rm`, `touch`: changes of the tree. @module */
import { posix } from 'node:path'
import { AshlarError, isAshlarError } from '../../base/errors.ts'
import type { AshlarClient } from '../../client/filesystem.ts'
import type { VerbRegistry } from '../verb-registry.ts'
import { expandGlob, withoutSlash } from './remote-glob.ts'
import { addVerb } from './verb.ts'

export function registerChangeVerbs(registry: VerbRegistry): void {
  addVerb<{ readonly parents?: boolean; readonly dryRun?: boolean }>(registry, {
    usage: 'mkdir <paths...>',
    summary: 'make directories',
    flags: [
      ['-p, --parents', 'missing parents too, and an existing directory is no error'],
      ['--dry-run', 'only say what would be made'],
    ],
    examples: ['mkdir /logs', 'mkdir -p /logs/2026/11'],
    run: async ({ client, output, signal, options }, ...paths) => {
      for (const path of paths.map(withoutSlash)) {
        const made = options.dryRun
          ? !(await client.exists(path, { signal }))
          : (await client.mkdir(path, { recursive: options.parents === true, signal })) !== undefined
        output.object({ path, made, dryRun: options.dryRun === true })
        if (options.dryRun) output.line(made ? `would make ${path}` : `${path} exists`)
      }
    },
  })

  addVerb<{ readonly clobber: boolean; readonly dryRun?: boolean }>(registry, {
    usage: 'mv <from...>',
    summary: 'rename files and directories, each in one atomic step',
    description:
      'Renames, or moves into an existing directory: the last path is the target. A file that is replaced goes to trash.',
    flags: [
      ['--no-clobber', 'refuse to replace an existing file'],
      ['--dry-run', 'only say what would be moved'],
    ],
    examples: ['mv /a.txt /b.txt', "mv '/logs/*.gz' /archive"],
    run: async ({ client, output, signal, options }, ...paths) => {
      for (const { from, to } of await pairs(client, paths, signal)) {
        if (!options.dryRun) await client.rename(from, to, { replace: options.clobber, signal })
        output.object({ from, to, dryRun: options.dryRun === true })
        if (options.dryRun) output.line(`would move ${from} to ${to}`)
      }
    },
  })

  addVerb<{ readonly recursive?: boolean; readonly clobber: boolean; readonly dryRun?: boolean }>(registry, {
    usage: 'cp <from...>',
    summary: 'copy inside the cluster, without moving bytes',
    description: 'Copies inside the cluster: the last path is the target. Chunks are shared, so a copy takes no room.',
    flags: [
      ['-r, --recursive', 'directories with all that is in them'],
      ['--no-clobber', 'refuse to replace an existing file'],
      ['--dry-run', 'only say what would be copied'],
    ],
    examples: ['cp /data.bin /data.bak', 'cp -r /photos /photos-2026'],
    run: async ({ client, output, signal, options }, ...paths) => {
      for (const { from, to } of await pairs(client, paths, signal)) {
        if (!options.dryRun) {
          const stats = await client.stat(from, { signal })
          if (stats.isDirectory()) {
            if (!options.recursive) {
              throw new AshlarError(
                'is-a-directory',
                `Cannot copy ${from}: it is a directory. Add -r to copy all that is in it`,
              )
            }
            await client.cp(from, to, { recursive: true, force: options.clobber, signal })
          } else {
            await client.copyFile(from, to, { ...(options.clobber ? {} : { ifAbsent: true }), signal })
          }
        }
        output.object({ from, to, dryRun: options.dryRun === true })
        if (options.dryRun) output.line(`would copy ${from} to ${to}`)
      }
    },
  })

  addVerb<{ readonly recursive?: boolean; readonly force?: boolean; readonly dryRun?: boolean }>(registry, {
    usage: 'rm <paths...>',
    ...(registry.host.client === undefined ? {} : { alias: 'delete' }),
    summary: 'delete to trash',
    description:
      'Deletes to trash, a directory in one step however large it is. "ashlar undelete" brings it back, for 7 days by default.',
    flags: [
      ['-r, --recursive', 'directories with all that is in them'],
      ['-f, --force', 'a path that does not exist is no error'],
      ['--dry-run', 'only say what would be deleted'],
    ],
    examples: ['rm /old.log', "rm '/logs/*.tmp'", 'rm -r /build'],
    run: async ({ client, output, signal, options }, ...patterns) => {
      const { recursive = false, force = false, dryRun = false } = options
      for (const path of await expandAll(client, patterns, { force, signal })) {
        const trashId = dryRun ? undefined : await client.rm(path, { recursive, force, signal })
        if (dryRun) await client.stat(path, { signal })
        output.object({ path, trashId, dryRun })
        if (dryRun) output.line(`would delete ${path}`)
      }
    },
  })

  addVerb<{ readonly create: boolean }>(registry, {
    usage: 'touch <paths...>',
    summary: 'set the modification time to now; make an empty file where there is none',
    flags: [['--no-create', 'do not make files']],
    examples: ['touch /marker'],
    run: async ({ client, env, output, signal, options }, ...paths) => {
      for (const path of paths) {
        output.object({
          path,
          made: await touch(client, path, { create: options.create, nowMs: env.clock.wallMs(), signal }),
        })
      }
    },
  })
}

async function touch(
  client: AshlarClient,
  path: string,
  { create, nowMs, signal }: { readonly create: boolean; readonly nowMs: number; readonly signal: AbortSignal },
): Promise<boolean> {
  try {
    await client.utimes(path, { modified: nowMs, accessed: nowMs, signal })
    return false
  } catch (error) {
    if (!isAshlarError(error, 'not-found') || !create) throw error
  }
  await client.writeFile(path, '', { ifAbsent: true, signal })
  return true
}

/** Sources and targets of `mv` and `cp`: into a directory when the target is one, else one to one. */
async function pairs(
  client: AshlarClient,
  paths: readonly string[],
  signal: AbortSignal,
): Promise<readonly { readonly from: string; readonly to: string }[]> {
  const last = paths.at(-1)
  if (last === undefined || paths.length < 2) {
    throw new AshlarError('invalid-argument', 'Cannot move or copy: name what, and where to')
  }
  const target = withoutSlash(last)
  const sources = await expandAll(client, paths.slice(0, -1), { force: false, signal })
  const intoDirectory =
    (await client.exists(target, { signal })) && (await client.stat(target, { signal })).isDirectory()
  if ((sources.length > 1 || last !== target) && !intoDirectory) {
    throw new AshlarError('not-a-directory', `Cannot move or copy to ${last}: it is not a directory`)
  }
  return sources.map((from) => ({ from, to: intoDirectory ? posix.join(target, posix.basename(from)) : target }))
}

export async function expandAll(
  client: AshlarClient,
  patterns: readonly string[],
  { force, signal }: { readonly force: boolean; readonly signal: AbortSignal },
): Promise<string[]> {
  const paths: string[] = []
  for (const pattern of patterns) {
    try {
      paths.push(...(await expandGlob(client, pattern, signal)))
    } catch (error) {
      if (!force || !isAshlarError(error, 'not-found')) throw error
    }
  }
  return paths
}
