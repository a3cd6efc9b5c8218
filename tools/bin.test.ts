import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'

const script = join(import.meta.dirname, '../bin/ashlar')

/** Stands in for the command line: says how it was started. */
const main = `
const { pid, argv, execArgv, env } = process
console.log(JSON.stringify({ pid, file: argv[1], args: argv.slice(2), execArgv, env }))
if (argv[2] === 'wait') setInterval(() => {}, 1000)
if (argv[2] === 'exit') process.exit(Number(argv[3]))
`

let folder: string
let root: string

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'ashlar bin ')))
  root = join(folder, 'a project')
  for (const name of ['bin', 'src/cli', 'dist/cli', 'node_modules/node/bin'])
    mkdirSync(join(root, name), { recursive: true })
  copyFileSync(script, join(root, 'bin/ashlar'))
  writeFileSync(join(root, 'package.json'), '{ "type": "module" }')
  writeFileSync(join(root, 'src/cli/main.ts'), main)
  writeFileSync(join(root, 'dist/cli/main.cjs'), main)
  symlinkSync(process.execPath, join(root, 'node_modules/node/bin/node'))
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

interface Run {
  readonly command?: string
  readonly args?: readonly string[]
  readonly env?: NodeJS.ProcessEnv
}

function run({ command = join(root, 'bin/ashlar'), args = [], env = {} }: Run = {}) {
  const result = spawnSync(command, args, {
    cwd: '/',
    encoding: 'utf8',
    env: { PATH: env.PATH ?? systemPath(), HOME: folder, ...env },
  })
  return { ...result, said: () => JSON.parse(result.stdout) }
}

/** The system's tools (readlink, dirname), and none of its Nodes. */
function systemPath(node?: string): string {
  const bin = join(folder, 'tools')
  mkdirSync(bin, { recursive: true })
  rmSync(join(bin, 'node'), { force: true })
  for (const tool of ['readlink', 'sh']) {
    const found = spawnSync('sh', ['-c', `command -v ${tool}`], { encoding: 'utf8' }).stdout.trim()
    rmSync(join(bin, tool), { force: true })
    symlinkSync(found, join(bin, tool))
  }
  if (node !== undefined) symlinkSync(node, join(bin, 'node'))
  return bin
}

function fakeNode(version: string): string {
  const path = join(folder, `node-${version}`)
  writeFileSync(path, `#!/bin/sh\necho ${version}\n`)
  chmodSync(path, 0o755)
  return path
}

test('bin/ashlar runs the sources with the pinned Node, from another folder, whatever the spaces', () => {
  const old = fakeNode('v20.1.0')
  const { said, stderr } = run({ args: ['put', 'a b', '', '*'], env: { PATH: systemPath(old) } })
  assert.equal(stderr, '')
  assert.equal(said().file, join(root, 'src/cli/main.ts'))
  assert.deepEqual(said().args, ['put', 'a b', '', '*'])
  assert.deepEqual(said().execArgv, ['--disable-warning=ExperimentalWarning', '--max-semi-space-size=8'])
})

test('bin/ashlar finds its project through chains of absolute and relative links', () => {
  mkdirSync(join(folder, 'links'))
  symlinkSync('../a project/bin/ashlar', join(folder, 'links/relative'))
  symlinkSync(join(folder, 'links/relative'), join(folder, 'links/absolute'))
  symlinkSync('links', join(folder, 'linked folder'))
  for (const name of ['links/relative', 'links/absolute', 'linked folder/absolute']) {
    assert.equal(run({ command: join(folder, name) }).said().file, join(root, 'src/cli/main.ts'), name)
  }
})

test('bin/ashlar runs the build where there are no sources', () => {
  rmSync(join(root, 'src'), { recursive: true })
  assert.equal(run().said().file, join(root, 'dist/cli/main.cjs'))
})

test('bin/ashlar takes a hoisted Node, then the one in PATH, if they are new enough', () => {
  rmSync(join(root, 'node_modules'), { recursive: true })
  assert.equal(run({ env: { PATH: systemPath(process.execPath) } }).status, 0)
  const installed = join(folder, 'node_modules/ashlar')
  mkdirSync(join(folder, 'node_modules/node/bin'), { recursive: true })
  mkdirSync(dirname(installed), { recursive: true })
  cpSync(join(root, 'bin'), join(installed, 'bin'), { recursive: true })
  cpSync(join(root, 'dist'), join(installed, 'dist'), { recursive: true })
  const hoisted = join(folder, 'node_modules/node/bin/node')
  symlinkSync(process.execPath, hoisted)
  const command = join(installed, 'bin/ashlar')
  assert.equal(run({ command }).status, 0)
  rmSync(hoisted)
  symlinkSync(fakeNode('v22.0.0'), hoisted)
  assert.equal(run({ command }).status, 1)
  assert.equal(
    run({ command, env: { PATH: systemPath(process.execPath) } }).said().file,
    join(installed, 'dist/cli/main.cjs'),
  )
})

test('bin/ashlar says what to do when Node is too old or missing', () => {
  rmSync(join(root, 'node_modules'), { recursive: true })
  for (const version of ['v20.1.0', 'v9.9.9', 'garbage']) {
    const { status, stderr } = run({ env: { PATH: systemPath(fakeNode(version)) } })
    assert.equal(status, 1)
    assert.match(
      stderr,
      new RegExp(`^Cannot start ashlar: it needs Node 24 or newer, and found ${version}\\.\nInstall`),
    )
  }
  const { status, stderr } = run()
  assert.equal(status, 1)
  assert.match(stderr, /found none\./)
})

test('bin/ashlar gives its pid, signals and exit code to Node', async () => {
  assert.equal(run({ args: ['exit', '4'] }).status, 4)
  const child = spawn(join(root, 'bin/ashlar'), ['wait'], { env: { PATH: systemPath(), HOME: folder } })
  const [line] = await once(child.stdout, 'data')
  assert.equal(JSON.parse(line).pid, child.pid)
  child.kill('SIGTERM')
  assert.deepEqual(await once(child, 'exit'), [null, 'SIGTERM'])
})

test('bin/ashlar sets the compile cache and the thread pool, unless they are set', () => {
  const { env } = run().said()
  assert.equal(env.NODE_COMPILE_CACHE, join(folder, '.cache/ashlar/node'))
  assert.equal(env.UV_THREADPOOL_SIZE, '16')
  assert.equal(env.MALLOC_ARENA_MAX, '2')
  const xdg = run({ env: { XDG_CACHE_HOME: join(folder, 'xdg') } }).said().env
  assert.equal(xdg.NODE_COMPILE_CACHE, join(folder, 'xdg/ashlar/node'))
  const kept = run({
    env: { NODE_COMPILE_CACHE: join(folder, 'own'), UV_THREADPOOL_SIZE: '3', MALLOC_ARENA_MAX: '5' },
  }).said().env
  assert.equal(kept.NODE_COMPILE_CACHE, join(folder, 'own'))
  assert.equal(kept.UV_THREADPOOL_SIZE, '3')
  assert.equal(kept.MALLOC_ARENA_MAX, '5')
})

test('bin/ashlar runs without a home, and with a cache folder that cannot be written', () => {
  const homeless = run({ env: { HOME: undefined } })
  assert.equal(homeless.stderr, '')
  assert.equal(homeless.said().env.NODE_COMPILE_CACHE, undefined)
  writeFileSync(join(folder, 'file'), '')
  const { status, stderr } = run({ env: { XDG_CACHE_HOME: join(folder, 'file') } })
  assert.equal(stderr, '')
  assert.equal(status, 0)
})
