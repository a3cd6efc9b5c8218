import assert from 'node:assert/strict'
import { test } from 'node:test'
import { importsOf, tokenize } from './tokens.ts'

function targets(source: string): (string | undefined)[] {
  return importsOf(tokenize(source)).map(({ target }) => target)
}

test('importsOf() finds every form of import', () => {
  const forms: readonly (readonly [source: string, isTypeOnly: boolean])[] = [
    ["import 'x'", false],
    ["import a from 'x'", false],
    ["import * as a from 'x'", false],
    ["import a, { type b, c as from } from 'x'", false],
    ["import {\n  a,\n  b,\n} from 'x'", false],
    ["import type { a } from 'x'", true],
    ["import type a from 'x'", true],
    ["import type from 'x'", false],
    ["import data from 'x' with { type: 'json' }", false],
    ["export * from 'x'", false],
    ["export * as a from 'x'", false],
    ["export { a } from 'x'", false],
    ["export type { a } from 'x'", true],
    ["export type * from 'x'", true],
    ["const a = await import('x')", false],
    ['const a = import(`x`)', false],
    ["let a: typeof import('x')", false],
    ["type A = import('x').B", false],
  ]
  for (const [source, isTypeOnly] of forms) {
    assert.deepEqual(importsOf(tokenize(source)), [{ target: 'x', isTypeOnly, line: 1 }], source)
  }
})

test('importsOf() reports a computed import without a target', () => {
  assert.deepEqual(targets('await import(name)'), [undefined])
  assert.deepEqual(targets("await import('a' + name)"), [undefined])
  assert.deepEqual(targets('await import(`a${name}`)'), [undefined])
})

test('importsOf() is not fooled by comments, strings, templates, regular expressions and properties', () => {
  const innocent = [
    "// import 'x'",
    "/* import 'x' */",
    '"import \'x\'"',
    "'it\\'s' + \"import 'x'\"",
    "`import 'x'`",
    "const a = /import 'x'/",
    "const a = /[/'] import 'x'/g",
    "a.import('x')",
    "import.meta.resolve('x')",
    "export { a }\nconst from = 'x'",
    "export type A = { from: 'x' }",
    "export const from = 'x'",
  ]
  for (const source of innocent) assert.deepEqual(targets(source), [], source)
})

test('tokenize() sees code inside templates, after a division and after a regular expression', () => {
  assert.deepEqual(targets("`a ${`b ${{ c: import('x') }.c}`} import 'y'` + import('z')"), ['x', 'z'])
  assert.deepEqual(targets("const a = b / c / d; import('x')"), ['x'])
  assert.deepEqual(targets("const a = b! / 2, c = (d) / '/'.length; import('x')"), ['x'])
  assert.deepEqual(targets("x.replace(/'/g, '\"'); import('x')"), ['x'])
})

test('tokenize() counts lines through comments, templates and strings', () => {
  const source = "#!/usr/bin/env node\n/* a\nb */ `c\nd` \n'e'\n// f\ng"
  assert.equal(tokenize(source).at(-1)?.line, 7)
})
