/** The metrics of a master: what `ashlar status` and `ashlar nodes` say, in the words of Prometheus. @module */
import type { Master } from '../../master/master.ts'
import type { PausableDuty } from '../../wire/methods/duty-methods.ts'
import type { BackupStatus } from '../../wire/types/backup-status.ts'
import type { NodeStatus, ServerState } from '../../wire/types/cluster-map.ts'
import { type MetricSet, metricSet, type SetGauge } from './metric-set.ts'
import { masterMetrics } from './metric-table.ts'

type Set = SetGauge<typeof masterMetrics>

const states: readonly ServerState[] = ['up', 'suspect', 'dead', 'draining', 'maintenance', 'left']

/** @param master undefined until it has started */
export function createMasterMetrics(master: () => Master | undefined): MetricSet {
  return metricSet(masterMetrics, async (set) => {
    const running = master()
    if (running === undefined) return
    const [status, nodes] = [await running.status(), running.nodes()]
    set('ashlar_cluster_info', 1, {
      cluster: status.clusterId,
      version: status.version,
      policy: status.defaultPolicy,
    })
    set('ashlar_uptime_seconds', status.uptimeMs / 1000)
    set('ashlar_groups', status.groups)
    set('ashlar_capacity_bytes', status.capacityBytes)
    set('ashlar_used_bytes', status.usedBytes)
    set('ashlar_reserved_bytes', status.reservedBytes)
    set('ashlar_free_bytes', status.freeBytes)
    set('ashlar_files', status.files)
    set('ashlar_directories', status.directories ?? 0)
    set('ashlar_file_bytes', status.lengthBytes)
    set('ashlar_trash_entries', status.trashEntries)
    set('ashlar_trash_bytes', status.trashBytes)
    set('ashlar_under_replicated_chunks', status.underReplicatedChunks)
    set('ashlar_pending_delete_chunks', status.pendingDeletes)
    set('ashlar_open_allocations', status.openAllocations)
    set('ashlar_sessions', status.sessions)
    set('ashlar_metadata_bytes', status.metadataBytes)
    set('ashlar_metadata_read_only', Number(status.readOnly === true))
    set('ashlar_safe_mode', Number(status.safeMode))
    set('ashlar_hold_off', Number(status.holdOffMs !== undefined))
    setBackup(set, status.backup)
    set('ashlar_restore_needed', Number(status.restoreNeeded !== undefined))
    for (const { duty, ...work } of status.work ?? []) {
      set('ashlar_duty_groups', work.groupsUnderWay, { duty, progress: 'under_way' })
      set('ashlar_duty_groups', work.groupsWaiting, { duty, progress: 'waiting' })
      set('ashlar_duty_left_chunks', work.chunksLeft, { duty })
      set('ashlar_duty_left_bytes', work.bytesLeft, { duty })
      set('ashlar_duty_bytes_per_second', work.bytesPerSecond, { duty })
    }
    for (const duty of pausable) set('ashlar_duty_paused', Number(status.paused?.includes(duty) === true), { duty })
    for (const state of states) {
      set('ashlar_servers', nodes.filter((node) => node.state === state).length, { state })
    }
    for (const node of nodes) setServer(set, node)
  })
}

const pausable: readonly PausableDuty[] = ['repair', 'drain', 'rebalance', 'scrub', 'gc']
const backupStates: readonly BackupStatus['state'][] = ['off', 'making', 'current', 'behind']

function setBackup(set: Set, backup: BackupStatus | undefined): void {
  for (const state of backupStates) set('ashlar_backup_state', Number(state === (backup?.state ?? 'off')), { state })
  if (backup === undefined) return
  if (backup.ageMs !== undefined) set('ashlar_backup_age_seconds', backup.ageMs / 1000)
  set('ashlar_backup_log_lag_seconds', backup.lagMs / 1000)
  set('ashlar_backup_servers', backup.servers)
  set('ashlar_backup_bytes', backup.sizeBytes)
}

function setServer(set: Set, { id: server, domain, ...node }: NodeStatus): void {
  if (node.state === 'left') return
  const labels = { server, domain }
  set('ashlar_server_capacity_bytes', node.capacityBytes, labels)
  set('ashlar_server_used_bytes', node.usedBytes, labels)
  set('ashlar_server_silent_seconds', node.silentMs / 1000, labels)
  set('ashlar_server_refuses_writes', Number(node.refusal !== undefined), labels)
  set('ashlar_server_quarantined_chunks', node.quarantinedChunks, labels)
  if (node.oldestUnscrubbedSeconds !== undefined) {
    set('ashlar_server_oldest_unscrubbed_seconds', node.oldestUnscrubbedSeconds, labels)
  }
}
