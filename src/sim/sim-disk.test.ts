import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { testDisk } from '../../test/contract/disk.ts'
import { BackgroundRig } from '../../test/sim/background-rig.ts'
import { isAshlarError } from '../base/errors.ts'
import { type Disk, pageBytes } from '../env/disk.ts'

const background = new BackgroundRig().start()
after(() => background.stop())
let hosts = 0

testDisk('simulated disk', async () => {
  const { disk, process } = background.host(`disk-${++hosts}`)
  const mount = disk.mount(process)
  await mount.makeDirectory('/folder')
  return { disk: mount, folder: '/folder', [Symbol.asyncDispose]: () => mount.removeTree('/folder') }
})

const sectorBytes = 512

/** A machine whose virtual time only the test moves. */
function newMachine(seed: number) {
  const rig = new BackgroundRig(seed)
  const { disk, process } = rig.host('machine')
  const run = async <T>(work: Promise<T>): Promise<T> => {
    let isSettled = false
    const settled = () => {
      isSettled = true
    }
    work.then(settled, settled)
    assert.ok(await rig.scheduler.run(rig.scheduler.nowMs + 100_000, () => isSettled), 'it did not end')
    return await work
  }
  return { rig, disk, process, run, mount: () => disk.mount(process) }
}

test('losePower() keeps what was synced, and of the rest each sector old or new', async () => {
  const outcomes = new Set<string>()
  for (let seed = 1; seed <= 40; seed++) {
    const { disk, run, mount } = newMachine(seed)
    const before = mount()
    await run(before.makeDirectory('/folder'))
    const file = await run(before.open('/folder/file', { mode: 'create' }))
    await run(file.write([Buffer.alloc(16 * sectorBytes, 1)], 0))
    await run(file.sync())
    await run(before.syncDirectory('/folder'))
    await run(file.write([Buffer.alloc(8 * sectorBytes, 2)], 4 * sectorBytes))
    disk.losePower()
    const bytes = await run(mount().readSmall('/folder/file', 1_000_000))
    assert.equal(bytes.length, 16 * sectorBytes)
    let pattern = ''
    for (let sector = 0; sector < 16; sector++) {
      const values = new Set(bytes.subarray(sector * sectorBytes, (sector + 1) * sectorBytes))
      assert.equal(values.size, 1, 'half a sector')
      pattern += [...values].join('')
    }
    assert.match(pattern, /^1111[12]{8}1111$/)
    outcomes.add(pattern)
  }
  assert.ok(outcomes.has('1'.repeat(16)), 'never lost all')
  assert.ok(outcomes.has('1111222222221111'), 'never kept all')
  assert.ok(outcomes.size > 4, `only ${outcomes.size} outcomes: never torn`)
})

test('losePower() undoes a rename whole or keeps it whole, and keeps no later change of a folder without the earlier ones', async () => {
  const outcomes = new Set<string>()
  for (let seed = 1; seed <= 40; seed++) {
    const { disk, run, mount } = newMachine(seed)
    const before = mount()
    await run(before.makeDirectory('/folder'))
    await run(before.writeSmall('/folder/a', Buffer.from('first')))
    await run(before.rename('/folder/a', '/folder/b'))
    const again = await run(before.open('/folder/a', { mode: 'create' }))
    await run(again.close())
    disk.losePower()
    const after = mount()
    const found = (await run(after.list('/folder'))).sort()
    const texts: string[] = []
    for (const name of found) texts.push(`${name}=${await run(after.readSmall(`/folder/${name}`, 10))}`)
    outcomes.add(texts.join(' '))
  }
  assert.deepEqual([...outcomes].sort(), ['a= b=first', 'a=first', 'b=first'])
})

test('endProcesses() keeps everything and makes nothing durable', async () => {
  const { disk, run, mount } = newMachine(3)
  const before = mount()
  await run(before.makeDirectory('/folder'))
  const file = await run(before.open('/folder/file', { mode: 'create' }))
  await run(file.write([Buffer.from('abc')], 0))
  disk.endProcesses()
  assert.equal((await run(mount().readSmall('/folder/file', 10))).toString(), 'abc')
  const kept = new Set<boolean>()
  for (let seed = 1; seed <= 20; seed++) kept.add(await isKeptAfterPowerLoss(seed))
  assert.deepEqual(kept, new Set([true, false]))
})

async function isKeptAfterPowerLoss(seed: number): Promise<boolean> {
  const { disk, run, mount } = newMachine(seed)
  const before = mount()
  await run(before.makeDirectory('/folder'))
  await run(before.open('/folder/file', { mode: 'create' }))
  disk.endProcesses()
  disk.losePower()
  return (await run(mount().list('/folder'))).length > 0
}

const withFile = async (seed: number) => {
  const machine = newMachine(seed)
  const disk: Disk = machine.mount()
  await machine.run(disk.makeDirectory('/folder'))
  const file = await machine.run(disk.open('/folder/file', { mode: 'create' }))
  await machine.run(disk.syncDirectory('/folder'))
  return { ...machine, file }
}

test('lie() answers syncs that make nothing durable, until it ends', async () => {
  const { disk, run, file } = await withFile(1)
  const end = disk.lie()
  await run(file.write([Buffer.from('abc')], 0))
  await run(file.sync())
  const losses = new Set<number>()
  end()
  await run(file.sync())
  disk.losePower()
  losses.add(disk.files()[0]?.lengthBytes ?? -1)
  assert.deepEqual(losses, new Set([3]))
  const lengths = new Set<number | undefined>()
  for (let seed = 1; seed <= 20; seed++) {
    const lied = await withFile(seed)
    lied.disk.lie()
    await lied.run(lied.file.write([Buffer.from('abc')], 0))
    await lied.run(lied.file.sync())
    lied.disk.losePower()
    lengths.add(lied.disk.files()[0]?.lengthBytes)
  }
  assert.deepEqual(lengths, new Set([0, 3]))
})

test('failWith() fails the operations it names, with EIO, until it ends', async () => {
  const { disk, run, file } = await withFile(1)
  const end = disk.failWith(['write'], 1)
  await assert.rejects(run(file.write([Buffer.from('a')], 0)), (error) => isAshlarError(error, 'disk-failed'))
  assert.equal(await run(file.read(Buffer.alloc(1), 0)), 0)
  end()
  await run(file.write([Buffer.from('a')], 0))
})

test('fill() refuses one page more, and lets what frees room go on', async () => {
  const { disk, run, file } = await withFile(1)
  await run(file.write([Buffer.alloc(pageBytes)], 0))
  const end = disk.fill()
  await run(file.write([Buffer.alloc(pageBytes)], 0))
  await assert.rejects(run(file.write([Buffer.alloc(1)], pageBytes)), (error) => isAshlarError(error, 'no-space'))
  end()
  await run(file.write([Buffer.alloc(1)], pageBytes))
})

test('stall() holds operations until the last stall ends; slowDown() makes them late', async () => {
  const { rig, disk, run, file } = await withFile(1)
  const [endOne, endTwo] = [disk.stall(), disk.stall()]
  let isDone = false
  const write = file.write([Buffer.from('a')], 0).then(() => {
    isDone = true
  })
  await rig.scheduler.run(rig.scheduler.nowMs + 60_000)
  endOne()
  await rig.scheduler.run(rig.scheduler.nowMs + 60_000)
  assert.equal(isDone, false)
  endTwo()
  await run(write)
  disk.slowDown(10_000)
  const startedMs = rig.scheduler.nowMs
  await run(file.sync())
  assert.ok(rig.scheduler.nowMs - startedMs > 1000)
})

test('misplaceNextWrite() and flipBit() change bytes behind the back of who wrote them', async () => {
  const { disk, run, file } = await withFile(1)
  await run(file.write([Buffer.alloc(3 * pageBytes, 1)], 0))
  disk.misplaceNextWrite()
  await run(file.write([Buffer.alloc(pageBytes, 2)], 0))
  const bytes = Buffer.alloc(3 * pageBytes)
  await run(file.read(bytes, 0))
  assert.deepEqual([bytes[0], bytes[pageBytes], bytes[2 * pageBytes]], [1, 2, 1])
  assert.equal(
    disk.flipBit(({ path }) => path === '/folder/file'),
    '/folder/file',
  )
  const flipped = Buffer.alloc(3 * pageBytes)
  await run(file.read(flipped, 0))
  assert.equal(flipped.filter((byte, index) => byte !== bytes[index]).length, 1)
})
