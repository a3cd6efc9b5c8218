/** Attributes of files and directories: times, modes, owners, extended attributes, policy. @module */
import { AshlarError } from '../base/errors.ts'
import { setAttributes, setXattrs } from '../wire/methods/file-methods.ts'
import type { NewAttributes } from '../wire/types/attributes.ts'
import type { ClientCore } from './client-core.ts'
import type { NamespaceCalls } from './namespace-calls.ts'
import type { CallOptions, VersionOptions } from './options.ts'
import { checkPath } from './paths.ts'
import { modeOf, timeOf, xattrOf } from './write-target.ts'

export class AttributeCalls {
  readonly #core: ClientCore
  readonly #namespace: NamespaceCalls

  constructor(core: ClientCore, namespace: NamespaceCalls) {
    this.#core = core
    this.#namespace = namespace
  }

  async utimes(
    path: string,
    {
      accessed,
      modified,
      signal,
    }: { readonly accessed?: Date | number; readonly modified?: Date | number } & CallOptions,
  ): Promise<void> {
    const set = {
      ...(accessed === undefined ? {} : { accessedMs: timeOf(path, accessed) }),
      ...(modified === undefined ? {} : { modifiedMs: timeOf(path, modified) }),
    }
    await this.#set(path, set, signal)
  }

  async chmod(path: string, mode: number, { signal }: CallOptions = {}): Promise<void> {
    await this.#set(path, { mode: modeOf(path, mode) }, signal)
  }

  async chown(
    path: string,
    { owner, ownerGroup, signal }: { readonly owner?: string; readonly ownerGroup?: string } & CallOptions,
  ): Promise<void> {
    await this.#set(
      path,
      { ...(owner === undefined ? {} : { owner }), ...(ownerGroup === undefined ? {} : { ownerGroup }) },
      signal,
    )
  }

  async setPolicy(path: string, policy: string, { signal }: CallOptions = {}): Promise<void> {
    await this.#core.session.mutate(
      setAttributes,
      { path: checkPath(path), set: {}, precondition: {}, policy },
      { signal },
    )
  }

  async getXattr(path: string, name: string, { signal }: CallOptions = {}): Promise<Buffer> {
    const { xattrs } = await this.#namespace.stat(path, { xattrs: true, signal })
    const value = xattrs.get(name)
    if (value === undefined)
      throw new AshlarError('not-found', `Cannot get attribute ${name} of ${path}: it has none of this name`)
    return value
  }

  async listXattrs(path: string, { signal }: CallOptions = {}): Promise<string[]> {
    const { xattrs } = await this.#namespace.stat(path, { xattrs: true, signal })
    return [...xattrs.keys()]
  }

  async setXattr(
    path: string,
    name: string,
    value: Uint8Array | string,
    { objectVersion, signal }: VersionOptions = {},
  ): Promise<void> {
    const set = { xattrs: [xattrOf(path, name, value)] }
    const body = { path: checkPath(path), set, remove: [], ...(objectVersion === undefined ? {} : { objectVersion }) }
    await this.#core.session.mutate(setXattrs, body, { signal })
  }

  async removeXattr(path: string, name: string, { objectVersion, signal }: VersionOptions = {}): Promise<void> {
    const which = objectVersion === undefined ? {} : { objectVersion }
    await this.#core.session.mutate(setXattrs, { path: checkPath(path), set: {}, remove: [name], ...which }, { signal })
  }

  async #set(path: string, set: NewAttributes, signal: AbortSignal | undefined): Promise<void> {
    await this.#core.session.mutate(setAttributes, { path: checkPath(path), set, precondition: {} }, { signal })
  }
}
