import assert from 'node:assert/strict'
import { test } from 'node:test'
import { splitCopySource } from './copy-source.ts'

test('splitCopySource() gives the exact key, and the version behind it', () => {
  const expected: readonly (readonly [string, string, string?])[] = [
    ['b/a', 'b/a'],
    ['/b/a', 'b/a'],
    ['%2Fb%2Fa%20c', 'b/a c'],
    ['b/a?versionId=v1', 'b/a', 'v1'],
    ['b/a?b', 'b/a?b'],
    ['b/a?versionId=x?versionId=v1', 'b/a?versionId=x', 'v1'],
    ['b/a%3FversionId=x', 'b/a?versionId=x'],
    ['//a', '/a'],
    ['b/../a', 'b/../a'],
  ]
  for (const [header, path, versionId] of expected)
    assert.deepEqual(splitCopySource(header), { path, versionId }, header)
})
