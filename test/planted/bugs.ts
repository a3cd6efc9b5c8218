/**
 * Bugs that the simulator must find, each as a few replacements of text in the sources. A text that is not there exactly
 * once is an error, so a plant that the code has outgrown is noticed and not silently harmless.
 * @module
 */

import { bugsOfDuties } from './bugs-of-duties.ts'
import {
  failedSyncs,
  flippedBits,
  jumpingClocks,
  lateCommits,
  manyChanges,
  type PlantedBug,
  powerCuts,
  smallChunkFiles,
  streamedChunks,
} from './grounds.ts'

const proofs = 'namespace/proofs.ts'

export const plantedBugs: readonly PlantedBug[] = [
  ...bugsOfDuties,
  {
    name: 'ack-before-sync',
    what: 'a small chunk is acknowledged before its record is synced',
    edits: [
      {
        file: 'store/log-file.ts',
        find: '    await this.#sync()\n    this.segment.endBytes',
        // #sync() raises the fence itself.
        replace: '    this.#sync().catch(() => undefined)\n    this.segment.endBytes',
      },
    ],
  },
  {
    name: 'failed-sync-believed',
    what: 'a sync that failed counts as one that succeeded, and the next one of the file is believed, too',
    ground: failedSyncs,
    edits: [
      { file: 'env/memory-file.ts', find: '      this.#syncFailure ??= error\n', replace: '' },
      {
        file: 'store/log-file.ts',
        find: '      await this.#file.sync()\n    } catch (error) {\n      this.#fence.raise(error)\n      throw error\n    }',
        replace: '      await this.#file.sync().catch(() => undefined)\n    } finally {\n    }',
      },
    ],
  },
  {
    name: 'directory-not-synced',
    what: 'a chunk file is acknowledged before its name is durable',
    ground: smallChunkFiles,
    edits: [
      {
        file: 'store/chunk-commits.ts',
        find: '    named()\n    await syncs.sync(folder)',
        replace: '    named()',
      },
    ],
  },
  {
    name: 'receipts-unchecked',
    what: 'a commit passes although a member that is up has not signed',
    edits: [
      {
        file: 'cluster/receipts.ts',
        find: '  if (missing.length === 0) return unsigned.map(({ server }) => server)',
        replace: '  if (missing.length >= 0) return []',
      },
    ],
  },
  {
    name: 'owed-replica-forgotten',
    what: 'a commit with fewer receipts does not queue the repair',
    edits: [
      {
        file: proofs,
        find: '  for (const server of owing) queueRepair(change, extent.chunk, server)',
        replace: '  owing.length',
      },
    ],
  },
  {
    name: 'late-commit-accepted',
    what: 'a commit is applied after its allocation was closed',
    ground: [
      {
        file: 'namespace/allocations.ts',
        find: '    const closesAtMs = change.nowMs + limits.allocationLifeMs',
        replace: '    const closesAtMs = change.nowMs + 300',
      },
    ],
    edits: [
      {
        file: proofs,
        find: '    if (row === undefined || row.closesAtMs <= change.nowMs || row.session !== proof.request.session) {\n      throw',
        replace:
          '    if (row === undefined || row.closesAtMs <= change.nowMs || row.session !== proof.request.session) {\n      if (change.nowMs >= 0) continue\n      throw',
      },
    ],
  },
  {
    name: 'trash-purged-early',
    what: 'trash goes before its time is over',
    edits: [
      {
        file: 'namespace/purge.ts',
        find: '    end: trashDueKey(change.nowMs + 1, 0 as Rising),',
        replace: '    end: trashDueKey(change.nowMs + 30 * 86_400_000, 0 as Rising),',
      },
    ],
  },
  {
    name: 'error-read-as-absent',
    what: 'bytes that no member can give now are read as zeros',
    edits: [
      {
        file: 'client/chunk-reader.ts',
        find: '        const mayPass = failures.some(({ error }) => passing.has(error.code))',
        replace:
          '        if (failures.length >= 0) return Buffer.alloc(range.length)\n        const mayPass = failures.some(({ error }) => passing.has(error.code))',
      },
    ],
  },
  {
    name: 'reservation-leaked',
    what: 'a write that fails keeps its reservation',
    ground: streamedChunks,
    edits: [
      {
        file: 'store/space-ledger.ts',
        find: '      release: () => {\n        end()\n      },',
        replace: '      release: () => undefined,',
      },
    ],
  },
  {
    name: 'digest-not-updated-on-delete',
    what: 'the digest of a page keeps a chunk that was purged',
    edits: [
      {
        file: 'namespace/reclaim.ts',
        find: '    tally.chunkRemoved({ id: chunk, length: row.length, crc: row.crc })',
        replace: '    tally.totals({})',
      },
    ],
  },
  {
    name: 'compaction-drops-first',
    what: 'compaction unlinks the old segment before the copy is durable',
    ground: powerCuts,
    edits: [
      {
        file: 'store/compactor.ts',
        find: '        if (output.endBytes > segmentHeaderBytes) await target.sync()',
        replace: '        if (output.endBytes < 0) await target.sync()',
      },
    ],
  },
  {
    name: 'retried-without-request-id',
    what: 'a mutation that is sent again is applied again',
    edits: [
      {
        file: 'namespace/requests.ts',
        find: '      if (answer?.response !== undefined) return method.response.decode(answer.response)',
        replace: '      if (answer?.response?.length === -1) return method.response.decode(answer.response)',
      },
    ],
  },
  {
    name: 'unsynced-batch-answered',
    what: 'a transaction is answered before its batch is durable',
    edits: [
      {
        file: 'kv/memory-kv.ts',
        find: '    if (this.#groupSync !== undefined && this.image.unsyncedCount > 0) await this.#groupSync.done()\n',
        replace: '',
      },
    ],
  },
  {
    name: 'buffer-returned-on-abort',
    what: 'a buffer is used again while the disk still writes it',
    ground: smallChunkFiles,
    edits: [
      {
        file: 'store/chunk-file-writer.ts',
        find: '        await this.#fence.guard(() => this.#file.write(buffers, position))',
        replace:
          '        const writing = this.#fence.guard(() => this.#file.write(buffers, position))\n        for (const lease of leases.splice(0)) lease.release()\n        await writing',
      },
      {
        file: 'store/chunk-file-writer.ts',
        find: '  async #write(leases: readonly Lease[], position: number)',
        replace: '  async #write(leases: Lease[], position: number)',
      },
    ],
  },
  {
    name: 'list-skips-a-name',
    what: 'the next page of a list begins behind every name that the last one begins',
    edits: [
      {
        file: 'namespace/list.ts',
        find: '    const after = Buffer.concat([entryKey(directory.inode, request.after), Buffer.from([0])])',
        replace:
          '    const from = request.after === "" ? entryKey(directory.inode, "") : entryPrefix(directory.inode, request.after)\n    const after = Buffer.concat([from, Buffer.from([request.after === "" ? 0 : 0xff])])',
      },
    ],
  },
  {
    name: 'epoch-unchecked',
    what: 'a chunk server signs a write of any epoch, and the master takes it for the word of whoever has the slot now',
    ground: [...manyChanges, ...lateCommits],
    edits: [
      {
        file: 'chunkserver/access.ts',
        find: 'if (group === undefined || slot === undefined || group.epoch !== epoch) {',
        replace: 'if (group === undefined || slot === undefined) {',
      },
      {
        file: 'cluster/receipts.ts',
        find: '    if (counts(receipt, members.get(receipt.server), group)) signed.add(receipt.server)',
        replace:
          '    const holder = [...members.values()].find(({ slot }) => slot === receipt.slot)\n    if (holder !== undefined) signed.add(holder.server)\n    else if (counts(receipt, members.get(receipt.server), group)) signed.add(receipt.server)',
      },
    ],
  },
  {
    name: 'former-member-receipt-accepted',
    what: 'what a member signed before it left counts for ever, and nobody owes the replica',
    ground: [...manyChanges, ...lateCommits],
    edits: [
      {
        file: 'cluster/receipts.ts',
        find: '    else if (isOfLeaving(receipt, group)) signedBefore.add(receipt.slot)',
        replace:
          '    else if (isOfLeaving(receipt, group) || receipt.epoch < group.epoch) signedBefore.add(receipt.slot)',
      },
      {
        file: 'cluster/receipts.ts',
        find: '  if (missing.length === 0) return unsigned.map(({ server }) => server)',
        replace: '  if (missing.length === 0) return []',
      },
    ],
  },
  {
    name: 'stale-map-accepted',
    what: 'receipts that the present map refuses are judged by the oldest map that the master remembers',
    ground: [...manyChanges, ...lateCommits],
    edits: [
      {
        file: 'cluster/receipts.ts',
        find: 'export function judgeReceipts({ group, policy, receipts }: ReceiptCase, witness: Witness): readonly ServerId[] {',
        replace: `const oldest = new Map<number, Group>()
export function judgeReceipts(receiptCase: ReceiptCase, witness: Witness): readonly ServerId[] {
  const { group } = receiptCase
  const known = oldest.get(group.id)
  const isOfThisRun = known?.members.some(({ server }) => group.members.some((member) => member.server === server))
  const old = known !== undefined && isOfThisRun === true ? known : group
  oldest.set(group.id, old)
  try {
    return judgeByMap(receiptCase, witness)
  } catch {
    return judgeByMap({ ...receiptCase, group: { ...old, epoch: group.epoch } }, witness)
  }
}

function judgeByMap({ group, policy, receipts }: ReceiptCase, witness: Witness): readonly ServerId[] {`,
      },
    ],
  },
  {
    name: 'repair-counted-early',
    what: 'a repair counts as done when it was ordered, before the copy was made and read back',
    edits: [
      {
        file: 'master/repair.ts',
        find: '    try {\n      await orders.copy(server',
        replace: '    await leader.repairDone(chunk, server)\n    try {\n      await orders.copy(server',
      },
    ],
  },
  {
    name: 'leaving-member-dropped-early',
    what: 'the old member stops counting before the new one was seen to hold everything',
    ground: manyChanges,
    edits: [
      {
        file: 'master/fill.ts',
        find: '        if (isComplete && closedCopies === 0) return true',
        replace: '        return true',
      },
      {
        file: 'master/fill.ts',
        find: '        const { closedCopies, isComplete } = await comparison.compare(request)',
        replace:
          '        const { closedCopies, isComplete } = { closedCopies: 0, isComplete: request.isOver !== undefined }',
      },
    ],
  },
  {
    name: 'gc-on-an-incomplete-scan',
    what: 'what a scan of the metadata that broke off did not name is deleted',
    edits: [
      {
        file: 'master/member-comparison.ts',
        find: '      expected: chunks,\n      held,\n      scanEqualsDigest: equalDigests(sumOf(chunks.map(digestOf)), digest),',
        replace: '      expected: chunks.slice(0, -1),\n      held,\n      scanEqualsDigest: digest !== undefined,',
      },
    ],
  },
  {
    name: 'wall-clock-expiry',
    what: 'what expires is judged by the wall clock',
    ground: jumpingClocks,
    edits: [
      {
        file: 'master/cluster-time.ts',
        find: '    this.#startedMs = options.clock.monotonicMs()',
        replace: '    this.#startedMs = options.clock.wallMs()',
      },
      {
        file: 'master/cluster-time.ts',
        find: 'this.#options.startMs + this.#options.clock.monotonicMs() - this.#startedMs',
        replace: 'this.#options.startMs + this.#options.clock.wallMs() - this.#startedMs',
      },
    ],
  },
  {
    name: 'list-repeats-a-directory',
    what: 'the client asks for the next page by the bare name of a directory',
    edits: [
      {
        file: 'client/namespace-calls.ts',
        find: '      const next = value.next ?? (',
        replace: '      const next = last?.name ?? value.next ?? (',
      },
    ],
  },
  {
    name: 'condition-ignored',
    what: 'a conditional write replaces a version that it did not see',
    edits: [
      {
        file: 'namespace/entries.ts',
        find: '  if (ifVersion !== undefined && entry?.version !== ifVersion) throw',
        replace: '  if (ifVersion === -1) throw',
      },
    ],
  },
  {
    name: 'append-length-unchecked',
    what: 'an append lands behind bytes that its writer did not see',
    edits: [
      {
        file: 'namespace/commit.ts',
        find: '      if (old.length !== expectedLength) throw',
        replace: '      if (old.length === -1) throw',
      },
    ],
  },
  {
    name: 'reference-not-counted',
    what: 'a copy takes no reference to the chunks that it shares',
    edits: [
      {
        file: 'namespace/reclaim.ts',
        find: '    writeReferences(tx, chunk, references + count)',
        replace: '    writeReferences(tx, chunk, references + count - count)',
      },
    ],
  },
  {
    name: 'rename-keeps-the-source',
    what: 'a renamed file stays under its old name, too',
    edits: [
      {
        file: 'namespace/rename.ts',
        find: '  tx.del(entryKey(source.parent.inode, source.keyName))',
        replace: '  if (inode !== undefined) tx.del(entryKey(source.parent.inode, source.keyName))',
      },
    ],
  },
  {
    name: 'checksums-unchecked',
    what: 'neither server nor client looks at the checksums of what it reads',
    ground: flippedBits,
    edits: [
      {
        file: 'store/block-sums.ts',
        find: '    if (crc32(bytes.subarray(at, at + blockBytes)) !== blockCrcs[block]) return block',
        replace: '    if (block === -1) return block',
      },
      {
        file: 'client/block-proof.ts',
        find: '      if (crc32(payload) !== crc) throw',
        replace: '      if (payload.length === -1) throw',
      },
      {
        file: 'client/block-proof.ts',
        find: '      if (crc32(payload.subarray(at, at + blockBytes)) !== blockCrcs.readUInt32BE(index * 4)) {',
        replace: '      if (index === -1) {',
      },
    ],
  },
  {
    name: 'numbers-given-twice',
    what: 'a new master issues numbers that its predecessor gave out',
    edits: [
      {
        file: 'namespace/numbers.ts',
        find: '    tx.put(issuedKey, numberRow.encode({ value: end }))',
        replace: '    tx.put(issuedKey, numberRow.encode({ value: (first + 1) as Rising }))',
      },
    ],
  },
]
