/**
 * Runs the commands of `docs/scale.md`: layouts as they are there, and their answers compared word by word; the comparison of
 * ten thousand servers with sixty, and its tables compared by their titles, columns and rows.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { strategyNames } from '../../src/cluster/placement-strategy.ts'
import { outcomeOf, projectFolder } from './shell-page.ts'

const page = readFileSync(join(projectFolder, 'docs/scale.md'), 'utf8')
const examples = [...page.matchAll(/^```sh\n(.*?)\n```\n\n```text\n([\s\S]*?)^```/gm)].map(([, command, expected]) => ({
  command: command as string,
  expected: expected as string,
}))

async function run(command: string): Promise<string> {
  const [program, ...args] = command.replace(/\s+#.*$/, '').split(' ') as [string, ...string[]]
  const child = spawn(join(projectFolder, program), args, { stdio: ['ignore', 'pipe', 'ignore'] })
  const { text, exitCode } = await outcomeOf(child)
  assert.equal(exitCode, 0, `"${command}" failed: ${text}`)
  return text
}

test('layouts of docs/scale.md have the answers that are told there', { timeout: 120_000 }, async () => {
  const layouts = examples.filter(({ command }) => / --servers 200 /.test(command))
  assert.ok(layouts.length >= 3)
  for (const { command, expected } of layouts) assert.equal(await run(command), expected, command)
})

test('a layout with --json is one object, with the fields that docs/cli.md names', async () => {
  const report = JSON.parse(await run('bin/ashlar sim --servers 12 --racks 4 --kill-rack 2 --json'))
  const fields = [
    'cluster',
    'killed',
    'lost',
    'lastCopy',
    'underReplicated',
    'writableGroups',
    'repair',
    'after',
    'seed',
  ]
  assert.deepEqual(Object.keys(report), fields)
  assert.equal(report.killed.servers, 3)
})

test('the comparison of docs/scale.md has the tables that are shown there', { timeout: 120_000 }, async () => {
  const [big] = examples.filter(({ command }) => command.includes('sim placement'))
  assert.ok(big)
  const small = big.command.replace(
    '--servers 10000 --chunks 1e9',
    '--servers 60 --chunks 1e6 --trials 200 --deaths 3,50',
  )
  assert.notEqual(small, big.command)
  const text = await run(small)
  const shape = (output: string) =>
    output
      .split('\n')
      .slice(1)
      .filter((line) => line !== '' && !line.startsWith('Of '))
      .map((line) => line.split(/ {2,}/))
      .map(([first, ...others]) => (/^\d|^$|\d die/.test(others[0] ?? '') ? [first] : [first, ...others]))
  assert.deepEqual(shape(text), shape(big.expected))
  const report = JSON.parse(await run(`${small} --json`))
  assert.deepEqual(
    report.strategies.map(({ name }: { readonly name: string }) => name),
    [...strategyNames],
  )
  assert.deepEqual(Object.keys(report), ['cluster', 'strategies', 'baselines', 'trials', 'seed'])
})

test('docs/scale.md describes every strategy', () => {
  const section = page.slice(page.indexOf('## Placement strategies'))
  for (const name of strategyNames) assert.match(section, new RegExp(`^\\| \`${name}\``, 'm'))
})
