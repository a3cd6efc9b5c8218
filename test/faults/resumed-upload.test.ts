import assert from 'node:assert/strict'
import { test } from 'node:test'
import { whyNotLong } from './preloaded.ts'
import { runResumedUpload } from './resumed-upload.ts'

const mebibyte = 1024 ** 2

test('an upload goes on where it was after its gateway and a chunk server were killed', async () => {
  const { parts, partsKept } = await runResumedUpload({ sizeBytes: 33 * mebibyte + 5, partBytes: 5 * mebibyte })
  assert.equal(parts, 7)
  assert.ok(partsKept >= 2 && partsKept < 7, `${partsKept} parts were there`)
})

test('an encrypted upload of a gibibyte goes on likewise', { skip: whyNotLong() }, async () => {
  const size = { sizeBytes: 1024 * mebibyte, partBytes: 32 * mebibyte }
  const { parts } = await runResumedUpload({ ...size, isEncrypted: true })
  assert.equal(parts, 32)
})
