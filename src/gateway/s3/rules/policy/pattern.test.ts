import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isFixed, matchesPattern, parsePattern, textOf } from './pattern.ts'

/** The same question, asked of a regular expression. */
function matchesSlowly(pattern: string, text: string): boolean {
  const source = pattern
    .replace(/[.+^${}()|[\]\\/]/g, '\\$&')
    .replace(/\*/g, '[^]*')
    .replace(/\?/g, '[^]')
  return new RegExp(`^${source}$`).test(text)
}

test('matchesPattern() is what a regular expression says', () => {
  const pattern = fc.stringMatching(/^[ab*?/]{0,8}$/)
  const text = fc.stringMatching(/^[ab/]{0,10}$/)
  fc.assert(
    fc.property(pattern, text, (wild, plain) => {
      assert.equal(matchesPattern(parsePattern(wild), plain), matchesSlowly(wild, plain))
    }),
    { numRuns: 3000 },
  )
})

test('matchesPattern() comes to an end where a regular expression would not', () => {
  const text = 'a'.repeat(5000)
  for (const pattern of ['*a'.repeat(500), '*?a'.repeat(500), `*${'a'.repeat(2000)}`]) {
    assert.ok(matchesPattern(parsePattern(pattern), text))
    assert.ok(!matchesPattern(parsePattern(`${pattern}b`), text))
    assert.ok(!matchesPattern(parsePattern(`${pattern}b*`), text))
  }
})

test('matchesPattern() puts in what the request knows, as plain text', () => {
  const pattern = parsePattern('home/${aws:username}/*')
  const as = (name: string | undefined) => (text: string) =>
    matchesPattern(pattern, text, (variable) => (variable === 'aws:username' ? name : undefined))
  assert.ok(as('ann')('home/ann/x'))
  assert.ok(!as('ann')('home/bob/x'))
  assert.ok(!as('*')('home/bob/x'))
  assert.ok(as('*')('home/*/x'))
  assert.ok(!as(undefined)('home//x'))
  assert.ok(!as(undefined)('home/${aws:username}/x'))
})

test('parsePattern() knows defaults, the three escapes, and version 2008', () => {
  const home = parsePattern("a/${aws:username, 'nobody'}")
  assert.ok(matchesPattern(home, 'a/nobody'))
  assert.ok(matchesPattern(home, 'a/ann', () => 'ann'))
  assert.ok(!matchesPattern(home, 'a/nobody', () => 'ann'))
  assert.ok(matchesPattern(parsePattern('a${*}b'), 'a*b'))
  assert.ok(!matchesPattern(parsePattern('a${*}b'), 'axb'))
  assert.ok(matchesPattern(parsePattern('${$}{x}'), '${x}'))
  assert.ok(matchesPattern(parsePattern('${aws:username}', false), '${aws:username}'))
  assert.ok(matchesPattern(parsePattern('a${b'), 'a${b'))
})

test('isFixed() and textOf() see wildcards and variables', () => {
  assert.ok(isFixed(parsePattern('plain')))
  assert.ok(!isFixed(parsePattern('pl*in')))
  assert.ok(!isFixed(parsePattern('${aws:username}')))
  assert.equal(
    textOf(parsePattern('a*?${x}'), () => 'y'),
    'a*?y',
  )
  assert.equal(
    textOf(parsePattern('${x}'), () => undefined),
    undefined,
  )
})
