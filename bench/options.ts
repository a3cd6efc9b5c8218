/** The options of `npm run bench`. @module */
import { tmpdir } from 'node:os'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'

const MiB = 1024 * 1024

export interface BenchOptions {
  readonly rounds: number
  /** Groups of workloads; undefined: all. */
  readonly only: readonly string[] | undefined
  readonly scale: number
  readonly largeBytes: number
  readonly folder: string
  /** Clusters run from the sources, and not as the package that users install. */
  readonly sources: boolean
  /** A group, of which each process is profiled. */
  readonly profile: string | undefined
  readonly out: string | undefined
  readonly compare: string | undefined
  readonly with: string | undefined
  readonly page: boolean
  readonly json: boolean
  readonly go: boolean
  readonly list: boolean
}

/** @throws {Error} an option that is not known, or a number that is none */
export function readOptions(argv: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      rounds: { type: 'string' },
      only: { type: 'string' },
      scale: { type: 'string', default: '1' },
      'large-mib': { type: 'string' },
      folder: { type: 'string', default: tmpdir() },
      sources: { type: 'boolean', default: false },
      profile: { type: 'string' },
      out: { type: 'string' },
      compare: { type: 'string' },
      with: { type: 'string' },
      page: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      'no-go': { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
    },
  })
  const scale = positive('scale', values.scale)
  const { profile } = values
  const file = (path: string | undefined) => (path === undefined ? undefined : resolve(path))
  return {
    rounds: positive('rounds', values.rounds ?? (profile === undefined ? '5' : '1')),
    only: profile === undefined ? values.only?.split(',') : [profile],
    scale,
    largeBytes: positive('large-mib', values['large-mib'] ?? String(Math.max(16, 1024 * scale))) * MiB,
    folder: values.folder,
    sources: values.sources || profile !== undefined,
    profile,
    out: file(values.out),
    compare: file(values.compare),
    with: file(values.with),
    page: values.page,
    json: values.json,
    go: !values['no-go'],
    list: values.list,
  }
}

function positive(name: string, text: string): number {
  const value = Number(text)
  if (!(value > 0)) throw new Error(`Cannot run the bench: --${name} is "${text}", and must be a number above 0`)
  return value
}
