/** Changing attributes and extended attributes: the entry's row is written again, under a new version. @module */
import type { Infer } from '../base/codec.ts'
import { AshlarError } from '../base/errors.ts'
import { setAttributes as setAttributesMethod, setXattrs as setXattrsMethod } from '../wire/methods/file-methods.ts'
import { replaceEntry } from './commit.ts'
import type { NamespaceContext } from './context.ts'
import { attributesOf, checkPrecondition, checkXattrs } from './entries.ts'
import { notDirectory } from './failures.ts'
import { parsePath } from './paths.ts'
import { applyOnce } from './requests.ts'
import { find } from './resolve.ts'

export function setAttributes(
  context: NamespaceContext,
  request: Infer<typeof setAttributesMethod.request>,
): Promise<Infer<typeof setAttributesMethod.response>> {
  const path = parsePath(request.path)
  return applyOnce(context, setAttributesMethod, request, async (change) => {
    const found = await find(change.tx, path)
    checkPrecondition(path.text, request.precondition, found.entry)
    const { set, policy } = request
    if (policy !== undefined && found.entry.kind !== 'directory') throw notDirectory(path.text)
    if (policy !== undefined && context.policy(policy) === undefined) {
      throw new AshlarError(
        'invalid-argument',
        `Cannot set the policy of "${path.text}": there is no policy "${policy}"`,
      )
    }
    const { entry } = found
    const changed = replaceEntry(change, found, {
      ...entry,
      version: change.issue(),
      mode: set.mode ?? entry.mode,
      modifiedMs: set.modifiedMs ?? entry.modifiedMs,
      accessedMs: set.accessedMs ?? entry.accessedMs,
      owner: set.owner ?? entry.owner,
      ownerGroup: set.ownerGroup ?? entry.ownerGroup,
      policy: policy ?? entry.policy,
    })
    return { attributes: attributesOf(changed, { policy: changed.policy ?? found.parent.policy }) }
  })
}

export function setXattrs(
  context: NamespaceContext,
  request: Infer<typeof setXattrsMethod.request>,
): Promise<Infer<typeof setXattrsMethod.response>> {
  const path = parsePath(request.path)
  return applyOnce(context, setXattrsMethod, request, async (change) => {
    const found = await find(change.tx, path, request)
    const kept = new Map((found.entry.xattrs ?? []).map((xattr) => [xattr.name, xattr]))
    for (const name of request.remove) kept.delete(name)
    for (const xattr of request.set.xattrs ?? []) kept.set(xattr.name, xattr)
    const xattrs = [...kept.values()]
    checkXattrs(xattrs)
    const changed = replaceEntry(change, found, {
      ...found.entry,
      version: change.issue(),
      xattrs: xattrs.length === 0 ? undefined : xattrs,
    })
    return { attributes: attributesOf(changed, { policy: found.parent.policy, wantXattrs: true }) }
  })
}
