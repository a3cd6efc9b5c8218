/** The calls behind `Versions`: each is one request, or a walk of such requests. @module */
import { limits } from '../base/limits.ts'
import {
  listVersions,
  planLifecycle,
  removeObject,
  setObjectLock,
  setVersioning,
} from '../wire/methods/version-methods.ts'
import type { ClientCore } from './client-core.ts'
import { FileStats } from './file-stats.ts'
import { checkCounts, checkText } from './object-calls.ts'
import type { CallOptions } from './options.ts'
import { checkName, checkPath } from './paths.ts'
import { applyRewind, planRewind } from './rewind.ts'
import type {
  ListedVersion,
  ListVersionsOptions,
  LockVersionOptions,
  RemovedVersion,
  RemoveVersionOptions,
  RewindOptions,
  RewindStep,
  Versions,
} from './versions.ts'
import { preconditionOf, xattrsOf } from './write-target.ts'

export class VersionCalls implements Versions {
  readonly #core: ClientCore
  readonly #rewinding: Omit<Parameters<typeof planRewind>[0], 'versions'>

  constructor(core: ClientCore, rewinding: Omit<Parameters<typeof planRewind>[0], 'versions'>) {
    this.#core = core
    this.#rewinding = rewinding
  }

  async planLifecycle(bucket: string, { signal }: CallOptions = {}): ReturnType<Versions['planLifecycle']> {
    const { value } = await this.#core.link.call(planLifecycle, { bucket: checkName(bucket) }, { signal })
    return value
  }

  planRewind(bucket: string, options: RewindOptions): AsyncIterableIterator<RewindStep> {
    return planRewind(this.#calls, checkName(bucket), options)
  }

  rewind(bucket: string, step: RewindStep, { signal }: CallOptions = {}): Promise<boolean> {
    return applyRewind(this.#calls, checkName(bucket), { ...step, signal })
  }

  get #calls(): Parameters<typeof planRewind>[0] {
    return { ...this.#rewinding, versions: this }
  }

  async *list(bucket: string, options: ListVersionsOptions = {}): AsyncGenerator<ListedVersion, void, undefined> {
    const {
      prefix = '',
      delimiter = '',
      after = '',
      afterVersion,
      pageEntries: limit = limits.listPageEntries,
    } = options
    const { maxEntries = Number.POSITIVE_INFINITY, xattrs = false, signal } = options
    checkCounts(bucket, { pageEntries: limit, maxEntries })
    const query = {
      ...{ bucket: checkName(bucket), after: checkText(bucket, after) },
      ...{ prefix: checkText(bucket, prefix), delimiter: checkText(bucket, delimiter) },
      ...(afterVersion === undefined ? {} : { afterVersion }),
      ...(xattrs ? { wantXattrs: true } : {}),
    }
    let cursor: Buffer | undefined
    let left = maxEntries
    do {
      const request = { ...query, limit: Math.min(limit, left), ...(cursor === undefined ? {} : { cursor }) }
      const { value } = await this.#core.link.call(listVersions, request, { signal })
      left -= value.versions.length
      for (const { name, attributes, isLatest = false } of value.versions) {
        if (attributes === undefined) yield { prefix: name }
        else yield { key: name, stats: new FileStats(attributes), isLatest }
      }
      cursor = value.cursor
    } while (cursor !== undefined && left > 0)
  }

  async configure(path: string, { signal, ...options }: Parameters<Versions['configure']>[1]): Promise<FileStats> {
    const body = { path: checkPath(path), ...options }
    const { value } = await this.#core.session.mutate(setVersioning, body, { signal })
    return new FileStats(value.attributes)
  }

  async remove(path: string, options: RemoveVersionOptions = {}): Promise<RemovedVersion> {
    const { objectVersion, bypassGovernance, ifVersion, markerXattrs, signal } = options
    const body = {
      path: checkPath(path),
      precondition: preconditionOf(path, { ifVersion }),
      ...(objectVersion === undefined ? {} : { objectVersion }),
      ...(bypassGovernance === true ? { bypassGovernance } : {}),
      ...(markerXattrs === undefined ? {} : { marker: { xattrs: xattrsOf(path, markerXattrs) } }),
    }
    const { value } = await this.#core.session.mutate(removeObject, body, { signal })
    return { objectVersion: value.objectVersion, isDeleteMarker: value.isDeleteMarker, trashId: value.trash }
  }

  async lock(path: string, { signal, retention, ...options }: LockVersionOptions): Promise<FileStats> {
    const change = retention === null ? { clearRetention: true } : { retention }
    const { value } = await this.#core.session.mutate(
      setObjectLock,
      { path: checkPath(path), ...change, ...options },
      { signal },
    )
    return new FileStats(value.attributes)
  }
}
