import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isAshlarError } from '../base/errors.ts'
import { checkName, checkPath, joinPath, parentOf } from './paths.ts'

const refusal = (part: RegExp) => (error: unknown) => isAshlarError(error, 'invalid-name') && part.test(error.message)

test('checkPath() refuses what no file can have, and says which part and why', () => {
  for (const [path, part] of [
    ['', /not absolute/],
    ['a/b', /not absolute/],
    ['/a//b', /empty name/],
    ['/a/', /empty name/],
    ['//', /empty name/],
    ['/a/./b', /"\."/],
    ['/..', /"\.\."/],
    ['/a/../b', /"\.\."/],
    ['/a\0b', /NUL/],
    ['/\ud800', /surrogate/],
    ['/a\udc00/b', /surrogate/],
    [`/${'x'.repeat(1025)}`, /1025 bytes/],
    [`/${'ä'.repeat(513)}`, /1026 bytes/],
    [`/${'x'.repeat(1000)}`.repeat(5), /5005 bytes/],
  ] as const) {
    assert.throws(() => checkPath(path), refusal(part), path.slice(0, 20))
  }
})

test('checkPath() takes names of any other kind, and gives them back as they came', () => {
  for (const path of [
    '/',
    '/a',
    '/...',
    '/.a',
    '/a.',
    '/a b',
    '/\u0001',
    '/__proto__',
    '/é',
    '/e\u0301',
    '/😀',
    `/${'x'.repeat(1024)}`,
  ]) {
    assert.equal(checkPath(path), path)
  }
  assert.equal(checkPath(`/${'x'.repeat(1023)}`.repeat(4)).length, 4096)
})

test('checkPath() takes exactly the well-formed paths', () => {
  const part = fc.oneof(
    fc.constantFrom('', '.', '..', '\0', '\ud800', 'a'),
    fc.string({ unit: 'binary', maxLength: 8 }),
  )
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 4 }), (names) => {
      const path = `/${names.join('/')}`
      const parts = path.slice(1).split('/')
      const isFine =
        path === '/' ||
        (parts.every((name) => name !== '' && name !== '.' && name !== '..' && !name.includes('\0')) &&
          path.isWellFormed())
      if (isFine) assert.equal(checkPath(path), path)
      else assert.throws(() => checkPath(path), refusal(/Cannot use path/))
    }),
  )
})

test('checkName() refuses a name with a slash', () => {
  assert.equal(checkName('a'), 'a')
  assert.throws(() => checkName('a/b'), refusal(/"\/"/))
})

test('parentOf() and joinPath() undo each other', () => {
  assert.equal(parentOf('/'), '/')
  for (const [directory, name] of [
    ['/', 'a'],
    ['/a', 'b'],
    ['/a/b', 'c d'],
  ] as const) {
    assert.equal(parentOf(joinPath(directory, name)), directory)
  }
})
