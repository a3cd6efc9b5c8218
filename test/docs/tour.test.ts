/** Runs `docs/tour.md`: each `sh` block in one shell, in order; what it prints is what the `text` block after it says. @module */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { test } from 'node:test'

const projectFolder = join(import.meta.dirname, '..', '..')
const blockEnd = '--- end of block, exit code '

interface Block {
  readonly line: number
  readonly commands: string
  readonly expected: string | undefined
}

test('docs/tour.md does what it says', { timeout: 120_000 }, async () => {
  const blocks = blocksOf(await readFile(join(projectFolder, 'docs/tour.md'), 'utf8'))
  assert.ok(blocks.length >= 7)
  const folder = await mkdtemp(join(tmpdir(), 'ashlar-tour-'))
  const shell = spawn('bash', ['--noprofile', '--norc'], {
    cwd: folder,
    env: { ...process.env, PATH: `${join(projectFolder, 'bin')}${delimiter}${process.env['PATH']}`, LC_ALL: 'C.UTF-8' },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const read = outputOf(shell)
  try {
    shell.stdin?.write('exec 2>&1\n')
    for (const { line, commands, expected } of blocks) {
      shell.stdin?.write(`${commands}\necho "${blockEnd}$?"\n`)
      const { text, exitCode } = await read()
      if (expected !== undefined) compare(text, expected, line)
      assert.equal(exitCode, 0, `the block at line ${line} failed:\n${text}`)
    }
    assert.deepEqual(await readdir(folder), [], 'the tour leaves nothing behind')
  } finally {
    // What the tour started ends with this shell's `kill`, wherever it stopped; `up` ends its servers itself.
    shell.stdin?.end('kill $up 2> /dev/null; wait $up\n')
    await new Promise((resolve) => (shell.exitCode === null ? shell.once('exit', resolve) : resolve(undefined)))
    await rm(folder, { recursive: true, force: true })
  }
})

function blocksOf(page: string): Block[] {
  const blocks: Block[] = []
  for (const match of page.matchAll(/^```sh\n([\s\S]*?)^```\n(?:\n```text\n([\s\S]*?)^```\n)?/gm)) {
    const [, commands = '', expected] = match
    blocks.push({ line: page.slice(0, match.index).split('\n').length, commands, expected })
  }
  return blocks
}

/** @returns reads what one block printed */
function outputOf(shell: ChildProcess): () => Promise<{ readonly text: string; readonly exitCode: number }> {
  let text = ''
  let wake: () => void = () => undefined
  shell.stdout?.on('data', (part) => {
    text += part
    wake()
  })
  shell.once('exit', () => wake())
  return async () => {
    for (;;) {
      const end = new RegExp(`^${blockEnd}(\\d+)\\n`, 'm').exec(text)
      if (end !== null) {
        const block = text.slice(0, end.index)
        text = text.slice(end.index + end[0].length)
        return { text: block, exitCode: Number(end[1]) }
      }
      if (shell.exitCode !== null) throw new Error(`the shell of the tour has ended, after:\n${text}`)
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
  }
}

/** `…` is anything within a line; alone on a line, any lines. */
function compare(text: string, expected: string, line: number): void {
  const pattern = expected
    .split('\n')
    .map((part) => (part === '…' ? '[\\s\\S]*?' : part.split('…').map(escapePattern).join('[^\\n]*?')))
    .join('\n')
  assert.match(text, new RegExp(`^${pattern}$`), `what the block at line ${line} prints`)
}

function escapePattern(text: string): string {
  return text.replaceAll(/[$()*+.?[\\\]^{|}]/g, '\\$&').replaceAll(/ +/g, ' +')
}
