/** `ls`, `tree`, `stat`, `du`, `find`: looking at the tree. @module */
import { AshlarError } from '../../base/errors.ts'
import { formatCount, formatSize } from '../../base/sizes.ts'
import type { AshlarClient } from '../../client/filesystem.ts'
import type { DirectoryEntry, FileStats } from '../../client/index.ts'
import type { Output } from '../output.ts'
import type { VerbRegistry } from '../verb-registry.ts'
import { expandAll } from './change-verbs.ts'
import { describeFile, formatCrc } from './describe-file.ts'
import { matchesName, withoutSlash } from './remote-glob.ts'
import { addVerb } from './verb.ts'

export function registerLookVerbs(registry: VerbRegistry): void {
  addVerb<{ readonly long?: boolean; readonly recursive?: boolean }>(registry, {
    usage: 'ls [paths...]',
    summary: 'list directories',
    flags: [
      ['-l, --long', 'mode, size, time and version too'],
      ['-r, --recursive', 'directories below too'],
    ],
    examples: ['ls /', 'ls -l /logs', "ls '/logs/*.gz'"],
    run: async ({ client, output, signal, options }, ...patterns) => {
      const show = (path: string, name: string, stats: FileStats) => {
        output.object(entryObject(path, stats))
        output.line(options.long ? longLine(name, stats) : shownName(name, stats))
      }
      for (const path of await expandAll(client, patterns.length === 0 ? ['/'] : patterns, { force: false, signal })) {
        const stats = await client.stat(path, { signal })
        if (stats.isFile()) {
          show(path, path, stats)
          continue
        }
        for await (const { entry, relative } of below(client, path, {
          recursive: options.recursive === true,
          signal,
        })) {
          show(entry.path, relative, entry.stats)
        }
      }
    },
  })

  addVerb(registry, {
    usage: 'tree [path]',
    summary: 'show a directory as a tree',
    examples: ['tree /', 'tree /photos'],
    run: async ({ client, output, signal }, given = '/') => {
      const path = withoutSlash(given)
      output.line(path)
      const counts = await drawTree(client, path, { indent: '', output, signal })
      output.line('')
      output.line(
        `${formatCount(counts.directories, 'directory', 'directories')}, ${formatCount(counts.files, 'file')}`,
      )
    },
  })

  addVerb<{ readonly chunks?: boolean; readonly md5?: boolean }>(registry, {
    usage: 'stat <paths...>',
    summary: 'show what is known of a file: size, version, checksum, chunks',
    flags: [
      ['--chunks', 'each chunk: members, lengths, checksums'],
      ['--md5', 'with --chunks: the MD5 of each replica, computed by its server'],
    ],
    examples: ['stat /data.bin', 'stat --chunks --md5 /data.bin'],
    run: async ({ client, output, signal, options }, ...paths) => {
      for (const path of await expandAll(client, paths, { force: false, signal })) {
        await describeFile({ client, output, path, chunks: options.chunks === true, md5: options.md5 === true, signal })
      }
    },
  })

  addVerb<{ readonly bytes?: boolean }>(registry, {
    usage: 'du [paths...]',
    summary: 'count files and bytes below a path',
    flags: [['-b, --bytes', 'exact bytes']],
    examples: ['du /', 'du -b /logs /photos'],
    run: async ({ client, output, signal, options }, ...patterns) => {
      for (const path of await expandAll(client, patterns.length === 0 ? ['/'] : patterns, { force: false, signal })) {
        const summary = await client.summarize(path, { signal })
        output.object({ path, ...summary })
        const size = options.bytes ? String(summary.lengthBytes) : formatSize(summary.lengthBytes)
        const versionSize = options.bytes ? `${summary.versionBytes} bytes` : formatSize(summary.versionBytes)
        const older =
          summary.versions === 0 ? '' : `, ${formatCount(summary.versions, 'older version')} of ${versionSize}`
        const directories = formatCount(summary.directories, 'directory', 'directories')
        output.line(`${size.padEnd(12)}${formatCount(summary.files, 'file')}, ${directories}${older}  ${path}`)
      }
    },
  })

  addVerb<{ readonly name?: string; readonly type?: string }>(registry, {
    usage: 'find [path]',
    summary: 'list everything below a path, by name or kind',
    flags: [
      ['--name <pattern>', 'only names that match: * and ? and [abc]'],
      ['--type <f|d>', 'only files, or only directories'],
    ],
    examples: ['find /', "find /logs --name '*.gz' --type f"],
    run: async ({ client, output, signal, options }, path = '/') => {
      const { name, type } = options
      if (type !== undefined && type !== 'f' && type !== 'd') {
        throw new AshlarError('invalid-argument', `Cannot find --type ${type}: it is f (files) or d (directories)`)
      }
      for await (const { entry } of below(client, withoutSlash(path), { recursive: true, signal })) {
        if (name !== undefined && !matchesName(name, entry.name)) continue
        if (type !== undefined && entry.isDirectory() !== (type === 'd')) continue
        output.object(entryObject(entry.path, entry.stats))
        output.line(entry.path)
      }
    },
  })
}

function entryObject(path: string, stats: FileStats): object {
  const { kind, size, version, modifiedMs, mode, owner, ownerGroup, crc32 } = stats
  return {
    path,
    name: path.slice(path.lastIndexOf('/') + 1),
    kind,
    size,
    version,
    modifiedMs,
    mode,
    owner,
    ownerGroup,
    crc32: crc32 === undefined ? undefined : formatCrc(crc32),
  }
}

interface Below {
  readonly entry: DirectoryEntry
  /** From where the walk began. */
  readonly relative: string
}

async function* below(
  client: AshlarClient,
  path: string,
  { recursive, signal }: { readonly recursive: boolean; readonly signal: AbortSignal },
): AsyncGenerator<Below> {
  const directories: { readonly path: string; readonly relative: string }[] = [{ path, relative: '' }]
  for (let next = directories.pop(); next !== undefined; next = directories.pop()) {
    const inside: typeof directories = []
    for await (const entry of client.list(next.path, { signal })) {
      const relative = next.relative === '' ? entry.name : `${next.relative}/${entry.name}`
      yield { entry, relative }
      if (recursive && entry.isDirectory()) inside.push({ path: entry.path, relative })
    }
    directories.push(...inside.reverse())
  }
}

function shownName(name: string, stats: FileStats): string {
  return stats.isDirectory() ? `${printable(name)}/` : printable(name)
}

/** Names are bytes of others: control characters must not reach a terminal. */
export function printable(name: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return name.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, (character) => JSON.stringify(character).slice(1, -1))
}

function longLine(name: string, stats: FileStats): string {
  const mode = `${stats.isDirectory() ? 'd' : '-'}${stats.mode.toString(8).padStart(4, '0')}`
  const size = stats.isDirectory() ? '-' : formatSize(stats.size)
  const time = stats.mtime.toISOString().slice(0, 19).replace('T', ' ')
  return `${mode}  ${size.padStart(9)}  ${time}  v${stats.version}  ${shownName(name, stats)}`
}

async function drawTree(
  client: AshlarClient,
  path: string,
  { indent, output, signal }: { readonly indent: string; readonly output: Output; readonly signal: AbortSignal },
): Promise<{ files: number; directories: number }> {
  const counts = { files: 0, directories: 0 }
  let held: DirectoryEntry | undefined
  // The last entry has another branch, so each line waits for the next entry.
  const draw = async (entry: DirectoryEntry, isLast: boolean) => {
    output.object(entryObject(entry.path, entry.stats))
    output.line(`${indent}${isLast ? '└── ' : '├── '}${shownName(entry.name, entry.stats)}`)
    if (entry.isFile()) {
      counts.files += 1
      return
    }
    const inner = await drawTree(client, entry.path, { indent: `${indent}${isLast ? '    ' : '│   '}`, output, signal })
    counts.directories += 1 + inner.directories
    counts.files += inner.files
  }
  for await (const entry of client.list(path, { signal })) {
    if (held !== undefined) await draw(held, false)
    held = entry
  }
  if (held !== undefined) await draw(held, true)
  return counts
}
