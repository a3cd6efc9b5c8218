import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { ServerId } from '../base/ids.ts'
import { rising } from '../base/rising.ts'
import { type PieceKind, parsePieceName, pieceName } from '../wire/types/backup.ts'
import { type Holding, removable, vain } from './backup-catalog.ts'

const name = (kind: PieceKind, start: number, epoch = 1) =>
  pieceName({ kind, leaderEpoch: rising(0, epoch), start: rising(0, start) })
const complete = (start: number, epoch = 1) => ({ name: name('base', start, epoch), lengthBytes: 9, manifestBytes: 1 })
const begun = (start: number, epoch = 1) => ({ name: name('base', start, epoch), lengthBytes: 5 })
const log = (start: number, epoch = 1) => ({ name: name('log', start, epoch), lengthBytes: 7 })
const holdings = (...lists: readonly Holding['pieces'][]): readonly Holding[] =>
  lists.map((pieces, at) => ({ server: String(at).repeat(32) as ServerId, pieces }))
const leaderEpoch = rising(0, 9)

test('removable() takes what is older than the second newest base that is on enough servers, and its logs', () => {
  const pieces = [complete(10), log(10), complete(20), log(20), complete(30), log(30), begun(15), begun(40)]
  const removed = removable(holdings(pieces, pieces), { leaderEpoch, enough: 2 })
  assert.deepEqual([...removed].sort(), [name('base', 10), name('base', 15), name('log', 10)].sort())
})

test('removable() takes nothing while a newer base is on too few servers, or not complete', () => {
  const old = [complete(10), log(10), complete(20), log(20)]
  assert.equal(removable(holdings(old, old), { leaderEpoch, enough: 2 }).size, 0)
  assert.equal(removable(holdings([...old, complete(30)], old), { leaderEpoch, enough: 2 }).size, 0)
  assert.equal(removable(holdings([...old, begun(30)], [...old, begun(30)]), { leaderEpoch, enough: 2 }).size, 0)
})

test('removable() never touches what a later leader made', () => {
  const pieces = [complete(10), log(10), complete(20, 10), log(20, 10), complete(30, 10), complete(40, 10)]
  assert.equal(removable(holdings(pieces, pieces), { leaderEpoch, enough: 2 }).size, 0)
})

test('vain() takes what failed attempts of this leader left, but for the newest base that a server has whole, and its log', () => {
  const before = [complete(10), log(10), log(19, 8), begun(21, 8), begun(25, 10)]
  const attempts = [begun(20), log(20), begun(30), log(30), begun(40), log(40), begun(50), log(50)]
  const since = { leaderEpoch: rising(0, 1), from: rising(0, 20), before: rising(0, 50) }
  const some = [...before, ...attempts]
  const names = (...starts: number[]) => starts.flatMap((start) => [name('base', start), name('log', start)]).sort()
  assert.deepEqual([...vain(holdings(some, some), since)].sort(), names(20, 30, 40))
  const other = [complete(20), complete(30), complete(50)]
  assert.deepEqual([...vain(holdings(some, other), since)].sort(), names(20, 40))
})

test('removable() leaves two complete bases on enough servers, and every log from the older one on, whatever there is', () => {
  const piece = fc.record({
    kind: fc.constantFrom('base', 'begun', 'log'),
    start: fc.nat(12),
    epoch: fc.integer({ min: 1, max: 3 }),
  })
  const list = fc.uniqueArray(piece, {
    maxLength: 14,
    selector: ({ kind, start, epoch }) => `${kind === 'log'}-${start}-${epoch}`,
  })
  fc.assert(
    fc.property(list, list, list, (...lists) => {
      const all = holdings(
        ...lists.map((some) =>
          some.map(({ kind, start, epoch }) =>
            kind === 'log' ? log(start, epoch) : kind === 'begun' ? begun(start, epoch) : complete(start, epoch),
          ),
        ),
      )
      const removed = removable(all, { leaderEpoch, enough: 2 })
      const copies = new Map<string, number>()
      for (const { pieces } of all) {
        for (const each of pieces)
          if (each.manifestBytes !== undefined) copies.set(each.name, (copies.get(each.name) ?? 0) + 1)
      }
      const safe = [...copies].filter(([, count]) => count >= 2).map(([each]) => each)
      const kept = safe.filter((each) => !removed.has(each))
      assert.ok(kept.length >= Math.min(2, safe.length))
      if (removed.size === 0) return
      const starts = kept.map((each) => parsePieceName(each)?.start ?? 0)
      const oldest = Math.min(...starts)
      const logs = [...new Set(all.flatMap(({ pieces }) => pieces.map((each) => each.name)))]
        .filter((each) => each.startsWith('log'))
        .sort((a, b) => (parsePieceName(a)?.start ?? 0) - (parsePieceName(b)?.start ?? 0))
      for (const [at, each] of logs.entries()) {
        const next = logs[at + 1]
        // It may hold a commit after the oldest base that is kept.
        const isNeeded = next === undefined || (parsePieceName(next)?.start ?? 0) > oldest
        if (isNeeded) assert.ok(!removed.has(each), `${each} is needed`)
      }
    }),
  )
})
