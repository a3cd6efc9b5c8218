/**
 * The JavaScript of the package: its doors and programs in a few files instead of four hundred. Part of `npm run build`.
 *
 * `ashlar up`, its servers, and the verbs that are typed often, are programs of one file in CommonJS, which are started with the code
 * that earlier runs of them compiled (`src/cli/warm-code.ts`); all verbs together are modules: a start reads a dozen, and finds its
 * packages where npm installs them. The doors for programs of others are bundled at once: an `AshlarError` of one is one of the other.
 *
 *     node tools/bundle.ts [folder, default: dist]
 *
 * @module
 */
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { type BuildOptions, build, type PluginBuild, transform } from 'esbuild'
import { verbFamilies } from '../src/cli/verb-families.ts'

const root = join(import.meta.dirname, '..')
/** The file of the threads of `src/env/node-hashes.ts`, which it looks for beside itself. */
const hashThread = 'src/env/hash-thread.ts'

const shared: readonly Shared[] = [
  { folder: 'shared', doors: { 'client/index': 'src/client/index.ts', 'testing/index': 'src/testing/index.ts' } },
  { folder: 'cli', doors: { 'cli/main': 'src/cli/main.ts' } },
]

/** Modules that are cut into files by who needs what. */
interface Shared {
  /** Of what the doors share. */
  readonly folder: string
  /** As `package.json` and `bin/ashlar` name them. */
  readonly doors: Readonly<Record<string, string>>
}

/** The loader of `@node-rs/crc32` looks for the C library and for files under several names, 3 ms of CPU in each process: only if it must. */
const crcLoader = `
  const tryFirst = '@node-rs/crc32-' + process.platform + '-' + process.arch + '-gnu'
  const otherwise = '@node-rs/crc32'
  try { module.exports = require(tryFirst) } catch { module.exports = require(otherwise) }`

/** Of `ashlar up`; `src/cli/up/child-process.ts` looks for them beside the command line. */
const servers = ['master', 'chunkserver', 'gateway']

const common: BuildOptions = {
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  target: 'node24',
  logLevel: 'warning',
}

/** @param folder as deep below the package as `dist`: the version is read from `package.json` by its place */
export async function bundle(folder: string): Promise<void> {
  for (const each of shared) {
    await build({
      ...common,
      entryPoints: { ...each.doors, [`${each.folder}/hash-thread`]: hashThread },
      packages: 'external',
      outdir: folder,
      chunkNames: `${each.folder}/[name]-[hash]`,
      splitting: true,
      format: 'esm',
    })
  }
  await script(join(folder, 'cli/hash-thread.cjs'), { entryPoints: [hashThread] })
  for (const server of servers) {
    await program(folder, { name: server, from: `src/cli/up/${server}-child.ts` })
    await starter(folder, { name: `${server}-child`, start: `startWarm(__dirname + '/${server}-program.cjs')` })
  }
  await program(folder, { name: 'verb', from: 'src/cli/main.ts', external: ['./all-verbs.ts'] })
  // Its servers wait for it, and all verbs are ten times as much to read.
  const otherVerbs = ['./all-verbs.ts', './servers/server-verbs.ts', './s3/s3-verbs.ts', './verbs/*']
  await program(folder, { name: 'up', from: 'src/cli/main.ts', external: otherVerbs })
  // Each verb calls code of its own; of all that begins with `s3` a door is another thing than a question.
  const verbs = verbFamilies.flatMap((family) => family.verbs)
  const start = `const [, , verb, next] = process.argv
    if (!${JSON.stringify(verbs)}.includes(verb)) import('./main.js')
    else if (verb === 'up') startWarm(__dirname + '/up-program.cjs')
    else startWarm(__dirname + '/verb-program.cjs', verb === 's3' && next === 'serve' ? 's3-serve' : verb)`
  await starter(folder, { name: 'main', start, external: ['./main.js'] })
}

async function program(
  folder: string,
  { name, from, external }: { readonly name: string; readonly from: string; readonly external?: string[] },
): Promise<void> {
  await script(join(folder, `cli/${name}-program.cjs`), { entryPoints: [from], ...(external && { external }) })
}

/** @param start what the file does with `startWarm()` */
async function starter(
  folder: string,
  { name, start, external }: { readonly name: string; readonly start: string; readonly external?: string[] },
): Promise<void> {
  const contents = `import { startWarm } from './src/cli/warm-code.ts'\n${start}`
  const outfile = join(folder, `cli/${name}.cjs`)
  await script(outfile, { stdin: { contents, resolveDir: root }, ...(external && { external }) })
}

function replaceCrcLoader({ onResolve, onLoad }: PluginBuild): void {
  onResolve({ filter: /^@node-rs\/crc32$/ }, ({ path }) => ({ path, namespace: 'crc' }))
  onLoad({ filter: /./, namespace: 'crc' }, () => ({ contents: crcLoader }))
}

/** One file of CommonJS, with the packages that a start would look for: commander alone took 7 ms of CPU. What is native stays outside. */
async function script(outfile: string, { external = [], ...from }: BuildOptions): Promise<void> {
  await build({
    ...common,
    ...from,
    external,
    plugins: [{ name: 'crc', setup: replaceCrcLoader }],
    outfile,
    format: 'cjs',
    define: {
      'import.meta.url': 'importMetaUrl',
      'import.meta.dirname': '__dirname',
      'import.meta.filename': '__filename',
    },
    banner: { js: "const importMetaUrl = require('node:url').pathToFileURL(__filename).href" },
  })
  // It is read as one byte a character: more may only stand in comments.
  const { code } = await transform(await readFile(outfile, 'utf8'), { minifyWhitespace: true, legalComments: 'none' })
  if (/[^\0-\x7f]/.test(code)) throw new Error(`Cannot bundle ${outfile}: its code is more than ASCII`)
}

if (import.meta.main) await bundle(resolve(process.argv[2] ?? join(root, 'dist')))
