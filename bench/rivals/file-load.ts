/**
 * Load of files on a rival by a client of its own, in a process that stays: a line of work on its input, a line of JSON on its output.
 * @module
 */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

export interface FileWork {
  readonly op: 'create' | 'read' | 'delete'
  readonly directory: string
  readonly count: number
  readonly inFlight: number
  readonly sizeBytes: number
}

export interface FileLoad {
  readonly pid: number
  /** @returns files a second @throws {Error} one file failed, or the process has ended */
  run(work: FileWork): Promise<number>
}

/** What the process prints of a line of work. */
interface Line {
  readonly ok: number
  readonly errors: number
  readonly secs: number
  readonly first_error: string
}

/** @param child with its input and output piped; one piece of work at a time */
export function lineLoad(child: ChildProcess): FileLoad {
  const { stdin, stdout } = child
  if (stdin === null || stdout === null) throw new Error('Cannot load files: its input and output are not piped')
  const lines = createInterface({ input: stdout })
  const ended = once(child, 'exit')
  // It may end while nobody asks: whoever asks next is told.
  ended.catch(() => undefined)
  return {
    pid: child.pid as number,
    async run({ op, directory, count, inFlight, sizeBytes }) {
      const answered = once(lines, 'line')
      stdin.write(`${[op, directory, count, inFlight, sizeBytes].join(' ')}\n`)
      const answer = await Promise.race([answered, ended.then(() => undefined)])
      if (answer === undefined) throw new Error(`Cannot measure: ${child.spawnfile} has ended`)
      const { ok, errors, secs, first_error } = JSON.parse(answer[0] as string) as Line
      if (errors > 0) throw new Error(`Cannot measure ${op}: ${errors} of ${count} failed, the first by ${first_error}`)
      return ok / secs
    },
  }
}
