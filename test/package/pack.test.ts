/**
 * What users install: the packed project, in a project of its own, without this repository around it.
 */
import assert from 'node:assert/strict'
import { execFile, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'

const run = promisify(execFile)
const root = join(import.meta.dirname, '../..')
const version: string = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version
const npmOptions = [
  '--no-audit',
  '--no-fund',
  '--loglevel=error',
  '--prefer-offline',
  '--fetch-retries=1',
  '--fetch-timeout=20000',
]
const offlineErrors = /ENOTFOUND|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EAI_AGAIN|ENOTCACHED|network/i

let folder: string
let project: string
/** Why nothing could be installed, when the registry does not answer. */
let offline: string | undefined

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ashlar-pack-'))
  project = join(folder, 'a project')
  mkdirSync(project)
  writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'user', private: true, type: 'module' }))
  const packed = await npm(root, 'pack', '--json', `--pack-destination=${folder}`)
  const tarball = join(folder, `ashlar-${version}.tgz`)
  assert.ok(existsSync(tarball), packed.stdout)
  try {
    await npm(project, 'install', ...npmOptions, tarball)
  } catch (error) {
    const said = String((error as { stderr?: string }).stderr ?? error)
    if (!offlineErrors.test(said)) throw error
    offline = `the npm registry does not answer: ${said.split('\n')[0]}`
  }
})

after(() => rmSync(folder, { recursive: true, force: true }))

/** npm of the system, on the Node of the system: as a user runs it. */
function npm(cwd: string, ...args: string[]) {
  return run('npm', args, { cwd, env: cleanEnv(), maxBuffer: 64 * 2 ** 20, timeout: 170_000 })
}

/** Without what `npm test` and the test runner set for their children. */
function cleanEnv(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(npm_(?!config_)|NODE_TEST_CONTEXT|NODE_OPTIONS|NODE_V8_COVERAGE|INIT_CWD)/.test(name),
  )
  return Object.fromEntries(kept)
}

function runInProject(source: string, node = process.execPath) {
  return spawnSync(node, ['--input-type=module', '--eval', source], { cwd: project, encoding: 'utf8', env: cleanEnv() })
}

/** The Node versions of this machine that are too old for us: none, or that of the system. */
function oldNode(): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(':').filter((path) => !path.includes('node_modules'))
  return folders
    .map((path) => join(path, 'node'))
    .find(
      (path) =>
        existsSync(path) &&
        Number.parseInt(spawnSync(path, ['--version'], { encoding: 'utf8' }).stdout.slice(1), 10) < 24,
    )
}

test('the package holds the build, the docs and the licence, and neither sources nor tests', (t) => {
  if (offline !== undefined) return t.skip(offline)
  const installed = join(project, 'node_modules/ashlar')
  for (const path of [
    'bin/ashlar',
    'dist/client/index.js',
    'dist/client/index.d.ts',
    'dist/testing/index.js',
    'dist/cli/main.cjs',
    'dist/cli/main.js',
    'dist/cli/verb-program.cjs',
    'dist/cli/up-program.cjs',
    'dist/cli/master-child.cjs',
    'dist/cli/master-program.cjs',
    'dist/cli/chunkserver-child.cjs',
    'dist/cli/chunkserver-program.cjs',
    'dist/cli/gateway-child.cjs',
    'dist/cli/gateway-program.cjs',
    'LICENSE',
    'README.md',
    'docs/errors.md',
  ]) {
    assert.ok(existsSync(join(installed, path)), path)
  }
  for (const path of ['src', 'test', 'tools', 'dist/base/codec.test.js'])
    assert.ok(!existsSync(join(installed, path)), path)
})

test("import 'ashlar' gives the client, as JavaScript", (t) => {
  if (offline !== undefined) return t.skip(offline)
  const { stdout, stderr } = runInProject(
    "const { connect, AshlarError } = await import('ashlar'); console.log(typeof connect, typeof AshlarError)",
  )
  assert.equal(stderr, '')
  assert.equal(stdout, 'function function\n')
})

test("import 'ashlar/testing' starts a cluster that stores and gives back", (t) => {
  if (offline !== undefined) return t.skip(offline)
  const { stdout, stderr } = runInProject(`
    const { startCluster } = await import('ashlar/testing')
    const cluster = await startCluster()
    await cluster.client.writeFile('/hello', 'world')
    console.log(await cluster.client.readFile('/hello', 'utf8'))
    await cluster[Symbol.asyncDispose]()`)
  assert.equal(stderr, '')
  assert.equal(stdout, 'world\n')
})

test('the package compiles in a strict TypeScript project', async (t) => {
  if (offline !== undefined) return t.skip(offline)
  writeFileSync(
    join(project, 'user.ts'),
    "import { AshlarError, type AshlarClient, connect } from 'ashlar'\nimport { startCluster } from 'ashlar/testing'\n" +
      'export const a: Promise<AshlarClient> = connect()\nexport const b = startCluster\nexport const c: Error = new AshlarError("busy", "x")\n',
  )
  const options = [
    '--noEmit',
    '--strict',
    '--module',
    'nodenext',
    '--target',
    'es2024',
    '--lib',
    'es2024,esnext.disposable',
  ]
  const types = ['--types', 'node', '--typeRoots', join(root, 'node_modules/@types')]
  const tsc = join(root, 'node_modules/typescript/bin/tsc')
  const { status, stdout } = spawnSync(process.execPath, [tsc, ...options, ...types, 'user.ts'], {
    cwd: project,
    encoding: 'utf8',
  })
  assert.equal(stdout, '')
  assert.equal(status, 0)
})

test('ashlar version runs from .bin, on a Node that is new enough', (t) => {
  if (offline !== undefined) return t.skip(offline)
  const path = `${join(process.execPath, '..')}:${process.env['PATH']}`
  const { status, stdout, stderr } = spawnSync(join(project, 'node_modules/.bin/ashlar'), ['version'], {
    cwd: folder,
    encoding: 'utf8',
    env: { ...cleanEnv(), PATH: path },
  })
  assert.equal(stderr, '')
  assert.match(stdout, new RegExp(`\\b${version.replaceAll('.', '\\.')}\\b`))
  assert.equal(status, 0)
})

test('ashlar up of the package stores, and its programs keep the code that they ran', async (t) => {
  if (offline !== undefined) return t.skip(offline)
  const ashlar = join(project, 'node_modules/.bin/ashlar')
  const cache = join(folder, 'cache')
  const env: NodeJS.ProcessEnv = { ...cleanEnv(), PATH: `${join(process.execPath, '..')}:${process.env['PATH']}` }
  env['XDG_CACHE_HOME'] = cache
  delete env['NODE_COMPILE_CACHE']
  const up = spawn(ashlar, ['up', '--temp', '--port', '0', '--s3-port', '0', '--json'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env,
  })
  const exited = once(up, 'exit')
  try {
    const [line] = await Promise.race([once(createInterface({ input: up.stdout }), 'line'), exited])
    const { cluster } = JSON.parse(String(line))
    const put = spawnSync(ashlar, ['put', '--text', 'hello', '/hello', '--cluster', cluster], { encoding: 'utf8', env })
    assert.deepEqual({ status: put.status, stderr: put.stderr }, { status: 0, stderr: '' })
    const cat = spawnSync(ashlar, ['cat', '/hello', '--cluster', cluster], { encoding: 'utf8', env })
    assert.equal(cat.stdout, 'hello')
  } finally {
    up.kill('SIGTERM')
  }
  assert.deepEqual(await exited, [0, null])
  const kept = readdirSync(cache, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.warm'))
  assert.deepEqual(kept.map((path) => basename(path)).sort(), [
    'chunkserver-program.cjs.all.warm',
    'gateway-program.cjs.all.warm',
    'master-program.cjs.all.warm',
    'up-program.cjs.all.warm',
    'verb-program.cjs.cat.warm',
    'verb-program.cjs.put.warm',
  ])
})

test('an older Node is told that 24 is needed, by import and by command', (t) => {
  if (offline !== undefined) return t.skip(offline)
  const old = oldNode()
  if (old === undefined) return t.skip('no Node older than 24 is installed here')
  for (const module of ['ashlar', 'ashlar/testing']) {
    const { status, stderr } = runInProject(`await import('${module}')`, old)
    assert.notEqual(status, 0, module)
    assert.match(stderr, /needs Node 24 or newer/, module)
  }
  const command = spawnSync(join(project, 'node_modules/.bin/ashlar'), ['version'], {
    encoding: 'utf8',
    env: { ...cleanEnv(), PATH: `${join(old, '..')}:/usr/bin:/bin` },
  })
  assert.equal(command.status, 1)
  assert.match(command.stderr, /needs Node 24 or newer/)
})
