import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { GroupId } from '../base/ids.ts'
import { DeletesUnderWay } from './deletes-under-way.ts'

const group = 1 as GroupId
const forEver = new AbortController().signal

test('ended() waits for what is under way in the group, failed or not, and for no other', async () => {
  const deletes = new DeletesUnderWay()
  const [one, two] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const refused = assert.rejects(deletes.of(group, one.promise), /the disk is gone/)
  const deleted = deletes.of(group, two.promise)
  const ends: string[] = []
  const ended = deletes.ended(group, forEver).then(() => ends.push('ended'))
  await deletes.ended(2 as GroupId, forEver)
  two.resolve()
  await deleted
  await settle()
  assert.deepEqual(ends, [])
  one.reject(new Error('the disk is gone'))
  await Promise.all([refused, ended])
  await deletes.ended(group, forEver)
})

// A disk that hangs once held whoever asked about the group, long after its caller had given up.
test('ended() waits no longer than whoever asked', async () => {
  const deletes = new DeletesUnderWay()
  deletes.of(group, new Promise(() => undefined))
  const stop = new AbortController()
  const ended = deletes.ended(group, stop.signal)
  stop.abort()
  await assert.rejects(ended, { code: 'cancelled' })
})

function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
