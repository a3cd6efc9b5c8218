/**
 * A master becomes the leader: from then on every transaction and order of an earlier one is refused.
 * @module
 */
import type { ClusterId } from '../base/ids.ts'
import type { Leader, Namespace } from '../namespace/namespace.ts'
import { checkClusterRecord } from './cluster-record.ts'
import type { Settings } from './settings.ts'

export interface LeadOptions {
  readonly settings: Settings
  readonly clusterId: ClusterId
  readonly generation: number
  /** What the master was started with counts, also for an existing cluster. */
  readonly backupEveryMs: number | undefined
}

/**
 * Also makes sure that what is led is this cluster, and writes down the settings that have no row yet.
 * @throws {AshlarError} `wrong-cluster`, `bad-store` — the metadata is not this cluster's
 */
export async function takeLead(
  namespace: Namespace,
  { settings, clusterId, generation, backupEveryMs }: LeadOptions,
): Promise<Leader> {
  await namespace.initialize()
  const leader = await namespace.becomeLeader()
  await checkClusterRecord(namespace, leader, { clusterId, generation })
  const stored = await namespace.getSettings()
  for (const { name, value } of settings.list()) if (!stored.has(name)) await leader.putSetting(name, value)
  if (backupEveryMs !== undefined) {
    const value = settings.check('backup-every', `${backupEveryMs}ms`)
    settings.apply('backup-every', value)
    await leader.putSetting('backup-every', value)
  }
  return leader
}
