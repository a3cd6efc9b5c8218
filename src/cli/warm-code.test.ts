import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { runWarm } from './warm-code.ts'

const program = `
const { basename } = require('node:path')
function called() { return 'one' }
globalThis.warmCodeSaid = [called(), basename(__filename), basename(__dirname)]
`

let folder: string
let kept: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ashlar-warm-'))
  kept = join(folder, 'kept')
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

let starts = 0

/** As a process of its own would: V8 knows scripts of this process by their names. */
function run(source = program) {
  return runIn(kept, source)
}

function runIn(into: string | undefined, source = program) {
  const place = join(folder, `start-${++starts}`)
  mkdirSync(place)
  const file = join(place, 'program.cjs')
  writeFileSync(file, source)
  const { isWarm, keep } = runWarm(file, into)
  const [word, name, beside] = (globalThis as unknown as { warmCodeSaid: string[] }).warmCodeSaid
  assert.equal(name, 'program.cjs')
  assert.equal(beside, `start-${starts}`)
  return { isWarm, keep, word }
}

test('runWarm() takes the code that an earlier run kept', () => {
  const first = run()
  assert.deepEqual({ isWarm: first.isWarm, word: first.word }, { isWarm: false, word: 'one' })
  first.keep()
  assert.deepEqual(readdirSync(kept), ['program.cjs.warm'])
  const second = run()
  assert.deepEqual({ isWarm: second.isWarm, word: second.word }, { isWarm: true, word: 'one' })
})

// V8 would look at nothing but its length.
test('runWarm() runs a changed program, not the code of the one before', () => {
  run().keep()
  const changed = run(program.replace('one', 'two'))
  assert.deepEqual({ isWarm: changed.isWarm, word: changed.word }, { isWarm: false, word: 'two' })
})

// As after a power cut: V8 does not look at the bytes that it runs.
test('runWarm() shows V8 no code that was damaged or cut off, and replaces it', () => {
  run().keep()
  const place = join(kept, 'program.cjs.warm')
  const whole = readFileSync(place)
  const flipped = Buffer.from(whole)
  flipped[whole.length - 8] = (whole[whole.length - 8] as number) ^ 1
  for (const bytes of [
    flipped,
    whole.subarray(0, -8),
    Buffer.alloc(whole.length),
    whole.subarray(0, 3),
    Buffer.alloc(0),
  ]) {
    writeFileSync(place, bytes)
    assert.equal(run().isWarm, false)
  }
  run().keep()
  assert.equal(run().isWarm, true)
})

test('runWarm() goes on where nothing can be kept', () => {
  const without = runIn(undefined)
  without.keep()
  assert.equal(without.word, 'one')
  writeFileSync(kept, 'a file where the folder would be')
  const blocked = run()
  blocked.keep()
  assert.deepEqual({ isWarm: blocked.isWarm, word: blocked.word }, { isWarm: false, word: 'one' })
  assert.equal(readFileSync(kept, 'utf8'), 'a file where the folder would be')
})
