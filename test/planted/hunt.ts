/**
 * Looks for a planted bug: runs seeds until one fails, in this process (which `plant.ts` has changed). Prints one line of
 * JSON. A process of its own for each bug, since loaded modules stay.
 *
 *     ASHLAR_PLANTED=ack-before-sync node --import ./test/planted/plant.ts test/planted/hunt.ts FROM SEEDS
 * @module
 */
import { simulate } from '../../src/sim/simulate.ts'
import { swarm } from '../../src/sim/swarm.ts'

export interface HuntResult {
  readonly seed: number | undefined
  readonly seedsTried: number
  /** Of the processor. */
  readonly cpuMs: number
  readonly oracle: string
  readonly text: string
}

async function hunt(from: number, seeds: number): Promise<HuntResult> {
  for (let seed = from; seed < from + seeds; seed++) {
    const outcome = await simulate(swarm(seed)).catch((error: unknown) => ({
      ok: false,
      violations: [{ oracle: 'world', text: String(error) }],
    }))
    const [first] = outcome.violations
    if (first === undefined) continue
    const { oracle, text } = first
    return { seed, seedsTried: seed - from + 1, cpuMs: cpuMs(), oracle, text }
  }
  return { seed: undefined, seedsTried: seeds, cpuMs: cpuMs(), oracle: '', text: '' }
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

const [from = '1', seeds = '200'] = process.argv.slice(2)
process.stdout.write(`${JSON.stringify(await hunt(Number(from), Number(seeds)))}\n`)
