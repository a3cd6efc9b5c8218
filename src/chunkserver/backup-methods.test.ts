import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AshlarError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { allocateAligned, isAligned } from '../env/aligned-memory.ts'
import { payloadPages } from '../wire/payload-memory.ts'
import type { Service } from '../wire/service.ts'
import { serveBackups } from './backup-methods.ts'
import type { BackupShelf } from './backup-shelf.ts'
import type { MapView } from './map-view.ts'

type Handler = (request: object, context: { readonly payload: Buffer }) => Promise<unknown>

test('appendPiece and finishPiece give their payload back, whatever comes of them', async () => {
  const handlers = new Map<string, Handler>()
  const service = { handle: ({ name }: { name: string }, handler: Handler) => handlers.set(name, handler) }
  const shelf = {
    append: async () => 1,
    finish: () => Promise.reject(new AshlarError('no-space', 'Cannot keep a backup: the disk is full')),
  }
  const view = { admitLeader: async () => undefined }
  serveBackups({
    service: service as unknown as Service,
    view: view as unknown as MapView,
    shelf: shelf as unknown as BackupShelf,
  })
  const pages = () => payloadPages(limits.framePayloadBytes, allocateAligned)
  // More often than there are pages: each call must find some.
  for (let call = 0; call <= limits.payloadPagesBytes / limits.framePayloadBytes; call++) {
    for (const name of ['appendPiece', 'finishPiece']) {
      const payload = pages()
      assert.ok(isAligned(payload), `${name} ${call}`)
      await handlers
        .get(name)?.({}, { payload })
        .catch((error: AshlarError) => assert.equal(error.code, 'no-space'))
    }
  }
})
