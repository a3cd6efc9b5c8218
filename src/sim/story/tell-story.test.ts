import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Operation } from '../operations.ts'
import type { Fault, Script } from '../script.ts'
import { type Outcome, simulate } from '../simulate.ts'
import { swarm } from '../swarm.ts'
import { Witness } from '../witness.ts'
import { tellStory } from './tell-story.ts'

async function told(script: Script): Promise<{ readonly outcome: Outcome; readonly lines: readonly string[] }> {
  const witness = new Witness()
  const outcome = await simulate(script, { witness })
  return { outcome, lines: tellStory(script, outcome, { witness }) }
}

const good = swarm(7)
const goodRun = told(good)

/** Writes to a few files while a server is away for so long that the master gives it up. */
const operations = Array.from({ length: 12 }, (_, id): Operation => {
  const common = { id, client: 0, atMs: 200 + 1_500 * id }
  if (id === 0) return { ...common, atMs: 0, kind: 'make-directory', path: '/t', recursive: true }
  if (id === 11) return { ...common, kind: 'read', path: '/t/nothing' }
  return { ...common, kind: 'write', path: `/t/${id}`, content: { seed: id, length: 100 } }
})
const kill: Fault = { kind: 'kill', id: 0, atMs: 3_060, durationMs: 9_000, host: 'chunkserver-3' }
const bad: Script = {
  seed: 5,
  cluster: {
    servers: [{}, {}, {}],
    clients: 1,
    policy: 'replicated-3',
    chunkSizeBytes: 65_536,
    trashKeepMs: 86_400_000,
    deadAfterMs: 4_000,
    buggify: false,
    networkDelayMs: 0.2,
    syncDelayMs: 0.3,
  },
  durationMs: 20_000,
  operations,
  faults: [kill],
}
const badRun = told(bad)

/** Of each text the first line with it; they must come in this order. */
function assertInOrder(lines: readonly string[], texts: readonly RegExp[]): void {
  let from = 0
  for (const text of texts) {
    const at = lines.findIndex((line, index) => index >= from && text.test(line))
    assert.ok(at >= 0, `${text} after line ${from} of\n${lines.join('\n')}`)
    from = at + 1
  }
}

test('tellStory() says what is simulated and promised, then what happened, then the verdict, and where to go on', async () => {
  const { lines, outcome } = await goodRun
  assertInOrder(lines, [
    /THE STORY OF SEED 7/,
    /simulation/,
    /2 clients, a master .* 2 chunk servers/,
    /Nothing breaks/,
    /^Promised/,
    /^Judged by/,
    /^In short: nothing broke, nothing was lost, and every promise was kept/,
    /^How to read/,
    /^--- 0\.0 to /,
    /^--- 60\.0 s: Coming to rest/,
    /at rest/,
    /Another client reads all/,
    /^--- The verdict: every promise was kept/,
    new RegExp(`Hash ${outcome.traceHash}`),
    /ashlar sim --seed \d+ --story {2,}\w/,
  ])
})

test('tellStory() is a few pages, whole lines, and leaves no gap in its words', async () => {
  for (const { lines } of [await goodRun, await badRun]) {
    assert.ok(lines.length <= 120, `${lines.length} lines`)
    for (const line of lines) {
      assert.ok(line.length <= 120, line)
      assert.doesNotMatch(line, /undefined|NaN|\[object|null|\s$|\.\.|Infinity/)
    }
  }
})

test('tellStory() counts each operation once, as done or as refused', async () => {
  const { lines } = await goodRun
  const text = lines.join(' ').replace(/\s+/g, ' ')
  const [, all, done, kinds, refused] =
    /Of (\d+) operations (\d+) were done \(([^)]*)\) and (\d+) refused/.exec(text) ?? []
  assert.equal(Number(all), good.operations.length)
  assert.equal(Number(done) + Number(refused), good.operations.length)
  const sum = [...(kinds ?? '').matchAll(/\d+/g)].reduce((before, [number]) => before + Number(number), 0)
  assert.equal(sum, Number(done))
})

test('tellStory() gives numbers of chunks that add up: what files got, less what is deleted, is what is held', async () => {
  const { lines } = await goodRun
  const text = lines.join(' ').replace(/\s+/g, ' ')
  const sum = (pattern: RegExp) =>
    [...text.matchAll(pattern)].reduce((before, [, number]) => before + Number(number), 0)
  const [, held, left, got, gone, unused] =
    /servers 1 and 2 hold (\d+) chunks each .*? These are (\d+) chunks, each on 2 servers: files got (\d+), and (\d+) of trash that was emptied are deleted\. Not among them: (\d+) chunks sent in vain/
      .exec(text)
      ?.map(Number) ?? []
  assert.equal(held, left)
  assert.equal(Number(got) - Number(gone), left)
  assert.equal(sum(/(\d+) new chunks? went/g), got)
  assert.equal(sum(/(\d+) chunks? of trash that was emptied/g), Number(gone))
  assert.ok(Number(unused) > 0)
  assert.equal(sum(/Deleted: [^.]*?(\d+) chunks? sent in vain/g), unused)
})

test('tellStory() tells every change of a good day with its version, and all that is read back', async () => {
  const { lines, outcome } = await goodRun
  const text = lines.join(' ').replace(/\s+/g, ' ')
  const made = outcome.history.calls.flatMap(({ step, outcome: end }) =>
    step.kind === 'write' && end.kind === 'ok' ? [end.answer.version] : [],
  )
  assert.ok(made.length > 10)
  for (const version of made) assert.match(text, new RegExp(`v${version}\\b`))
  const back = text.slice(text.indexOf('Another client reads all'))
  const read = outcome.history.calls.filter(({ client, step }) => client === -1 && step.kind === 'read')
  for (const { step } of read) assert.ok('path' in step && back.includes(step.path))
})

test('tellStory() says of each file that is left who wrote it, at a time and with a version that a chapter tells', async () => {
  const { lines } = await goodRun
  const text = lines.join(' ').replace(/\s+/g, ' ')
  const [chapters, back] = text.split('Another client reads all') as [string, string]
  const left = [...back.matchAll(/(\/\S+) \([\d,]+ bytes?, v(\d+), written by client (\d) at ([\d.]+)\)/g)]
  assert.equal(left.length, 2)
  for (const [, path, version, client, at] of left) {
    assert.match(chapters, new RegExp(`${at}-[\\d.]+ (?:\\| )?Client ${client} [^.]*${path}[^.]*v${version}\\)`))
  }
})

test('tellStory() explains what the run has, and nothing else: marks, a version, what is only counted', async () => {
  for (const { lines } of [await goodRun, await badRun]) {
    const body = lines.slice(lines.findIndex((line) => line.startsWith('--- ')))
    const key = lines.slice(0, lines.indexOf(body[0] as string))
    for (const mark of ['*', '=', '>', '|', '!']) {
      const isUsed = body.some((line) => line.slice(16).startsWith(`${mark} `))
      assert.equal(
        key.some((line) => line.startsWith(`  ${mark} `)),
        isUsed,
        mark,
      )
    }
    const version = /v(\d+) is version/.exec(key.join(' '))?.[1]
    assert.match(body.join(' '), new RegExp(`\\bv${version}\\b`))
    const isSummedUp = body.some((line) => /Refused: \d|Found as it was/.test(line))
    assert.equal(/are counted at the end of each chapter/.test(key.join(' ')), isSummedUp)
    for (const [index, line] of body.entries()) {
      const [, from] = /^--- ([\d.]+) to /.exec(line) ?? []
      const [, first] = /^ *([\d.]+)/.exec(body[index + 1] ?? '') ?? []
      if (from !== undefined && first !== undefined) assert.ok(Number(from) <= Number(first), line)
    }
  }
})

test('tellStory() names what broke, what the master did about it, and how the copies came back', async () => {
  const { lines, outcome } = await badRun
  assert.equal(outcome.ok, true, JSON.stringify(outcome.violations))
  assertInOrder(lines, [
    /^--- 0\.0 to 3\.0 s: Quiet work/,
    /^--- 3\.0 to .* s: Chunk server 3 is killed/,
    /^ {2}3\.060 {9}\* Chunk server 3 is killed/,
    /^ {16}= Up again at 12\.\d{3}, after 9\.\d s\./,
    /> The master hears nothing from chunk server 3, and waits/,
    /> The master gives chunk server 3 up for dead/,
    /^ 12\.\d{3} {9}\* Chunk server 3 runs again/,
    /> The master hears chunk server 3 again/,
    /> Chunk server 3 gets \d+ chunks that it lacked/,
    /^--- .* s: Quiet again/,
    /Client 1 reads \/t\/nothing: refused, nothing is there/,
    /servers 1, 2 and 3 hold 10 chunks each \(3,000 bytes in sum/,
  ])
  assert.ok(lines.some((line) => /\d+ chunks are stored without chunk server 3/.test(line)))
  assert.match(lines.join(' '), /1 fault\s+strikes: a bad day/)
  // So few that all are told: nothing is summed up.
  assert.ok(!lines.some((line) => /Refused: \d|Found as it was/.test(line)))
})

test('a run with a witness is the same run', async () => {
  const { outcome } = await badRun
  assert.equal((await simulate(bad)).traceHash, outcome.traceHash)
})

test('tellStory() marks the operation at which a promise was broken, and names the promise', async () => {
  const { outcome } = await badRun
  const violations = [{ oracle: 'order', text: 'operation 11 was told what cannot be', operations: [11] }] as const
  const lines = tellStory(bad, { ...outcome, ok: false, violations })
  assertInOrder(lines, [
    /! here a promise was broken/,
    /! Operation 11: client 1 reads \/t\/nothing/,
    /^--- The verdict: a promise was broken/,
    /^- One order of all operations.*\(order\)/,
    /cannot be\.$/,
    /ashlar sim --seed 5 --shrink/,
  ])
  assert.equal(lines.filter((line) => /^.{16}! /.test(line)).length, 1)
  assert.ok(!lines.some((line) => line.includes('every promise was kept')))
})

test('tellStory() of what is left of a seed, or in brief, leaves out what is no help there', async () => {
  const { outcome } = await badRun
  const shrunk = tellStory(bad, outcome, { isShrunk: true })
  assert.match(shrunk[0] as string, /WHAT IS LEFT OF SEED 5/)
  const brief = tellStory(bad, outcome, { isBrief: true })
  for (const lines of [shrunk, brief]) assert.ok(!lines.some((line) => line.includes('Other days')))
  assert.ok(!brief.some((line) => line.includes('Promised')))
  assert.ok(brief.some((line) => line.includes('Chunk server 3 is killed')))
})
