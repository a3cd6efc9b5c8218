/** What was typed in earlier shells: newest first, mode 0600, in the folder for state of the XDG rules. @module */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'

function historyPath(): string {
  return join(process.env['XDG_STATE_HOME'] || join(homedir(), '.local', 'state'), 'ashlar', 'history')
}

export async function readHistory(mostLines: number): Promise<string[]> {
  try {
    const text = await readFile(historyPath(), 'utf8')
    return text
      .split('\n')
      .filter((line) => line !== '')
      .slice(0, mostLines)
  } catch {
    // A shell without history is still a shell: no file yet, or one that cannot be read.
    return []
  }
}

export async function writeHistory(lines: readonly string[]): Promise<void> {
  const path = historyPath()
  const temporary = `${path}.${process.pid}`
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    await writeFile(temporary, `${lines.join('\n')}\n`, { mode: 0o600 })
    await rename(temporary, path)
  } catch (error) {
    process.stderr.write(`ashlar: the history of this shell is not kept: ${(error as Error).message}\n`)
  }
}
