/**
 * `ashlar shell`: reads commands and runs them one after the other over one client.
 *
 * On a terminal it has a prompt, history and completion, and Ctrl-C stops the command under way; in a pipe it reads lines.
 * An error is printed and ends nothing; the exit code is that of the last command that failed.
 * @module
 */
import { createInterface, type Interface } from 'node:readline/promises'
import type { AshlarClient } from '../../client/filesystem.ts'
import type { Host } from '../host.ts'
import { closeLine, reportFailure } from '../output.ts'
import { runProgram } from '../program.ts'
import { registerVerbs } from '../verbs/register.ts'
import { completeLine } from './complete-line.ts'
import { readHistory, writeHistory } from './history-file.ts'
import { splitWords } from './split-words.ts'

const prompt = 'ashlar> '
const historyLines = 1_000

export interface ShellOptions {
  readonly client: AshlarClient
  /** Ends the shell. */
  readonly stop: AbortSignal
  /** Every command with `--json`. */
  readonly isJson: boolean
}

/** @returns the exit code */
export async function runShell(options: ShellOptions): Promise<number> {
  const isTerminal = process.stdin.isTTY === true && process.stdout.isTTY === true
  return isTerminal ? await runOnTerminal(options) : await runInPipe(options)
}

async function runInPipe(options: ShellOptions): Promise<number> {
  const { client, stop } = options
  const lines = createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY, signal: stop })
  let lastFailure = 0
  for await (const line of lines) {
    if (isExit(line)) break
    const exitCode = await runLine(line, { host: { stop, client }, isJson: options.isJson })
    if (exitCode !== 0) lastFailure = exitCode
  }
  endInput(lines)
  return lastFailure
}

async function runOnTerminal(options: ShellOptions): Promise<number> {
  const { client, stop } = options
  const terminal = createInterface({
    input: process.stdin,
    output: process.stdout,
    prompt,
    historySize: historyLines,
    removeHistoryDuplicates: true,
    history: await readHistory(historyLines),
    completer: (line: string) => completeLine(line, { client, signal: stop }),
    signal: stop,
  })
  terminal.on('history', (lines: string[]) => {
    // As in other shells: what begins with a blank is not kept. Nor are answers, which are no commands.
    if (isAnswer || lines[0]?.startsWith(' ')) lines.shift()
    isAnswer = false
    history = [...lines]
  })
  let history: readonly string[] | undefined
  let isAnswer = false
  let running: AbortController | undefined
  terminal.on('SIGINT', () => {
    if (running !== undefined) running.abort()
    else clearLine(terminal)
  })
  let lastFailure = 0
  terminal.prompt()
  for await (const line of terminal) {
    if (isExit(line)) break
    running = new AbortController()
    const host = {
      stop: AbortSignal.any([stop, running.signal]),
      client,
      ask: async (question: string) => {
        isAnswer = true
        return await terminal.question(question)
      },
    }
    const exitCode = await runLine(line, { host, isJson: options.isJson })
    running = undefined
    if (exitCode !== 0) lastFailure = exitCode
    closeLine()
    terminal.prompt()
  }
  endInput(terminal)
  if (history !== undefined) await writeHistory(history)
  return lastFailure
}

async function runLine(
  line: string,
  { host, isJson }: { readonly host: Host; readonly isJson: boolean },
): Promise<number> {
  let asJson = isJson
  try {
    const [verb, ...args] = splitWords(line)
    if (verb === undefined) return 0
    const addJson = isJson && verb !== 'help' && !args.includes('--json')
    asJson = isJson || args.includes('--json')
    return await runProgram([verb, ...(addJson ? ['--json'] : []), ...args], { host, register: registerVerbs })
  } catch (error) {
    return reportFailure(error, { json: asJson })
  }
}

/** Lines that were read ahead are dropped, and stdin no longer keeps the process. */
function endInput(lines: Interface): void {
  lines.close()
  process.stdin.destroy()
}

function isExit(line: string): boolean {
  return /^\s*(exit|quit)\s*$/.test(line)
}

/** As other shells answer Ctrl-C at the prompt: what was typed stays above, and a new line begins. */
function clearLine(terminal: Interface): void {
  process.stdout.write('^C\n')
  terminal.write(null, { ctrl: true, name: 'e' })
  terminal.write(null, { ctrl: true, name: 'u' })
  terminal.prompt()
}
