/** Answers the leader about backups: see `backup-shelf.ts`. What changes anything carries the leader's epoch. @module */
import { AshlarError } from '../base/errors.ts'
import { appendPiece, finishPiece, listPieces, readPiece, removePieces } from '../wire/methods/backup-methods.ts'
import { recyclePayload } from '../wire/payload-memory.ts'
import type { Service } from '../wire/service.ts'
import type { BackupShelf } from './backup-shelf.ts'
import type { MapView } from './map-view.ts'

export interface BackupMethodsOptions {
  readonly service: Service
  readonly view: MapView
  /** Undefined: a store in memory keeps no backups. */
  readonly shelf: BackupShelf | undefined
}

export function serveBackups({ service, view, shelf }: BackupMethodsOptions): void {
  const kept = () => {
    if (shelf !== undefined) return shelf
    throw new AshlarError('not-supported', 'Cannot keep a backup: this server has no folder')
  }
  service.handle(listPieces, async () => ({ value: { pieces: shelf === undefined ? [] : await shelf.list() } }))
  service.handle(appendPiece, async ({ leaderEpoch, name, offset }, { payload, signal }) => {
    try {
      await view.admitLeader(leaderEpoch)
      return { value: { lengthBytes: await kept().append(name, payload, { offset, signal }) } }
    } finally {
      recyclePayload(payload)
    }
  })
  service.handle(finishPiece, async ({ leaderEpoch, name, lengthBytes, crc }, { payload }) => {
    try {
      await view.admitLeader(leaderEpoch)
      await kept().finish(name, { lengthBytes, crc, manifest: payload })
      return { value: {} }
    } finally {
      recyclePayload(payload)
    }
  })
  service.handle(readPiece, async ({ name, ...range }) => ({ value: {}, payload: await kept().read(name, range) }))
  service.handle(removePieces, async ({ leaderEpoch, names }) => {
    await view.admitLeader(leaderEpoch)
    return { value: { removed: await kept().remove(names) } }
  })
}
