import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'

const projectFolder = join(import.meta.dirname, '../..')

/** The one block of `language` in `docs/testing.md`. */
function example(language: string): string {
  const page = readFileSync(join(projectFolder, 'docs/testing.md'), 'utf8')
  const blocks = [...page.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, 'gms'))]
  assert.equal(blocks.length, 1, `${blocks.length} examples in ${language}`)
  return blocks[0]?.[1] as string
}

interface Outcome {
  readonly code: number | null
  readonly output: string
}

/** Runs a program to its end; one that takes longer is killed. */
async function run(command: string, args: readonly string[], extraEnv: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  const { NODE_TEST_CONTEXT: _, ...env } = { ...process.env, ...extraEnv }
  const child = spawn(command, args, { cwd: projectFolder, env, timeout: 60_000 })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8')
    stream.on('data', (text: string) => {
      output += text
    })
  }
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, output }
}

test('the example of docs/testing.md runs as it stands', async (t) => {
  // Inside the project, so that 'ashlar/testing' is found as its users find it.
  const folder = mkdtempSync(join(projectFolder, 'test/docs/.example-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'example.ts')
  writeFileSync(file, example('ts'))
  const { code, output } = await run(process.execPath, [
    '-C',
    'ashlar-source',
    '--disable-warning=ExperimentalWarning',
    file,
  ])
  assert.equal(code, 0, output)
  assert.match(output, /^the example ran$/m)
})

test('the pytest fixture of docs/testing.md runs as it stands', async (t) => {
  if (spawnSync('python3', ['-m', 'pytest', '--version']).status !== 0) {
    t.skip('python3 with pytest is not installed: apt install python3-pytest')
    return
  }
  const folder = mkdtempSync(join(tmpdir(), 'ashlar-pytest-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'test_example.py')
  writeFileSync(file, example('python'))
  const { code, output } = await run('python3', ['-m', 'pytest', '-q', '-p', 'no:cacheprovider', file], {
    ASHLAR: join(projectFolder, 'bin/ashlar'),
  })
  assert.equal(code, 0, output)
  assert.match(output, /1 passed/)
})
