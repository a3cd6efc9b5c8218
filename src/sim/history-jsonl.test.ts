import assert from 'node:assert/strict'
import { test } from 'node:test'
import { History } from './history.ts'
import { historyLines } from './history-jsonl.ts'

test('historyLines() has the calls on single files, and none of a run that lost its metadata', async () => {
  const history = new History(() => 0)
  const record = (path: string) =>
    history.record(
      { operation: 1, client: 0, step: { kind: 'write', path, content: { seed: 1, length: 2 } } },
      async () => undefined,
      () => ({ size: 2 }),
    )
  for (const path of ['/k/0', '/t/a']) await record(path)
  assert.deepEqual(
    historyLines(history, 'seed 1 ').map((line) => JSON.parse(line).key),
    ['seed 1 /k/0'],
  )
  history.noteLoss(0)()
  assert.deepEqual(historyLines(history), [])
})
