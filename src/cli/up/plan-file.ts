/** `up.json`: what the starts of a data folder remember. Written so that a crash leaves the old or the new one. @module */
import { join } from 'node:path'
import { AshlarError, isAshlarError } from '../../base/errors.ts'
import type { Disk } from '../../env/disk.ts'
import type { UpPlan } from './up-options.ts'

const maxBytes = 1024 * 1024

/** @throws {AshlarError} `bad-store` — not a plan of this version */
export async function readPlan(disk: Disk, dataFolder: string): Promise<UpPlan | undefined> {
  const path = join(dataFolder, 'up.json')
  let text: string
  try {
    text = (await disk.readSmall(path, maxBytes)).toString('utf8')
  } catch (error) {
    if (isAshlarError(error, 'not-found')) return undefined
    throw error
  }
  let plan: UpPlan
  try {
    plan = JSON.parse(text) as UpPlan
  } catch (cause) {
    throw new AshlarError('bad-store', `Cannot use data folder ${dataFolder}: up.json is not JSON. Restore it`, {
      cause,
    })
  }
  if (plan.formatVersion !== 1 || !Array.isArray(plan.servers)) {
    throw new AshlarError('version-unsupported', `Cannot use data folder ${dataFolder}: up.json is of a newer Ashlar`)
  }
  return plan
}

export async function writePlan(disk: Disk, dataFolder: string, plan: UpPlan): Promise<void> {
  await disk.writeSmall(join(dataFolder, 'up.json'), Buffer.from(`${JSON.stringify(plan, null, 2)}\n`))
}
