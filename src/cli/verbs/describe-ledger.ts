/** `ashlar df --ledger` for people. @module */
import { formatDuration, formatSize } from '../../base/sizes.ts'
import type { ByteLedger } from '../../client/index.ts'
import { formatTable } from '../table.ts'

export function describeLedger(ledger: ByteLedger): readonly string[] {
  const { overhead } = ledger
  const rows: readonly (readonly [string, number, string])[] = [
    ['live', ledger.liveBytes, 'chunks of files, once each'],
    ['replicas', ledger.replicaBytes, 'their further copies'],
    ['trash', ledger.trashBytes, `all copies; kept for ${formatDuration(ledger.trashKeptForMs)} after the delete`],
    ['pending reclaim', ledger.pendingReclaimBytes, ledger.pendingReclaim.map(reclaim).join('; ')],
    ['orphans', ledger.orphanBytes, ledger.orphanBytes === 0 ? '' : 'no file names them: see "ashlar fsck"'],
    ['reserved', ledger.reservedBytes, 'for writes under way'],
    ['quarantine', ledger.quarantineBytes, ledger.quarantineBytes === 0 ? '' : 'damaged, kept for you to look at'],
    ['overhead', ledger.overheadBytes, ''],
    ['  metadata', overhead.metadataBytes, "the master's database"],
    ['  index', overhead.indexBytes, "the chunk servers' indexes"],
    ['  formats', overhead.chunkFormatBytes, 'checksums, padding, dead records of segments'],
    ['  held back', overhead.heldForFullDiskBytes, 'so that deletes work on a full disk'],
    ['  other', overhead.otherBytes, 'folders, identities, locks'],
    ['total', ledger.totalBytes, 'as "du -B1" of all data folders'],
  ]
  const cells = rows.map(([name, bytes, note]) => [name, String(bytes), formatSize(Math.max(0, bytes)), note])
  const lines = [formatTable(['', 'BYTES', 'SIZE', ''], cells)]
  if (ledger.unmeasuredServers === 0) return lines
  return [...lines, `${ledger.unmeasuredServers} chunk servers are away: nothing of theirs is counted.`]
}

function reclaim({ what, bytes, withinMs, why }: ByteLedger['pendingReclaim'][number]): string {
  const time = withinMs === undefined ? '' : `, within ${formatDuration(withinMs)}`
  return `${what} ${formatSize(bytes)}${time} (${why})`
}
