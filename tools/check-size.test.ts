import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkHouse } from './check-size.ts'

function source(path: string, lines: number): { path: string; text: string } {
  return { path, text: 'x\n'.repeat(lines) }
}

function said(path: string, text: string): string[] {
  return checkHouse([{ path, text }])
}

test('checkHouse() bounds the median of source files, tests aside', () => {
  const tests = [source('src/a.test.ts', 1), source('src/b.test.ts', 1)]
  assert.deepEqual(
    checkHouse([source('src/a.ts', 100), source('src/b.ts', 180), source('src/c.ts', 400), ...tests]),
    [],
  )
  assert.deepEqual(checkHouse([source('src/a.ts', 100), source('src/b.ts', 181), source('src/c.ts', 400), ...tests]), [
    'src: the median file has 181 lines, 180 at most',
  ])
})

test('checkHouse() allows one long file in 25', () => {
  const short = Array.from({ length: 24 }, (_, index) => source(`src/${index}.ts`, 10))
  assert.deepEqual(checkHouse([...short, source('src/long.ts', 501)]), [])
  assert.deepEqual(checkHouse([...short.slice(1), source('src/long.ts', 501)]), [
    'src: 1 of 24 files have more than 500 lines: src/long.ts (501)',
  ])
  assert.deepEqual(checkHouse([...short.slice(1), source('src/just.ts', 500)]), [])
})

test('checkHouse() finds folders of a machine and registries', () => {
  const home = ['', 'home', 'somebody', 'x'].join('/')
  assert.deepEqual(said('docs/a.md', `fine\nsee ${home}`), ['docs/a.md:2: names a folder of one machine'])
  assert.equal(said('a.ts', `const a = '${['', 'root', 'x', ''].join('/')}'`).length, 1)
  assert.deepEqual(
    said('docs/a.md', '~/.local/share/ashlar, /tmp/banana/trace2.log, https://x.org/home/a/b, /workshop/a'),
    [],
  )
  assert.deepEqual(said('package-lock.json', '{\n"resolved": "x"'), ['package-lock.json:2: names a registry'])
})

test('checkHouse() refuses a skip without a reason, and only', () => {
  const bad = [
    "test.skip('a', f)",
    "describe.skip('a', f)",
    "test('a', { skip: true }, f)",
    "test('a', { todo: true }, f)",
    't.skip()',
    "t.skip('')",
    "test.only('a', f)",
    "test('a', { only: true }, f)",
  ]
  for (const text of bad) assert.equal(said('src/a.test.ts', text).length, 1, text)
  const good = [
    "test('a', { skip: 'no root' }, f)",
    "test('a', { skip: isRoot ? false : 'no root' }, f)",
    "t.skip('no root')",
    "// test.skip('a')",
    'list.skip(5)',
  ]
  for (const text of good) assert.deepEqual(said('src/a.test.ts', text), [], text)
  assert.deepEqual(said('src/a.ts', 't.skip()'), [])
})
