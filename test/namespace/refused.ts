import assert from 'node:assert/strict'
import type { ErrorCode } from '../../src/base/error-table.ts'
import { AshlarError } from '../../src/base/errors.ts'

/** Asserts that a call is refused with this code. @returns the refusal */
export async function refused(call: Promise<unknown>, code: ErrorCode): Promise<AshlarError> {
  try {
    await call
  } catch (error) {
    assert.ok(error instanceof AshlarError, String(error))
    assert.equal(error.code, code, error.message)
    return error
  }
  assert.fail(`it was not refused, where ${code} was due`)
}
