/**
 * Named locks: a row with the session that holds it and a fencing token that rises with every holder. A lock is lost
 * with its session; whoever comes then takes it, without waiting for the row to be removed.
 * @module
 */
import type { Infer } from '../base/codec.ts'
import { AshlarError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { lock as lockMethod, unlock as unlockMethod } from '../wire/methods/session-methods.ts'
import type { NamespaceContext } from './context.ts'
import { hold } from './holding.ts'
import { heldKey, lockKey, sessionKey } from './keys.ts'
import { applyOnce } from './requests.ts'
import { lockRow, readRow, sessionRow } from './rows.ts'

/** @throws {AshlarError} `locked` — `details.holder` has it; `busy` — the session holds `limits.locksPerSession` */
export function lock(
  context: NamespaceContext,
  request: Infer<typeof lockMethod.request>,
): Promise<Infer<typeof lockMethod.response>> {
  const { name, holder } = request
  const { session } = request.request
  checkLockName(name)
  return applyOnce(context, lockMethod, request, async (change) => {
    const { tx } = change
    const held = await readRow(tx, lockRow, lockKey(name))
    if (held !== undefined) {
      const owner = await readRow(tx, sessionRow, sessionKey(held.session))
      if (owner !== undefined && !owner.ended) {
        throw new AshlarError('locked', `Cannot lock "${name}": ${held.holder} holds it`, {
          details: { holder: held.holder },
        })
      }
    }
    await hold(tx, session, 'lock', name)
    const fencingToken = change.issue()
    tx.put(lockKey(name), lockRow.encode({ session, fencingToken, holder }))
    return { fencingToken }
  })
}

export function unlock(
  context: NamespaceContext,
  request: Infer<typeof unlockMethod.request>,
): Promise<Infer<typeof unlockMethod.response>> {
  const { name, fencingToken } = request
  const { session } = request.request
  return applyOnce(context, unlockMethod, request, async ({ tx }) => {
    const held = await readRow(tx, lockRow, lockKey(name))
    if (held?.session !== session || held.fencingToken !== fencingToken) return { released: false }
    tx.del(lockKey(name))
    tx.del(heldKey(session, 'lock', name))
    return { released: true }
  })
}

/** An escaped name doubles at worst, and must fit a key beside its session. */
const lockNameBytes = limits.keyBytes / 2 - 64

function checkLockName(name: string): void {
  if (name === '' || !name.isWellFormed() || Buffer.byteLength(name) > lockNameBytes) {
    throw new AshlarError('invalid-name', `Cannot lock: a lock's name has 1 to ${lockNameBytes} bytes`)
  }
}
