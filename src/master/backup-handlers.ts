/** Answers clients about backups of the metadata. @module */
import { AshlarError } from '../base/errors.ts'
import { fetchPiece, listBackups, makeBackup } from '../wire/methods/backup-methods.ts'
import type { Backups } from './backups.ts'
import type { HandlerContext } from './handlers.ts'

export function answerBackups({ service }: HandlerContext, backups: Backups | undefined): void {
  const kept = () => {
    if (backups !== undefined) return backups
    throw new AshlarError(
      'not-supported',
      'Cannot look at backups: this cluster keeps none. Start its master without "--backup-every off"',
    )
  }
  service.handle(makeBackup, async () => ({ value: { backup: await kept().make() } }))
  service.handle(listBackups, async () => ({ value: { ...(await kept().list()), status: kept().status() } }))
  service.handle(fetchPiece, async ({ name, offset, manifest }) => {
    const { bytes, more } = await kept().read(name, { offset, manifest })
    return { value: { more }, payload: bytes }
  })
}
