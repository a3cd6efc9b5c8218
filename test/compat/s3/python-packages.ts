/** Packages of PyPI in a folder of a test, by `uv`, which takes seconds where `pip` takes most of a minute. @module */
import { join } from 'node:path'
import { installTimeoutMs, runClient } from './client-process.ts'

/** The folder of `python` and of the programs that the packages bring; or why there is none. */
export type PythonFolder = { readonly bin: string } | { readonly whyNot: string }

export async function installPackages(folder: string, packages: readonly string[]): Promise<PythonFolder> {
  const venv = join(folder, 'venv')
  const bin = join(venv, 'bin')
  const options = {
    ...{ folder, timeoutMs: installTimeoutMs },
    env: { UV_CACHE_DIR: join(folder, 'uv-cache'), UV_LINK_MODE: 'hardlink' },
  }
  try {
    await runClient('python3', ['-m', 'venv', venv], options)
    await runClient(join(bin, 'python'), ['-m', 'pip', 'install', '--quiet', '--no-compile', 'uv'], options)
    await runClient(
      join(bin, 'uv'),
      ['pip', 'install', '--quiet', '--python', join(bin, 'python'), ...packages],
      options,
    )
    return { bin }
  } catch (error) {
    return { whyNot: `they cannot be installed: ${(error as Error).message.slice(0, 300)}` }
  }
}
