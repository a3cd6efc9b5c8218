/** Directories and names: each method is one request to the master, or a walk of such requests. @module */
import { AshlarError, isAshlarError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { Limiter } from '../env/waiting.ts'
import {
  concat,
  copyFile,
  listDirectory,
  makeDirectory,
  remove,
  rename,
  stat,
  summarize,
  truncate,
} from '../wire/methods/file-methods.ts'
import type { ClientCore } from './client-core.ts'
import { DirectoryEntry, FileStats } from './file-stats.ts'
import type { Summary } from './filesystem.ts'
import type * as options from './options.ts'
import { checkPath, joinPath } from './paths.ts'
import { preconditionOf, xattrsOf } from './write-target.ts'

const copiesAtOnce = 16
const concatSources = 256

export class NamespaceCalls {
  readonly #core: ClientCore

  constructor(core: ClientCore) {
    this.#core = core
  }

  async stat(path: string, statOptions: options.StatOptions = {}): Promise<FileStats> {
    const { xattrs, objectVersion, orMarker, signal } = statOptions
    const request = {
      path: checkPath(path),
      ...(xattrs === true ? { wantXattrs: true } : {}),
      ...(objectVersion === undefined ? {} : { objectVersion }),
      ...(orMarker === true ? { orMarker } : {}),
    }
    const { value } = await this.#core.link.call(stat, request, { signal })
    return new FileStats(value.attributes)
  }

  async exists(path: string, callOptions: options.CallOptions = {}): Promise<boolean> {
    try {
      await this.stat(path, { signal: callOptions.signal })
      return true
    } catch (error) {
      // A file where a directory would have to be proves the absence as well.
      if (isAshlarError(error, 'not-found', 'not-a-directory')) return false
      throw error
    }
  }

  async *list(path: string, listOptions: options.ListOptions = {}): AsyncGenerator<DirectoryEntry, void, undefined> {
    const { prefix, signal, xattrs = false, pageEntries: limit = limits.listPageEntries } = listOptions
    if (!Number.isInteger(limit) || limit < 1 || limit > limits.listPageEntries) {
      throw new AshlarError(
        'invalid-argument',
        `Cannot list ${path}: pageEntries is ${limit}; give 1 to ${limits.listPageEntries}`,
      )
    }
    checkPath(path)
    let after = listOptions.after ?? ''
    for (;;) {
      const request = {
        ...{ path, after, limit },
        ...(prefix === undefined ? {} : { prefix }),
        ...(xattrs ? { wantXattrs: true } : {}),
      }
      const { value } = await this.#core.link.call(listDirectory, request, { signal })
      for (const { name, attributes } of value.entries) {
        yield new DirectoryEntry(path, name, new FileStats(attributes))
      }
      const last = value.entries.at(-1)
      // A master that hides no entry does not say where it stopped.
      const next = value.next ?? (last?.attributes.kind === 'directory' ? `${last.name}/` : last?.name)
      if (!value.more || next === undefined) return
      after = next
    }
  }

  async readdir(path: string, readOptions: options.ReadDirectoryOptions = {}): Promise<DirectoryEntry[]> {
    const { recursive, signal } = readOptions
    const found: DirectoryEntry[] = []
    const directories = [checkPath(path)]
    for (let directory = directories.pop(); directory !== undefined; directory = directories.pop()) {
      const inside: string[] = []
      for await (const entry of this.list(directory, { signal })) {
        found.push(entry)
        if (recursive === true && entry.isDirectory() && !entry.isEscaped) inside.push(entry.path)
      }
      directories.push(...inside.reverse())
    }
    return found
  }

  async mkdir(
    path: string,
    { recursive = false, mode, signal }: options.MakeDirectoryOptions = {},
  ): Promise<string | undefined> {
    const body = { path: checkPath(path), recursive, ...(mode === undefined ? {} : { mode }) }
    const { value } = await this.#core.session.mutate(makeDirectory, body, { signal })
    return value.made ? path : undefined
  }

  async rename(from: string, to: string, renameOptions: options.RenameOptions = {}): Promise<FileStats> {
    const { replace = true, makeParents = false, signal } = renameOptions
    const precondition = preconditionOf(from, renameOptions)
    const body = { from: checkPath(from), to: checkPath(to), replace, makeParents, precondition }
    const { value } = await this.#core.session.mutate(rename, body, { signal })
    return new FileStats(value.attributes)
  }

  /** @param only refuse anything else */
  async remove(
    path: string,
    { recursive = false, force = false, ifVersion, signal }: options.RemoveOptions = {},
    only?: 'file' | 'directory',
  ): Promise<number | undefined> {
    const precondition = preconditionOf(path, { ifVersion })
    const body = { path: checkPath(path), recursive, precondition, ...(only === undefined ? {} : { only }) }
    try {
      const { value } = await this.#core.session.mutate(remove, body, { signal })
      // 0: it stays, as an older version.
      return value.trash === 0 ? undefined : value.trash
    } catch (error) {
      if (force && isAshlarError(error, 'not-found', 'not-a-directory')) return undefined
      throw error
    }
  }

  async copyFile(from: string, to: string, copyOptions: options.CopyOptions = {}): Promise<FileStats> {
    const {
      makeParents = false,
      ifSourceVersion,
      sourceObjectVersion,
      xattrs,
      retention,
      legalHold,
      signal,
    } = copyOptions
    const precondition = preconditionOf(to, copyOptions)
    const source = preconditionOf(from, { ifVersion: ifSourceVersion }).ifVersion
    const attributes = {
      ...(xattrs === undefined ? {} : { xattrs: xattrsOf(to, xattrs) }),
      ...(retention === undefined ? {} : { retention }),
      ...(legalHold === undefined ? {} : { legalHold }),
    }
    const body = {
      ...{ from: checkPath(from), to: checkPath(to), precondition, makeParents, attributes },
      ...(source === undefined ? {} : { sourceVersion: source }),
      ...(sourceObjectVersion === undefined ? {} : { objectVersion: sourceObjectVersion }),
    }
    const answer = await this.#core.session.mutateUntilDone(copyFile, body, { signal })
    if (answer.attributes === undefined)
      throw new AshlarError('protocol', `Cannot copy ${from}: the answer has no attributes`)
    return new FileStats(answer.attributes)
  }

  async cp(
    from: string,
    to: string,
    { recursive = false, force = true, signal }: options.CopyTreeOptions = {},
  ): Promise<void> {
    const source = await this.stat(from, { signal })
    if (source.isFile()) {
      await this.copyFile(from, to, { signal, ifAbsent: !force })
      return
    }
    if (!recursive) throw new AshlarError('is-a-directory', `Cannot copy ${from}: it is a directory. Say recursive`)
    checkPath(to)
    if (to === from || to.startsWith(from === '/' ? '/' : `${from}/`)) {
      throw new AshlarError('invalid-argument', `Cannot copy ${from} to ${to}: that is inside of it`)
    }
    await this.#copyTree(from, to, { force, signal })
  }

  async truncate(path: string, length = 0, truncateOptions: options.TruncateOptions = {}): Promise<FileStats> {
    if (!Number.isSafeInteger(length) || length < 0) {
      throw new AshlarError('invalid-argument', `Cannot truncate ${path}: ${length} is not a length`)
    }
    const body = { path: checkPath(path), length, precondition: preconditionOf(path, truncateOptions) }
    const { value } = await this.#core.session.mutate(truncate, body, { signal: truncateOptions.signal })
    return new FileStats(value.attributes)
  }

  async concat(path: string, sources: readonly string[], { signal }: options.CallOptions = {}): Promise<FileStats> {
    if (sources.length > concatSources) {
      throw new AshlarError(
        'too-large',
        `Cannot concat ${sources.length} files: ${concatSources} at a time is the limit`,
      )
    }
    const body = { path: checkPath(path), sources: sources.map(checkPath) }
    const { value } = await this.#core.session.mutate(concat, body, { signal })
    return new FileStats(value.attributes)
  }

  async summarize(path: string, { signal }: options.CallOptions = {}): Promise<Summary> {
    checkPath(path)
    let total: Summary = { files: 0, directories: 0, lengthBytes: 0, versions: 0, versionBytes: 0 }
    let cursor: Buffer | undefined
    do {
      const { value } = await this.#core.link.call(summarize, cursor === undefined ? { path } : { path, cursor }, {
        signal,
      })
      total = {
        files: total.files + value.files,
        directories: total.directories + value.directories,
        lengthBytes: total.lengthBytes + value.lengthBytes,
        versions: total.versions + (value.versions ?? 0),
        versionBytes: total.versionBytes + (value.versionBytes ?? 0),
      }
      cursor = value.cursor
    } while (cursor !== undefined)
    return total
  }

  async #copyTree(from: string, to: string, { force, signal }: options.CopyTreeOptions): Promise<void> {
    const copies = new Limiter({ name: 'copies', slots: copiesAtOnce, maxWaiting: 1 })
    const pairs = [{ from, to }]
    const failed = new AbortController()
    const running = new Set<Promise<void>>()
    for (let pair = pairs.pop(); pair !== undefined; pair = pairs.pop()) {
      await this.mkdir(pair.to, { recursive: true, signal })
      for await (const entry of this.list(pair.from, { signal })) {
        const target = joinPath(pair.to, entry.name)
        if (entry.isDirectory()) pairs.push({ from: entry.path, to: target })
        else {
          await copies.acquire(1, signal)
          if (failed.signal.aborted) break
          const copied: Promise<void> = this.copyFile(entry.path, target, { signal, ifAbsent: !force })
            .then(() => undefined)
            .catch((error: unknown) => failed.abort(error))
            .finally(() => {
              copies.release()
              running.delete(copied)
            })
          running.add(copied)
        }
      }
      if (failed.signal.aborted) break
    }
    await Promise.all(running)
    failed.signal.throwIfAborted()
  }
}
