/**
 * Runs seeds, and has the history of every single file judged by Porcupine, a checker that is not ours. Without Go it is
 * skipped, and says so.
 *
 *     npm run sim:porcupine -- 1 50         seeds 1 to 50
 * @module
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { historyLines } from '../../src/sim/history-jsonl.ts'
import { simulate } from '../../src/sim/simulate.ts'
import { swarm } from '../../src/sim/swarm.ts'

/** @returns the exit code of the checker; undefined: there is no Go here */
export function judge(lines: readonly string[]): { readonly exitCode: number; readonly said: string } | undefined {
  if (spawnSync('go', ['version']).status !== 0) return undefined
  const folder = mkdtempSync(join(tmpdir(), 'ashlar-porcupine-'))
  try {
    const path = join(folder, 'history.jsonl')
    writeFileSync(path, `${lines.join('\n')}\n`)
    const { status, stdout, stderr } = spawnSync('go', ['run', '.', path], {
      cwd: import.meta.dirname,
      encoding: 'utf8',
    })
    return { exitCode: status ?? 2, said: `${stdout}${stderr}` }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function main([first = '1', count = '20']: readonly string[]): Promise<void> {
  const lines: string[] = []
  for (let seed = Number(first); seed < Number(first) + Number(count); seed++) {
    const { history } = await simulate(swarm(seed))
    lines.push(...historyLines(history, `seed ${seed} `))
  }
  const judged = judge(lines)
  if (judged === undefined) {
    console.log('Skipped: there is no Go on this machine, and Porcupine is written in it.')
    return
  }
  process.stdout.write(judged.said)
  process.exitCode = judged.exitCode
}

if (import.meta.main) await main(process.argv.slice(2))
