/** Counts and findings of one step of fsck; findings are bounded, counts are complete. @module */
import { limits } from '../base/limits.ts'
import type { FsckCounts, FsckFinding } from '../wire/methods/insight-methods.ts'

type MutableCounts = { -readonly [Name in keyof FsckCounts]: FsckCounts[Name] }

export class FsckTally {
  readonly counts: MutableCounts = {
    files: 0,
    chunks: 0,
    underReplicated: 0,
    missing: 0,
    corrupt: 0,
    orphans: 0,
    quarantined: 0,
    surplus: 0,
    trashedFiles: 0,
    verified: 0,
  }
  readonly findings: FsckFinding[] = []

  add(counted: Exclude<keyof FsckCounts, 'files'>, count: number, finding?: Omit<FsckFinding, 'count'>): void {
    this.counts[counted] += count
    if (finding !== undefined) this.note({ ...finding, count })
  }

  note(finding: FsckFinding): void {
    if (this.findings.length < limits.fsckFindings) this.findings.push(finding)
  }
}
