/**
 * Every metric of Ashlar's own: name, type, labels and meaning, by the process that has it. `docs/metrics.md` shows this table.
 * Names by the conventions of Prometheus: base units, `_total` for what only rises, labels for what is summed over.
 * @module
 */

export interface MetricRow {
  readonly type: 'gauge' | 'counter' | 'histogram'
  readonly help: string
  readonly labels?: readonly string[]
}

const everyProcess = {
  ashlar_requests_total: {
    type: 'counter',
    help: 'Requests answered, by method and by code: ok, or that of the error.',
    labels: ['method', 'code'],
  },
  ashlar_request_duration_seconds: {
    type: 'histogram',
    help: 'From the beginning of a request to its answer, by method.',
    labels: ['method'],
  },
} as const satisfies Readonly<Record<string, MetricRow>>

export const masterMetrics = {
  ashlar_cluster_info: { type: 'gauge', help: 'Always 1.', labels: ['cluster', 'version', 'policy'] },
  ashlar_uptime_seconds: { type: 'gauge', help: 'Since this master took the lead.' },
  ashlar_servers: { type: 'gauge', help: 'Chunk servers, by state.', labels: ['state'] },
  ashlar_groups: { type: 'gauge', help: 'Placement groups.' },
  ashlar_capacity_bytes: { type: 'gauge', help: 'Chunk bytes that all servers may hold.' },
  ashlar_used_bytes: { type: 'gauge', help: 'Chunk bytes that they hold, all copies.' },
  ashlar_reserved_bytes: { type: 'gauge', help: 'Declared by writes under way.' },
  ashlar_free_bytes: { type: 'gauge', help: 'What writes may still declare.' },
  ashlar_files: { type: 'gauge', help: 'Files.' },
  ashlar_directories: { type: 'gauge', help: 'Directories.' },
  ashlar_file_bytes: { type: 'gauge', help: 'Length of all files.' },
  ashlar_trash_entries: { type: 'gauge', help: 'Files and trees in trash.' },
  ashlar_trash_bytes: { type: 'gauge', help: 'Length of files in trash, once and not per copy.' },
  ashlar_under_replicated_chunks: { type: 'gauge', help: 'Chunks that lack a replica.' },
  ashlar_pending_delete_chunks: { type: 'gauge', help: 'Chunks that gc has still to delete.' },
  ashlar_open_allocations: { type: 'gauge', help: 'Ranges of chunk ids that clients may still write.' },
  ashlar_sessions: { type: 'gauge', help: 'Sessions of clients.' },
  ashlar_metadata_bytes: { type: 'gauge', help: 'Size of the metadata.' },
  ashlar_metadata_read_only: { type: 'gauge', help: '1: the disk of the metadata is full, only deletes are taken.' },
  ashlar_safe_mode: { type: 'gauge', help: '1: no deletes until the chunk servers were compared with the metadata.' },
  ashlar_hold_off: { type: 'gauge', help: '1: many servers fell silent together, repairs that can wait do.' },
  ashlar_backup_age_seconds: { type: 'gauge', help: 'Since the last backup of the metadata was complete.' },
  ashlar_backup_log_lag_seconds: {
    type: 'gauge',
    help: "Age of the oldest change that is on the master's disk alone: what its loss would cost.",
  },
  ashlar_backup_servers: { type: 'gauge', help: 'Chunk servers that get the change log.' },
  ashlar_backup_bytes: { type: 'gauge', help: 'The last backup and the log after it, once and not per copy.' },
  ashlar_backup_state: { type: 'gauge', help: '1: off, making, current or behind.', labels: ['state'] },
  ashlar_restore_needed: { type: 'gauge', help: '1: the metadata is older than the chunks, files can only be read.' },
  ashlar_duty_groups: {
    type: 'gauge',
    help: 'Groups that repair, drain or rebalance changes (under_way) or would (waiting).',
    labels: ['duty', 'progress'],
  },
  ashlar_duty_left_chunks: { type: 'gauge', help: 'Chunks that a duty has still to copy.', labels: ['duty'] },
  ashlar_duty_left_bytes: { type: 'gauge', help: 'Bytes that a duty has still to copy.', labels: ['duty'] },
  ashlar_duty_bytes_per_second: { type: 'gauge', help: 'What it copies now.', labels: ['duty'] },
  ashlar_duty_paused: { type: 'gauge', help: '1: an operator paused it, also scrub and gc.', labels: ['duty'] },
  ashlar_server_capacity_bytes: { type: 'gauge', help: 'Of one chunk server.', labels: ['server', 'domain'] },
  ashlar_server_used_bytes: { type: 'gauge', help: 'Of one chunk server.', labels: ['server', 'domain'] },
  ashlar_server_silent_seconds: { type: 'gauge', help: 'Since its last heartbeat.', labels: ['server', 'domain'] },
  ashlar_server_refuses_writes: { type: 'gauge', help: '1: it takes no writes.', labels: ['server', 'domain'] },
  ashlar_server_quarantined_chunks: {
    type: 'gauge',
    help: 'Replicas set aside since they were wrong: kept until somebody looks at them.',
    labels: ['server', 'domain'],
  },
  ashlar_server_oldest_unscrubbed_seconds: {
    type: 'gauge',
    help: 'Nothing that the server holds was read from its disk longer ago.',
    labels: ['server', 'domain'],
  },
  ...everyProcess,
} as const satisfies Readonly<Record<string, MetricRow>>

export const chunkServerMetrics = {
  ashlar_store_capacity_bytes: { type: 'gauge', help: 'Chunk bytes that the store may hold.' },
  ashlar_store_used_bytes: { type: 'gauge', help: 'Chunk bytes that it holds.' },
  ashlar_store_reserved_bytes: { type: 'gauge', help: 'Declared by writes under way.' },
  ashlar_store_free_bytes: { type: 'gauge', help: 'What writes may still declare.' },
  ashlar_store_chunks: { type: 'gauge', help: 'Replicas.' },
  ashlar_store_quarantined_chunks: { type: 'gauge', help: 'Replicas set aside since they were wrong.' },
  ashlar_store_quarantined_bytes: { type: 'gauge', help: 'What they occupy.' },
  ashlar_store_oldest_unscrubbed_seconds: {
    type: 'gauge',
    help: 'Nothing that it holds was read from its disk longer ago.',
  },
  ashlar_store_scrubbed_bytes: { type: 'gauge', help: 'Read by scrubbing since the start.' },
  ashlar_store_scrub_bad_chunks: { type: 'gauge', help: 'Replicas that scrubbing found bad since the start.' },
  ashlar_store_refuses_writes: {
    type: 'gauge',
    help: '1: it takes no writes, for this reason: capacity, disk-full or fenced.',
    labels: ['reason'],
  },
  ...everyProcess,
} as const satisfies Readonly<Record<string, MetricRow>>

export const gatewayMetrics = {
  ashlar_gateway_info: { type: 'gauge', help: 'Always 1.', labels: ['version'] },
  ashlar_gateway_requests_under_way: { type: 'gauge', help: 'Requests that were begun and are not answered yet.' },
  ashlar_gateway_chunk_cache_reads: {
    type: 'gauge',
    help: 'Since its start: reads of chunks up to 64 KiB, by whether its memory had them (hit) or a chunk server gave them (miss).',
    labels: ['outcome'],
  },
  ...everyProcess,
} as const satisfies Readonly<Record<string, MetricRow>>
