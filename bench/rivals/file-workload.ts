/** What is asked of a rival that has files and no S3: the amounts of our own large and small files, under the same names. @module */
import type { Settings } from '../bench.ts'
import type { FileWork } from './file-load.ts'

export interface FileStep {
  /** As in `large write, 4 streams`. */
  readonly name: string
  readonly work: FileWork
  readonly unit: 'MiB/s' | '/s'
  /** MiB of each file, or 1. */
  readonly amountEach: number
}

type Amounts = Pick<Settings, 'scale' | 'largeBytes'>

const KiB = 1024
const MiB = 1024 * KiB
const smallCount = 4_000
const smallInFlight = 16

/** Of one round, in their order: what is created is read and deleted. */
export function fileSteps({ scale, largeBytes }: Amounts): readonly FileStep[] {
  return [1, 4].flatMap((streams) => largeSteps({ streams, largeBytes })).concat(smallSteps({ scale }))
}

/** Not counted: its servers were just started, and run code that is not compiled yet. */
export function warmingFileSteps({ scale, largeBytes }: Amounts): readonly FileStep[] {
  const large = largeSteps({ streams: 4, largeBytes: Math.min(largeBytes, 512 * MiB) })
  return [...large, ...smallSteps({ scale })]
}

function largeSteps({ streams, largeBytes }: { readonly streams: number; readonly largeBytes: number }): FileStep[] {
  const amountEach = Math.ceil(largeBytes / streams / MiB)
  const title = `${streams} ${streams === 1 ? 'stream' : 'streams'}`
  const directory = `/large-${streams}`
  const work = { directory, count: streams, inFlight: streams, sizeBytes: amountEach * MiB }
  const step = (op: FileWork['op'], verb: string): FileStep => ({
    ...{ name: `large ${verb}, ${title}`, work: { op, ...work }, unit: 'MiB/s', amountEach },
  })
  return [step('create', 'write'), step('read', 'read'), step('delete', 'delete')]
}

function smallSteps({ scale }: Pick<Amounts, 'scale'>): FileStep[] {
  const count = Math.max(20, Math.round(smallCount * scale))
  const work = { directory: '/small', count, inFlight: smallInFlight, sizeBytes: 4 * KiB }
  return (['create', 'read', 'delete'] as const).map((op) => ({
    ...{ name: `4 KiB ${op}, ${smallInFlight} in flight`, work: { op, ...work }, unit: '/s', amountEach: 1 },
  }))
}
