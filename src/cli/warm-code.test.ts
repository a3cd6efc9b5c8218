import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { crc32 } from '../base/crc.ts'
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

function runIn(into: string | undefined, source = program, kind?: string) {
  const place = join(folder, `start-${++starts}`)
  mkdirSync(place)
  const file = join(place, 'program.cjs')
  writeFileSync(file, source)
  const { runs, keep } = runWarm(file, { folder: into, kind })
  const [word, name, beside] = (globalThis as unknown as { warmCodeSaid: string[] }).warmCodeSaid
  assert.equal(name, 'program.cjs')
  assert.equal(beside, `start-${starts}`)
  return { runs, keep, word }
}

test('runWarm() takes the code that earlier runs kept, and counts them', () => {
  for (const runs of [0, 1, 2]) {
    const each = run()
    assert.deepEqual({ runs: each.runs, word: each.word }, { runs, word: 'one' })
    each.keep()
    assert.deepEqual(readdirSync(kept), ['program.cjs.all.warm'])
  }
})

test('runWarm() keeps the code of runs of each kind by itself', () => {
  runIn(kept, program, 'ls').keep()
  assert.equal(runIn(kept, program, 'up').runs, 0)
  assert.equal(runIn(kept, program, 'ls').runs, 1)
})

// V8 would look at nothing but its length.
test('runWarm() runs a changed program, not the code of the one before', () => {
  run().keep()
  const changed = run(program.replace('one', 'two'))
  assert.deepEqual({ runs: changed.runs, word: changed.word }, { runs: 0, word: 'two' })
})

// As after a power cut: V8 does not look at the bytes that it runs.
test('runWarm() shows V8 no code that was damaged or cut off, and replaces it', () => {
  run().keep()
  const place = join(kept, 'program.cjs.all.warm')
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
    assert.equal(run().runs, 0)
  }
  run().keep()
  assert.equal(run().runs, 1)
})

// Flags and versions differ: what V8 refuses is no code of earlier runs.
test('runWarm() counts no runs whose code V8 refuses', () => {
  run().keep()
  const place = join(kept, 'program.cjs.all.warm')
  const bytes = readFileSync(place)
  // The first word of V8's own head names its version and flags; the check is made to hold again.
  bytes[9] = (bytes[9] as number) ^ 1
  bytes.writeUInt32BE(crc32(bytes.subarray(4), crc32(Buffer.from(program))))
  writeFileSync(place, bytes)
  const refused = run()
  assert.deepEqual({ runs: refused.runs, word: refused.word }, { runs: 0, word: 'one' })
})

test('runWarm() goes on where nothing can be kept', () => {
  const without = runIn(undefined)
  without.keep()
  assert.equal(without.word, 'one')
  writeFileSync(kept, 'a file where the folder would be')
  const blocked = run()
  blocked.keep()
  assert.deepEqual({ runs: blocked.runs, word: blocked.word }, { runs: 0, word: 'one' })
  assert.equal(readFileSync(kept, 'utf8'), 'a file where the folder would be')
})
