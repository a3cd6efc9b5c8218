/** `ashlar stat`: a file's attributes, and with `--chunks` each chunk and each of its replicas. @module */
import { isAshlarError } from '../../base/errors.ts'
import { formatCount, formatSize } from '../../base/sizes.ts'
import type { AshlarClient, ChunkReport } from '../../client/filesystem.ts'
import type { Output } from '../output.ts'

export interface DescribeOptions {
  readonly client: AshlarClient
  readonly output: Output
  readonly path: string
  readonly chunks: boolean
  /** Each replica's MD5, computed by its server. */
  readonly md5: boolean
  readonly signal: AbortSignal
}

export async function describeFile({ client, output, path, chunks, md5, signal }: DescribeOptions): Promise<void> {
  const stats = await client.stat(path, { xattrs: true, signal })
  const reports: object[] = []
  const lines: string[] = []
  if (chunks && stats.isFile()) {
    for await (const report of client.describeChunks(path, { signal })) {
      const replicas = await Promise.all(
        report.replicas.map((replica) => describeReplica(client, report, { replica, md5, signal })),
      )
      reports.push({ ...report, crc: formatCrc(report.crc), replicas })
      lines.push(
        `chunk ${report.chunkId}  ${formatCount(report.length, 'byte')} at ${report.position}, crc32 ${formatCrc(report.crc)}`,
      )
      for (const { serverId, address, state, md5: sum } of replicas) {
        lines.push(`  ${serverId.slice(0, 8)}  ${address}  ${state}${sum === undefined ? '' : `  md5 ${sum}`}`)
      }
    }
  }
  const { kind, size, version, modifiedMs, createdMs, mode, owner, ownerGroup, policy, underReplicated, entries } =
    stats
  const crc32 = stats.crc32 === undefined ? undefined : formatCrc(stats.crc32)
  const xattrs = Object.fromEntries([...stats.xattrs].map(([name, value]) => [name, value.toString('base64')]))
  output.object({
    ...{ path, kind, size, version, modifiedMs, createdMs, mode, owner, ownerGroup, policy, underReplicated, entries },
    ...{ crc32, xattrs, ...(chunks ? { chunks: reports } : {}) },
  })
  for (const [name, value] of [
    ['path', path],
    ['kind', kind],
    ['size', kind === 'file' ? sizeText(size) : undefined],
    ['entries', entries],
    ['version', version],
    ['modified', new Date(modifiedMs).toISOString()],
    ['created', new Date(createdMs).toISOString()],
    ['mode', mode.toString(8).padStart(4, '0')],
    ['owner', owner],
    ['group', ownerGroup],
    ['policy', policy],
    ['crc32', crc32],
    ['replicas', underReplicated ? 'under-replicated: one is missing, repair is queued' : undefined],
  ] as const) {
    if (value !== undefined) output.line(`${name.padEnd(10)}${value}`)
  }
  for (const line of lines) output.line(line)
}

interface ReplicaLine {
  readonly serverId: string
  readonly address: string
  readonly state: string
  readonly md5?: string | undefined
}

async function describeReplica(
  client: AshlarClient,
  report: ChunkReport,
  {
    replica,
    md5,
    signal,
  }: { readonly replica: ChunkReport['replicas'][number]; readonly md5: boolean; readonly signal: AbortSignal },
): Promise<ReplicaLine> {
  if (!md5) return replica
  try {
    const found = await client.describeReplica(report.chunkId, replica.serverId, { md5: true, signal })
    return { ...replica, md5: found.md5 }
  } catch (error) {
    // A replica that cannot be described is what the caller wants to see, not a reason to stop.
    if (isAshlarError(error, 'cancelled') || !isAshlarError(error)) throw error
    return { ...replica, state: `${replica.state} (${error.code})` }
  }
}

function sizeText(size: number): string {
  return size < 1024 ? formatCount(size, 'byte') : `${size} bytes (${formatSize(size)})`
}

/** Eight hexadecimal digits, wherever the command line shows one. */
export function formatCrc(crc: number): string {
  return crc.toString(16).padStart(8, '0')
}
