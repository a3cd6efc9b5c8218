/** The examples of docs/s3.md, which tests run as they stand there. @module */
import assert from 'node:assert/strict'
import { blocksOf } from '../../docs/shell-page.ts'

/** The first block of the language that has this text in it. */
export function documentedExample(language: string, part: string): string {
  const found = blocksOf('docs/s3.md', language).find((text) => text.includes(part))
  assert.ok(found, `docs/s3.md shows no ${part}`)
  return found
}
