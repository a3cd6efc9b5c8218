/** What a person sees on a terminal: how far a transfer is, and completion in the shells themselves. */
import assert from 'node:assert/strict'
import { truncate, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { stripVTControlCharacters } from 'node:util'
import { binary, run, type ServerProcess, TemporaryFolder, upTemp } from './cli-process.ts'
import { isMissing, Terminal } from './terminal.ts'

const MiB = 1024 * 1024
const columns = 60

let cluster: ServerProcess
let folder: TemporaryFolder
let env: Readonly<Record<string, string>>

before(async () => {
  folder = await TemporaryFolder.make()
  cluster = await upTemp()
  env = { ASHLAR_CLUSTER: cluster.cluster, PATH: `${dirname(binary)}:${process.env['PATH']}`, HOME: folder.path }
})

after(async () => {
  await cluster[Symbol.asyncDispose]()
  await folder[Symbol.asyncDispose]()
})

describe('progress', { skip: isMissing('script') }, () => {
  test('put shows on a terminal how far it is, how fast and for how long yet, in one line', async () => {
    // More than a client buffers, so that it is on its way while a server stands still.
    await writeFile(folder.in('large'), '')
    await truncate(folder.in('large'), 90 * MiB)
    await writeFile(folder.in('small'), 'small')
    const [server = 0] = cluster.pidsOf('chunkserver')
    process.kill(server, 'SIGSTOP')
    await using terminal = new Terminal(`ashlar put ${folder.in('large')} ${folder.in('small')} /seen/`, {
      env,
      columns,
    })
    try {
      await terminal.shows(/\d+ % {2}[\d.]+ [KM]iB {2}[\d.]+ [KM]iB\/s {2}0 of 2 files {2}\w+ left/)
    } finally {
      process.kill(server, 'SIGCONT')
    }
    assert.equal(await terminal.ended(), 0)
    const lines = terminal.drawn.split('\r').map((line) => stripVTControlCharacters(line).trim())
    assert.deepEqual(
      lines.filter((line) => line.length >= columns),
      [],
    )
    assert.match(lines.filter((line) => line !== '').at(-1) ?? '', /^2 files, 90 MiB in .* \([\d.]+ [KM]iB\/s\)$/)
  })

  test('put of stdin shows how much came and how fast', async () => {
    await using terminal = new Terminal('(head -c 300000 /dev/zero; sleep 1; echo end) | ashlar put - /piped', { env })
    await terminal.shows(/293 KiB {2}[\d.]+ KiB\/s/)
    await terminal.shows(/1 file, 293 KiB in/)
    assert.equal(await terminal.ended(), 0)
  })
})

test('put shows nothing in a pipe', async () => {
  await writeFile(folder.in('quiet'), Buffer.alloc(40 * MiB, 1))
  const put = await run(['put', folder.in('quiet'), '/quiet'], { cluster: cluster.cluster })
  assert.deepEqual(put, { exitCode: 0, stdout: '', stderr: '' })
  const get = await run(['get', '/quiet', folder.in('back')], { cluster: cluster.cluster })
  assert.deepEqual(get, { exitCode: 0, stdout: '', stderr: '' })
})

const shells = [
  { name: 'bash', command: 'bash --norc --noprofile', source: 'source <(ashlar completion bash)' },
  {
    name: 'zsh',
    command: 'zsh -f',
    source: 'autoload -Uz compinit; compinit -u -D; source <(ashlar completion zsh)',
  },
  { name: 'fish', command: 'fish --no-config', source: 'ashlar completion fish | source' },
]

for (const { name, command, source } of shells) {
  const skip = isMissing('script') || isMissing(name)
  test(`completion ${name} completes verbs and remote paths in the shell itself`, { skip }, async () => {
    await run(['put', '--text', `found by ${name}\n`, '/some folder/a:b file'], { cluster: cluster.cluster })
    await using terminal = new Terminal(command, { env })
    // What proves a completion is what the completed line does.
    terminal.type(`${source}\rexpr 40 + 2\r`)
    await terminal.shows(/\D42\r/)
    terminal.type('ashlar versi\t\r')
    await terminal.shows(/\(Node \d/)
    terminal.type('ashlar cat /som\t')
    await terminal.shows(/folder\/?/)
    terminal.type('a:\t\r')
    await terminal.shows(new RegExp(`found by ${name}`))
    terminal.type('exit\r')
    assert.equal(await terminal.ended(), 0)
  })
}
