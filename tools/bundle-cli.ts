/**
 * The last step of `npm run build`: the command line of the package as a few files instead of four hundred.
 *
 * A start then reads, resolves and links a dozen modules: `ashlar up` costs 0.9 s of CPU over its six processes, and 1.5 s
 * from the sources. Packages stay outside (npm installs them), and so does everything that is imported as a library.
 * Invariants: the bundle is made from what the compiler just wrote; a file that starts a thread from a URL beside itself finds it there.
 * @module
 */
import { rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { build } from 'esbuild'

const dist = join(import.meta.dirname, '..', 'dist')
const outdir = join(dist, 'bundle')

const { metafile } = await build({
  // Each is started by its own path: the program, and the thread of src/env/node-hashes.ts.
  entryPoints: [join(dist, 'cli/main.js'), join(dist, 'env/hash-thread.js')],
  entryNames: '[name]',
  chunkNames: '[name]-[hash]',
  outdir,
  bundle: true,
  splitting: true,
  packages: 'external',
  platform: 'node',
  format: 'esm',
  target: 'node24',
  metafile: true,
  logLevel: 'warning',
})
await rm(join(dist, 'cli'), { recursive: true })
await rename(outdir, join(dist, 'cli'))
console.log(`Bundled the command line: ${Object.keys(metafile.outputs).length} files.`)
