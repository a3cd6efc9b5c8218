/**
 * The JavaScript of the package: its doors and programs in a few files instead of four hundred. Part of `npm run build`.
 *
 * A start then reads, resolves and links a dozen modules. What is bundled together is cut into files by who needs what, so each
 * program is bundled by itself: a chunk server loads 7 files, and loaded 42 when all shared theirs; `ashlar up` costs 1.1 s of CPU over
 * its six processes instead of 1.25 (from the sources 1.9). The doors for programs of others are bundled at once: an `AshlarError` of one
 * is one of the other. Packages stay outside (npm installs them).
 *
 *     node tools/bundle.ts [folder, default: dist]
 *
 * @module
 */
import { join, resolve } from 'node:path'
import { build } from 'esbuild'

const root = join(import.meta.dirname, '..')
/** The file of the threads of `src/env/node-hashes.ts`, which it looks for beside itself. */
const hashThread = 'src/env/hash-thread.ts'

const programs: readonly Program[] = [
  { folder: 'shared', doors: { 'client/index': 'src/client/index.ts', 'testing/index': 'src/testing/index.ts' } },
  { folder: 'cli', doors: { 'cli/main': 'src/cli/main.ts' } },
  {
    folder: 'cli',
    doors: {
      'cli/master-child': 'src/cli/up/master-child.ts',
      'cli/chunkserver-child': 'src/cli/up/chunkserver-child.ts',
      'cli/gateway-child': 'src/cli/up/gateway-child.ts',
    },
  },
]

interface Program {
  /** Of what its doors share. */
  readonly folder: string
  /** As `package.json`, `bin/ashlar` and `src/cli/up/child-process.ts` name them. */
  readonly doors: Readonly<Record<string, string>>
}

/** @param folder as deep below the package as `dist`: the version is read from `package.json` by its place */
export async function bundle(folder: string): Promise<void> {
  for (const program of programs) {
    await build({
      entryPoints: { ...program.doors, [`${program.folder}/hash-thread`]: hashThread },
      absWorkingDir: root,
      outdir: folder,
      chunkNames: `${program.folder}/[name]-[hash]`,
      bundle: true,
      splitting: true,
      packages: 'external',
      platform: 'node',
      format: 'esm',
      target: 'node24',
      logLevel: 'warning',
    })
  }
}

if (import.meta.main) await bundle(resolve(process.argv[2] ?? join(root, 'dist')))
