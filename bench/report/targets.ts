/**
 * The targets: what rivals were measured to do on such a machine (two cores, three copies where they keep copies, a fast virtual
 * disk), and what we want to do beside it, always synced on three chunk servers. Each is judged by figures of a run.
 * @module
 */
import { grouped } from '../bench.ts'
import { type Figure, figureNamed, isLessBetter, partOfLimit, type Report } from '../figures.ts'
import { median } from '../spread.ts'

/** What a figure must reach. Of rates the least, of all else the most. */
interface Demand {
  readonly figure: string
  readonly bound?: number
  /** The figure as a part of another one, at least. */
  readonly partOf?: { readonly figure: string; readonly part: number }
}

export interface Target {
  readonly workload: string
  readonly rival: string
  readonly demands: readonly Demand[]
}

export const targets: readonly Target[] = [
  {
    workload: 'large write, 4 streams, SDK',
    rival: 'HDFS 3.5: 297 MiB/s, data unsynced',
    demands: [
      { figure: 'large write, 4 streams', bound: 360 },
      { figure: 'large write, 4 streams', partOf: { figure: 'bare three-copy writer', part: 0.8 } },
    ],
  },
  {
    workload: 'large read, 4 streams, SDK',
    rival: 'HDFS 3.5: 1,112 MiB/s from the page cache',
    demands: [
      { figure: 'large read again, 4 streams, memory used again', bound: 1_200 },
      { figure: 'large read, 4 streams', partOf: { figure: 'disk read, 3 streams', part: 0.8 } },
    ],
  },
  {
    workload: 'S3 64 MiB put, 4 in flight',
    rival: 'SeaweedFS 4.44: 69 MiB/s, no sync; Garage: 88, synced 74',
    demands: [{ figure: 'S3 64 MiB put, 4 in flight', bound: 250 }],
  },
  {
    workload: 'S3 64 MiB get, 4 in flight',
    rival: 'SeaweedFS 4.44: 1,455 MiB/s',
    demands: [{ figure: 'S3 64 MiB get, 4 in flight', bound: 1_000 }],
  },
  {
    workload: 'S3 4 KiB put, 16 and 1 in flight',
    rival: 'SeaweedFS 4.44: 1,426 and 494/s, no sync; Garage: 535 and 153, synced',
    demands: [
      { figure: 'S3 4 KiB put, 16 in flight', bound: 2_900 },
      { figure: 'S3 4 KiB put, 1 in flight', bound: 600 },
    ],
  },
  {
    workload: 'S3 4 KiB get, head, delete, 16 in flight',
    rival: 'SeaweedFS 4.44: 3,357, 6,552 and 5,365/s',
    demands: [
      { figure: 'S3 4 KiB get, 16 in flight', bound: 5_000 },
      { figure: 'S3 4 KiB head, 16 in flight', bound: 10_000 },
      { figure: 'S3 4 KiB delete, 16 in flight', bound: 8_000 },
    ],
  },
  {
    workload: 'S3 list',
    rival: 'SeaweedFS 4.44: 71,700 keys/s',
    demands: [{ figure: 'S3 list, keys', bound: 100_000 }],
  },
  {
    workload: '4 KiB create and read, 16 in flight, SDK',
    rival: '`weed benchmark`: 2,636 and 15,326/s, nothing synced; HDFS 3.5: 140 and 953',
    demands: [
      { figure: '4 KiB create, 16 in flight', bound: 5_000 },
      { figure: '4 KiB read, 16 in flight', bound: 20_000 },
    ],
  },
  {
    workload: 'metadata beside 1,000,000 files, durable: create in process and through the wire, open in process',
    rival: 'HDFS NameNode in process: 9,407 and 78,000/s',
    demands: [
      { figure: 'create in process, 1,000,000 files there', bound: 14_000 },
      { figure: 'create of empty files, 1,000,000 files there', bound: 8_000 },
      { figure: 'open in process, 1,000,000 files there', bound: 60_000 },
    ],
  },
  {
    workload: 'start to the first stored byte',
    rival: '`weed mini`: 0.96 s; Garage, 3 nodes: 0.19 s; s3rver: 0.22 s; HDFS: 9.98 s',
    demands: [
      { figure: 'ashlar up, new: first stored byte', bound: 500 },
      { figure: 'startCluster(), later ones', bound: 100 },
      { figure: 'ashlar ls', bound: 150 },
    ],
  },
  {
    workload: 'memory of all processes, at rest and after 100,000 files of 4 KiB',
    rival: 'SeaweedFS 4.44: 641 and 1,180 MiB; HDFS: 840 at rest',
    demands: [
      { figure: 'memory at rest: all processes', bound: 400 },
      { figure: 'memory after 100,000 files of 4 KiB: all processes', bound: 500 },
    ],
  },
  {
    workload: 'memory of any process under large streams',
    rival: 'SeaweedFS 4.44: 973 MiB in its S3 process',
    demands: [
      { figure: 'highest resident memory of a master under large streams', bound: 256 },
      { figure: 'highest resident memory of a chunkserver under large streams', bound: 256 },
    ],
  },
  {
    workload: 'disk of a 4 KiB file, each copy; its metadata',
    rival: 'SeaweedFS 4.44: 4,452 bytes; 250',
    demands: [
      { figure: 'disk per 4 KiB file and copy', bound: 4_200 },
      { figure: 'metadata per 4 KiB file', bound: 350 },
    ],
  },
]

export interface Judged {
  readonly target: Target
  /** `met`: every demand. */
  readonly verdict: 'met' | 'not met' | 'not measured'
  /** What was found beside what was wanted, demand by demand. */
  readonly found: readonly string[]
}

export function judge(target: Target, report: Report): Judged {
  const results = target.demands.map((demand) => judgeDemand(demand, report))
  const found = results.map(({ text }) => text)
  if (results.some(({ isMet }) => isMet === undefined)) return { target, verdict: 'not measured', found }
  return { target, verdict: results.every(({ isMet }) => isMet) ? 'met' : 'not met', found }
}

function judgeDemand(demand: Demand, report: Report): { readonly isMet: boolean | undefined; readonly text: string } {
  const figure = figureNamed(report, demand.figure)
  if (figure === undefined) return { isMet: undefined, text: `${demand.figure}: not measured` }
  const value = median(figure.values)
  if (demand.partOf !== undefined) {
    const part = partOfLimit({ ...figure, limit: { name: demand.partOf.figure, share: 1 } }, report)
    if (part === undefined) return { isMet: undefined, text: `${demand.partOf.figure}: not measured` }
    const text = `${percent(part)} of ${demand.partOf.figure}, wanted ${percent(demand.partOf.part)}`
    return { isMet: part >= demand.partOf.part, text }
  }
  const bound = demand.bound as number
  const isMet = isLessBetter(figure) ? value <= bound : value >= bound
  return { isMet, text: `${valueText(figure, value)}, wanted ${isLessBetter(figure) ? '≤' : '≥'} ${grouped(bound)}` }
}

export function valueText({ unit }: Pick<Figure, 'unit'>, value: number): string {
  if (unit === 'ratio') return grouped(value)
  return unit === '/s' ? `${grouped(value)}/s` : `${grouped(value)} ${unit}`
}

export function percent(part: number): string {
  return `${Math.round(100 * part)} %`
}
