/**
 * The JavaScript of the package: its doors, and what they share in a few files instead of four hundred. Part of `npm run build`.
 *
 * A start then reads, resolves and links a dozen modules: `ashlar up` costs 0.9 s of CPU over its six processes, and 1.5 s from
 * the sources. Packages stay outside (npm installs them). All doors are bundled at once, so that what they share exists once: an
 * `AshlarError` of one door is one of the other.
 *
 *     node tools/bundle.ts [folder, default: dist]
 *
 * @module
 */
import { join, resolve } from 'node:path'
import { build } from 'esbuild'

const root = join(import.meta.dirname, '..')
/** The doors as `package.json` and `bin/ashlar` name them; and the file of the threads of `src/env/node-hashes.ts`, which it looks for beside itself. */
const entryPoints = {
  'cli/main': 'src/cli/main.ts',
  'client/index': 'src/client/index.ts',
  'testing/index': 'src/testing/index.ts',
  'shared/hash-thread': 'src/env/hash-thread.ts',
}

/** @param folder as deep below the package as `dist`: the version is read from `package.json` by its place */
export async function bundle(folder: string): Promise<void> {
  await build({
    entryPoints,
    absWorkingDir: root,
    outdir: folder,
    chunkNames: 'shared/[name]-[hash]',
    bundle: true,
    splitting: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node24',
    logLevel: 'warning',
  })
}

if (import.meta.main) await bundle(resolve(process.argv[2] ?? join(root, 'dist')))
