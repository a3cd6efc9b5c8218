/** The README and the pages beside it: their commands and examples run, their links lead somewhere, their tests exist. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { copyFileSync, existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { test } from 'node:test'
import { blocksOf, commandsOf, end, outcomeOf, PageShell, projectFolder } from './shell-page.ts'

const read = (path: string) => readFileSync(join(projectFolder, path), 'utf8')
const scripts = (JSON.parse(read('package.json')) as { readonly scripts: Record<string, string> }).scripts
const pages = ['README.md', 'ARCHITECTURE.md', ...globSync('docs/**/*.md', { cwd: projectFolder })]

interface Started {
  readonly shell: PageShell
  readonly folder: string
  readonly clusterPath: string
}

/** `ashlar up --temp`, and a shell whose commands use it. */
async function withCluster(work: (started: Started) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'ashlar-readme-'))
  const up = spawn(join(projectFolder, 'bin/ashlar'), ['up', '--temp', '--json'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  try {
    const line = await new Promise<string>((resolve, reject) => {
      up.stdout.once('data', (part) => resolve(String(part)))
      up.once('exit', (code) => reject(new Error(`ashlar up exited with ${code}`)))
    })
    const clusterPath = (JSON.parse(line) as { readonly cluster: string }).cluster
    await work({ shell: new PageShell(projectFolder, { ASHLAR_CLUSTER: clusterPath }), folder, clusterPath })
  } finally {
    await end(up)
    rmSync(folder, { recursive: true, force: true })
  }
}

test('README.md has at most 120 lines, and its first command is what `npm start` runs', () => {
  assert.ok(read('README.md').split('\n').length <= 121)
  assert.match(blocksOf('README.md', 'sh')[0] as string, /^npm ci && npm start\b/m)
  assert.equal(scripts['start'], 'bin/ashlar up')
})

test('README.md: the commands of the second terminal work as they stand', async () => {
  const commands = commandsOf(blocksOf('README.md', 'sh')[1] as string)
  assert.ok(commands.length >= 6)
  await withCluster(async ({ shell }) => {
    const printed = new Map<string, string>()
    for (const command of commands) printed.set(command, await shell.run(command))
    assert.equal(printed.get('bin/ashlar cat /docs/readme.md'), read('README.md'))
    assert.equal(printed.get('bin/ashlar ls /docs')?.trim(), 'readme.md')
    assert.equal((await shell.run('bin/ashlar cat /pages/faults.md')).length, read('docs/faults.md').length)
  })
})

test('README.md: the cluster for tests in other languages says in one line that it is ready, and deletes its data', async () => {
  assert.match(read('README.md'), /`bin\/ashlar up --temp --json`/)
  let clusterPath = ''
  await withCluster(async (started) => {
    clusterPath = started.clusterPath
    assert.ok(existsSync(clusterPath))
  })
  assert.ok(!existsSync(dirname(clusterPath)))
})

test('README.md: both code examples run, and print what they should', async () => {
  const [program, inTest, ...others] = blocksOf('README.md', 'ts') as [string, string, ...string[]]
  assert.deepEqual(others, [])
  await withCluster(async ({ folder, clusterPath }) => {
    const dataFolder = join(folder, '.local/share/ashlar')
    mkdirSync(dataFolder, { recursive: true })
    copyFileSync(clusterPath, join(dataFolder, 'cluster.json'))
    assert.deepEqual(await runExample(program, { HOME: folder }), { text: 'world\n', exitCode: 0 })
  })
  assert.deepEqual(await runExample(inTest), { text: 'world\n', exitCode: 0 })
})

test('README.md: the commands for working on it exist', () => {
  for (const command of commandsOf(blocksOf('README.md', 'sh')[2] as string)) {
    const script = /^npm (?:run )?(\w+)$/.exec(command)?.[1]
    assert.ok(script === undefined ? existsSync(join(projectFolder, command)) : script in scripts, command)
  }
})

test('docs/durability.md: the commands on trash work, and the tools of its tests take the options named', async () => {
  const [trash = '', tools = ''] = blocksOf('docs/durability.md', 'sh')
  await withCluster(async ({ shell }) => {
    for (const command of commandsOf(trash)) {
      const text = await shell.run(command)
      if (command.includes(' cat ')) assert.equal(text, 'second')
    }
    assert.match(await shell.run('bin/ashlar trash list'), /^\s*$|empty/i)
  })
  for (const command of commandsOf(tools)) {
    const file = command.split(' ').find((word) => word.endsWith('.ts')) as string
    for (const [, option] of command.matchAll(/--(\w+)/g)) assert.match(read(file), new RegExp(`${option}: \\{ type`))
  }
})

// Every machine of the page is an address of this one, and every disk a folder.
test('docs/operations.md: its commands run, from the first server to the replaced one', {
  skip: process.platform !== 'linux' && 'needs the loopback addresses of Linux',
  timeout: 120_000,
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ashlar-operations-'))
  const network = `127.${20 + (process.pid % 200)}.${Math.floor(process.pid / 200) % 250}`
  const here = (command: string) =>
    command
      .replaceAll('10.0.0.', `${network}.`)
      .replaceAll(/(?<=\s|\(|=|')\/(srv|disk\d)(?=\/)/g, `${folder}/$1`)
      .replaceAll('bin/ashlar', join(projectFolder, 'bin/ashlar'))
      .replaceAll('4TiB', '64MiB')
  const shell = new PageShell(folder)
  try {
    for (const command of commandsOf(blocksOf('docs/operations.md', 'sh').join('\n'))) {
      if (command.startsWith('scp ')) continue
      // What the section is about: the server of this disk is gone, and its data too.
      if (command.startsWith('rm /disk3')) {
        await end(shell.servers[3] as (typeof shell.servers)[number], 'SIGKILL')
        rmSync(join(folder, 'disk3/ashlar'), { recursive: true })
      }
      const isServer = /^bin\/ashlar (master|chunkserver) /.test(command)
      const text = isServer ? await shell.serve(here(command)).then(() => '') : await shell.run(here(command))
      if (command.startsWith('kill ')) await new Promise((resolve) => shell.servers[0]?.once('exit', resolve))
      if (command === 'bin/ashlar cat /hello') assert.equal(text, 'hello')
      if (command.startsWith('curl ')) assert.equal(JSON.parse(text).serversUp, 4)
      if (command.includes('stat --chunks')) assert.equal(text.match(/ ok$/gm)?.length, 3)
    }
  } finally {
    await shell.close()
    rmSync(folder, { recursive: true, force: true })
  }
})

test('every link of the README and of docs/ leads to a file, and to a heading where it names one', () => {
  const broken: string[] = []
  for (const page of pages) {
    for (const [, target = ''] of read(page).matchAll(/\]\((?!https?:)([^)\s]+)\)/g)) {
      const [path = '', heading] = target.split('#')
      const file = path === '' ? page : relative('.', join(dirname(page), path))
      const isThere = existsSync(join(projectFolder, file))
      if (!isThere || (heading !== undefined && !headingsOf(file).includes(heading))) broken.push(`${page}: ${target}`)
    }
  }
  assert.deepEqual(broken, [])
})

test('docs/formats/README.md names every page of its folder', () => {
  const index = read('docs/formats/README.md')
  for (const page of globSync('*.md', { cwd: join(projectFolder, 'docs/formats') })) {
    if (page !== 'README.md') assert.ok(index.includes(`](${page})`), page)
  }
})

/** As a program of the reader's: on the sources, in the project's folder. */
async function runExample(code: string, env: Record<string, string> = {}) {
  const args = ['-C', 'ashlar-source', '--input-type=module-typescript', '--eval', code]
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', ...args], {
    cwd: projectFolder,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  return await outcomeOf(child)
}

/** As GitHub makes them. */
function headingsOf(file: string): string[] {
  return [...read(file).matchAll(/^#+ (.+)$/gm)].map(([, text = '']) =>
    text
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} -]/gu, '')
      .replaceAll(' ', '-'),
  )
}
