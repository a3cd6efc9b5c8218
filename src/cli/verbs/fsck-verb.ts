/** `fsck`: is everything there, right, and as often as it should be? @module */
import { formatCount } from '../../base/sizes.ts'
import type { DutyPlan, FsckFinding, FsckReport } from '../../client/index.ts'
import type { Output } from '../output.ts'
import type { VerbRegistry } from '../verb-registry.ts'
import { addVerb } from './verb.ts'

const findingsShown = 50
const progressEveryMs = 2_000

export function registerFsckVerb(registry: VerbRegistry): void {
  addVerb<{ readonly repairPlan?: boolean; readonly verify?: boolean }>(registry, {
    usage: 'fsck',
    summary: 'check that every chunk is there, right, and as often as it should be',
    description:
      'Compares the files with their chunks, and the chunks with what the chunk servers hold. Changes nothing. Ends with 0 when nothing is missing, corrupt or under-replicated, else with 1.',
    flags: [
      ['--verify', 'read every replica whole; a wrong one is set aside by its server, as by any read'],
      ['--repair-plan', 'say what mends each finding, and what repair would do now'],
    ],
    examples: ['fsck', 'fsck --repair-plan', 'fsck --verify --json'],
    run: async ({ client, output, options, signal, exitWith }) => {
      const onProgress = output.isTerminal ? progressOn(output) : () => undefined
      const report = await client.insight.fsck({ verify: options.verify === true, onProgress, signal })
      const plan = options.repairPlan === true ? await client.duties.plan('repair', { signal }) : undefined
      output.object({ ...report.counts, isClean: report.isClean, findings: report.findings, plan })
      for (const line of describe(report, plan)) output.line(line)
      if (!report.isClean) exitWith(1)
    },
  })
}

function progressOn(output: Output): (counts: FsckReport['counts']) => void {
  let toldMs = Date.now()
  return ({ chunks, files, verified }) => {
    if (Date.now() - toldMs < progressEveryMs) return
    toldMs = Date.now()
    output.note(`${formatCount(chunks, 'chunk')} and ${formatCount(files, 'file')} so far${readText(verified)}`)
  }
}

function describe({ counts, findings, isClean }: FsckReport, plan: DutyPlan | undefined): readonly string[] {
  const found = findings.slice(0, findingsShown).flatMap((finding) => lines(finding, plan !== undefined))
  return [
    `${formatCount(counts.files, 'file')} (${counts.trashedFiles} more in trash), ${formatCount(counts.chunks, 'chunk')}${readText(counts.verified)}`,
    `missing ${counts.missing}, corrupt ${counts.corrupt}, under-replicated ${counts.underReplicated}`,
    `orphans ${counts.orphans}, in quarantine ${counts.quarantined}, surplus ${counts.surplus}`,
    ...found,
    ...(findings.length > findingsShown ? [`… ${findings.length - findingsShown} more: see --json`] : []),
    ...(plan === undefined || isClean ? [] : describePlan(plan)),
    isClean ? 'clean: every chunk is there, right, and as often as it should be' : 'NOT clean',
  ]
}

function readText(replicas: number): string {
  return replicas === 0 ? '' : `, ${formatCount(replicas, 'replica')} read`
}

function lines({ kind, what, remedy, count }: FsckFinding, withRemedy: boolean): readonly string[] {
  const line = `${kind}: ${what}${count > 1 ? ` (${count})` : ''}`
  return withRemedy ? [line, `    → ${remedy}`] : [line]
}

function describePlan({ steps, stepCount, waiting, waitingCount }: DutyPlan): readonly string[] {
  if (stepCount + waitingCount === 0) return ['repair has nothing to plan: what is short is copied as servers answer']
  return [
    ...steps
      .slice(0, findingsShown)
      .map(
        ({ group, from, to, reason }) => `repair: group ${group}, ${from.slice(0, 8)} → ${to.slice(0, 8)}: ${reason}`,
      ),
    ...waiting.slice(0, findingsShown).map(({ group, why }) => `repair waits: group ${group}: ${why}`),
  ]
}
