import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isAshlarError } from '../base/errors.ts'
import type { Disk } from '../env/disk.ts'
import { createMemoryDisk } from '../env/memory-disk.ts'
import { createNodeClock } from '../env/node-clock.ts'
import { readFact, writeFact } from './store-facts.ts'
import { StoreLayout } from './store-layout.ts'

const layout = new StoreLayout('/store')
const name = 'leader-epoch'
const files = layout.factFiles(name)

async function diskWithFact(): Promise<Disk> {
  const disk = createMemoryDisk({ clock: createNodeClock() }).mount()
  await disk.makeDirectory('/store/facts')
  await writeFact(disk, layout, { name, value: Buffer.from('7') })
  return disk
}

// Found by simulation (seed 10040): a write that went to the wrong place kept a server from ever starting again.
for (const damaged of files) {
  test(`readFact() reads past damage of ${damaged}, too short, too long or changed`, async () => {
    for (const bytes of [Buffer.alloc(2), Buffer.alloc(5000), Buffer.from('wrong bytes')]) {
      const disk = await diskWithFact()
      await disk.writeSmall(damaged, bytes)
      assert.equal((await readFact(disk, layout, name))?.toString(), '7')
      await disk.remove(damaged)
      assert.equal((await readFact(disk, layout, name))?.toString(), '7')
    }
  })
}

test('readFact() takes the first file, which is written first, and never takes damage for absence', async () => {
  const disk = await diskWithFact()
  assert.equal(await readFact(disk, layout, 'other'), undefined)
  const [first, second] = files as [string, string]
  const older = await disk.readSmall(first, 100)
  await writeFact(disk, layout, { name, value: Buffer.from('8') })
  await disk.writeSmall(second, older)
  assert.equal((await readFact(disk, layout, name))?.toString(), '8')
  const isCorrupt = (error: unknown) => isAshlarError(error, 'metadata-corrupt')
  await disk.writeSmall(first, Buffer.alloc(5000))
  await disk.writeSmall(second, Buffer.alloc(4, 1))
  await assert.rejects(readFact(disk, layout, name), isCorrupt)
  await disk.remove(second)
  await assert.rejects(readFact(disk, layout, name), isCorrupt)
})
