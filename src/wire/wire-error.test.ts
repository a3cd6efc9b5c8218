import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AshlarError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { decodeError, encodeError } from './wire-error.ts'

test('decodeError() gives back code, message, retry, applied and details, and not the cause', () => {
  const error = new AshlarError('no-space', 'Cannot write /a: full', {
    retry: 'elsewhere',
    applied: 'unknown',
    details: { reasons: [{ server: 'x', freeBytes: 3 }] },
    cause: new Error('a secret'),
  })
  const bytes = encodeError(error)
  const { code, message, retry, applied, details, cause } = decodeError(bytes)
  assert.deepEqual(
    { code, message, retry, applied, details, cause },
    {
      code: 'no-space',
      message: 'Cannot write /a: full',
      retry: 'elsewhere',
      applied: 'unknown',
      details: { reasons: [{ server: 'x', freeBytes: 3 }] },
      cause: undefined,
    },
  )
  assert.ok(!bytes.includes('a secret'))
})

test('encodeError() cuts what is too long, between characters, and leaves out what is no JSON', () => {
  const cyclic: Record<string, unknown> = {}
  cyclic['self'] = cyclic
  for (const details of [{ big: 'x'.repeat(limits.errorDetailsBytes) }, { big: 1n }, cyclic]) {
    const decoded = decodeError(encodeError(new AshlarError('busy', `ab${'€'.repeat(5000)}`, { details })))
    assert.deepEqual(Object.keys(decoded.details), ['detailsOmitted'])
    assert.ok(Buffer.byteLength(decoded.message) <= limits.errorMessageBytes)
    assert.match(decoded.message, /^ab€+$/)
  }
})

test('decodeError() refuses details that are no object', () => {
  for (const details of ['[]', 'null', '1', '{']) {
    const bytes = encodeError(new AshlarError('busy', 'm', { details: { a: 1 } }))
    const text = Buffer.from('{"a":1}')
    const at = bytes.indexOf(text)
    bytes.set(Buffer.from(details.padEnd(text.length)), at)
    assert.throws(() => decodeError(bytes), { code: 'protocol' })
  }
})
