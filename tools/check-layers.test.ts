import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { checkLayers, layersAsMarkdown } from './check-layers.ts'

/** What the check says of a source tree made of `files`. */
function check(files: Readonly<Record<string, string>>): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'ashlar-layers-'))
  try {
    for (const [path, source] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true })
      writeFileSync(join(folder, path), source)
    }
    return checkLayers(folder).map(({ file, line, why }) => `${file}:${line}: ${why}`)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

test('checkLayers() refuses an import that the table forbids, in every form', () => {
  const target = { 'master/a.ts': 'export const a = 1' }
  const forms = [
    "import { a } from '../master/a.ts'",
    "import type { a } from '../master/a.ts'",
    "export { a } from '../master/a.ts'",
    "export type * from '../master/a.ts'",
    "export const a = import('../master/a.ts')",
    "export type A = import('../master/a.ts').a",
    "import '../master/../master/a.ts'",
  ]
  for (const form of forms) {
    assert.deepEqual(check({ ...target, 'chunkserver/b.ts': `// first line\n${form}` }), [
      'chunkserver/b.ts:2: chunkserver may not import master; it may import base, env, wire, kv, store',
    ])
  }
})

test('checkLayers() allows what the table allows', () => {
  assert.deepEqual(
    check({
      'base/a.ts': "import { createHash } from 'node:crypto'",
      'kv/a.ts': "import '../base/a.ts'\nimport '../env/a.ts'\nimport './b/c.ts'\nimport { X } from 'node:sqlite'",
      'env/a.ts': "import fs from 'node:fs'\nprocess.pid\nsetTimeout(f)\nDate.now()\nrandomBytes(1)",
      'wire/a.ts': "import type { IncomingMessage } from 'node:http'",
      'gateway/s3/a.ts': "import '../shared.ts'\nimport '../../client/a.ts'",
      'gateway/shared.ts': "import '../client/a.ts'",
      'sim/a.ts': "import '../master/a.ts'\nimport '../gateway/s3/a.ts'",
      'cli/main.ts': "import '../sim/a.ts'\nconsole.log(process.argv, new Date())",
    }),
    [],
  )
})

test('checkLayers() keeps doors apart, cli on top, and src/ closed', () => {
  const lines = check({
    'gateway/http/a.ts': "import '../s3/a.ts'",
    'gateway/http/b.ts': "import '../../kv/a.ts'",
    'gateway/shared.ts': "import './s3/a.ts'",
    'testing/a.ts': "import '../cli/main.ts'",
    'sim/a.ts': "import '../../test/model.ts'",
    'sim/b.ts': "import './c.test.ts'",
    'sim/d.ts': "import './e'",
    'extra/a.ts': '',
  })
  assert.deepEqual(lines, [
    'extra/a.ts:1: no folder "extra" is in the table of layers',
    'gateway/http/a.ts:1: gateway/http may not import gateway/s3; it may import base, env, client, gateway',
    'gateway/http/b.ts:1: gateway/http may not import kv; it may import base, env, client, gateway',
    'gateway/shared.ts:1: gateway may not import gateway/s3; it may import base, env, client',
    'sim/a.ts:1: src/ imports nothing that lies outside of it',
    'sim/b.ts:1: a test is not imported',
    'sim/d.ts:1: "sim/e" names no file: relative imports end in .ts',
    'testing/a.ts:1: testing may not import cli',
  ])
})

test('checkLayers() refuses modules of the operating system, packages without a row, and computed imports', () => {
  const modules =
    'fs fs/promises net http https tls dgram dns timers timers/promises worker_threads child_process perf_hooks sqlite module vm os'
  for (const name of modules.split(' ')) {
    for (const target of [name, `node:${name}`]) {
      const [line, ...more] = check({ 'store/a.ts': `import x from '${target}'` })
      assert.match(line ?? '', /is the operating system|has no row/, target)
      assert.deepEqual(more, [])
    }
  }
  assert.match(check({ 'store/a.ts': "import type { X } from 'node:fs'" })[0] ?? '', /operating system/)
  assert.match(check({ 'wire/a.ts': "import { request } from 'node:http'" })[0] ?? '', /operating system/)
  assert.match(check({ 'base/a.ts': "import x from 'left-pad/y'" })[0] ?? '', /package "left-pad" has no row/)
  assert.match(check({ 'wire/a.ts': "import x from '@node-rs/crc32'" })[0] ?? '', /belongs to base/)
  assert.match(check({ 'base/a.ts': "import x from 'file:///x'" })[0] ?? '', /not a relative import/)
  assert.match(check({ 'base/a.ts': 'import(x)' })[0] ?? '', /computed import/)
})

test('checkLayers() refuses each global of the operating system outside of env and cli', () => {
  const uses = [
    'Date.now()',
    'Date?.now()',
    'new Date()',
    'new Date',
    'Date()',
    'const clock = Date',
    'setTimeout(f, 1)',
    'setInterval(f, 1)',
    'setImmediate(f)',
    'const later = setTimeout',
    'Math.random()',
    'const { random } = Math',
    "Math['random']()",
    'performance.now()',
    'AbortSignal.timeout(5)',
    'const { timeout } = AbortSignal',
    'new WeakRef(x)',
    "import { randomBytes } from 'node:crypto'",
    'crypto.randomUUID()',
    'crypto.randomInt(5)',
    'crypto.webcrypto',
    'crypto.getRandomValues(x)',
    'process.env.HOME',
    'const { env } = process',
    'process.exit(1)',
    'console.log(1)',
    'globalThis.setTimeout(f)',
    'fetch(x)',
    '`${Date.now()}`',
    'x ? performance : y',
  ]
  for (const use of uses) {
    const lines = check({ 'master/a.ts': use })
    assert.equal(lines.length, 1, `${use}: ${lines}`)
  }
})

test('checkLayers() leaves conversions, members, keys, comments and tests alone', () => {
  const innocent = [
    'new Date(row.modifiedMs).toISOString()',
    'Date.UTC(2024, 1)',
    'let a: Date | undefined',
    'x instanceof Date',
    'queueMicrotask(f)',
    'Math.floor(1)',
    'new AbortController().signal as AbortSignal',
    'AbortSignal.any([a])',
    'api.fetch(x)',
    'const fetch = earlier.then(f)\nreturn fetch',
    'class Worker {}\nnew Worker()',
    'timers?.setTimeout(f)',
    'const a = { process: 1, fetch: 2 }',
    'interface A { readonly performance?: number }',
    '// setTimeout(f)\n/** Date.now() */',
    "throw new Error('process.exit')",
  ]
  for (const source of innocent) assert.deepEqual(check({ 'master/a.ts': source }), [], source)
  const test = "import fs from 'node:fs'\nimport fc from 'fast-check'\nimport '../env/a.ts'\nsetTimeout(f)"
  assert.deepEqual(check({ 'namespace/a.test.ts': test }), [])
  assert.deepEqual(check({ 'namespace/a.test.ts': "import '../cli/main.ts'" }), [
    'namespace/a.test.ts:1: namespace may not import cli',
  ])
})

test('checkLayers() keeps the command line out of env', () => {
  for (const use of ['process.env.X', 'process.argv', 'process.exit()', 'process.stdout', 'console.log()']) {
    assert.equal(check({ 'env/a.ts': use }).length, 1, use)
  }
})

test('checkLayers() finds import cycles, through type-only imports too', () => {
  const lines = check({
    'base/a.ts': "import './b.ts'",
    'base/b.ts': "import type { C } from './c.ts'",
    'base/c.ts': "\nexport * from './a.ts'",
    'base/d.ts': "import './a.ts'\nimport './b.ts'",
    'base/e.ts': "import './e.ts'",
  })
  assert.deepEqual(lines, [
    'base/c.ts:2: import cycle: base/a.ts → base/b.ts → base/c.ts → base/a.ts',
    'base/e.ts:1: import cycle: base/e.ts → base/e.ts',
  ])
})

test('layersAsMarkdown() has a row for each folder', () => {
  const table = layersAsMarkdown()
  assert.match(table, /^\| base \| — \|$/m)
  assert.match(table, /^\| gateway\/\* \| base, env, client, gateway \|$/m)
  assert.match(table, /^\| testing \| everything but cli \|$/m)
})
