/** Trash: what was deleted or replaced, until its time is over. @module */

import { limits } from '../base/limits.ts'
import type { Rising } from '../base/rising.ts'
import { emptyTrash, listTrash, undelete } from '../wire/methods/file-methods.ts'
import type { ClientCore } from './client-core.ts'
import { FileStats } from './file-stats.ts'
import type { TrashEntry } from './filesystem.ts'
import type { CallOptions, UndeleteOptions } from './options.ts'
import { checkPath } from './paths.ts'

export class TrashCalls {
  readonly #core: ClientCore

  constructor(core: ClientCore) {
    this.#core = core
  }

  async *list(path: string, { signal }: CallOptions = {}): AsyncGenerator<TrashEntry, void, undefined> {
    checkPath(path)
    let cursor: Buffer | undefined
    do {
      const request = { path, limit: limits.listPageEntries, ...(cursor === undefined ? {} : { cursor }) }
      const { value } = await this.#core.link.call(listTrash, request, { signal })
      for (const { trash, attributes, path: deletedPath, deletedMs, keptForMs, reason } of value.entries) {
        yield { trashId: trash, path: deletedPath, stats: new FileStats(attributes), deletedMs, keptForMs, reason }
      }
      cursor = value.cursor
    } while (cursor !== undefined)
  }

  async undelete(
    path: string,
    { trashId, to, signal }: UndeleteOptions = {},
  ): Promise<{ readonly path: string; readonly stats: FileStats }> {
    const body = {
      path: checkPath(path),
      ...(trashId === undefined ? {} : { trash: trashId as Rising }),
      ...(to === undefined ? {} : { to: checkPath(to) }),
    }
    const { value } = await this.#core.session.mutate(undelete, body, { signal })
    return { path: value.path, stats: new FileStats(value.attributes) }
  }

  async empty(
    path: string,
    { trashId, signal }: CallOptions & { readonly trashId?: number } = {},
  ): Promise<{ readonly entries: number; readonly lengthBytes: number }> {
    const body = { path: checkPath(path), ...(trashId === undefined ? {} : { trash: trashId as Rising }) }
    let total = { entries: 0, lengthBytes: 0 }
    for (;;) {
      const { value } = await this.#core.session.mutate(emptyTrash, body, { signal })
      total = { entries: total.entries + value.entries, lengthBytes: total.lengthBytes + value.lengthBytes }
      if (value.done) return total
    }
  }
}
