import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, readdir, rm, stat, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { testDisk } from '../../test/contract/disk.ts'
import { isAshlarError } from '../base/errors.ts'
import { createNodeDisk } from './node-disk.ts'

async function newFolder(parent = tmpdir()) {
  const folder = await mkdtemp(join(parent, 'ashlar-disk-'))
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) }
}

const disk = createNodeDisk()
testDisk('node disk', async () => ({ disk, ...(await newFolder()) }))

test('open() makes files for their owner alone, and never follows a symbolic link', async () => {
  await using place = await newFolder()
  const path = join(place.folder, 'file')
  await (await disk.open(path, { mode: 'create' })).close()
  assert.equal((await stat(path)).mode & 0o777, 0o600)
  await symlink(path, join(place.folder, 'link'))
  for (const mode of ['read', 'read-write', 'append-or-create'] as const) {
    await assert.rejects(disk.open(join(place.folder, 'link'), { mode }), (error) => isAshlarError(error, 'bad-store'))
  }
})

test('writeSmall() and makeDirectory() keep others out', async () => {
  await using place = await newFolder()
  await disk.makeDirectory(join(place.folder, 'a/b'))
  await disk.writeSmall(join(place.folder, 'a/file'), Buffer.from('x'))
  assert.equal((await stat(join(place.folder, 'a'))).mode & 0o777, 0o700)
  assert.equal((await stat(join(place.folder, 'a/b'))).mode & 0o777, 0o700)
  assert.equal((await stat(join(place.folder, 'a/file'))).mode & 0o777, 0o600)
})

test('lock() dies with its process, also by SIGKILL', async () => {
  await using place = await newFolder()
  const path = join(place.folder, 'lock')
  const program = `
    import { createNodeDisk } from ${JSON.stringify(import.meta.resolve('./node-disk.ts'))}
    await createNodeDisk().lock(${JSON.stringify(path)}, 'the other process')
    process.stdout.write('held')
    setInterval(() => undefined, 1000)`
  const other = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(other, 'exit')
  await once(other.stdout, 'data')
  try {
    await assert.rejects(
      disk.lock(path, 'this process'),
      (error) => isAshlarError(error, 'in-use') && error.message.includes('the other process'),
    )
  } finally {
    other.kill('SIGKILL')
    await exited
  }
  const lock = await disk.lock(path, 'this process')
  await assert.rejects(disk.lock(path, 'another'), /this process/)
  // The refusal within this process must not have dropped the lock: POSIX would, on the closing of any descriptor.
  const third = spawnSync(process.execPath, ['--input-type=module', '--eval', program], { encoding: 'utf8' })
  assert.match(third.stderr, /in-use/)
  assert.deepEqual((await readdir(place.folder)).sort(), ['lock', 'lock.holder'])
  await lock.release()
  assert.deepEqual(await readdir(place.folder), ['lock'])
})

test('writeSmall() in a folder without permission to write is refused as read-only', {
  skip: process.getuid?.() === 0,
}, async () => {
  await using place = await newFolder()
  await chmod(place.folder, 0o500)
  await assert.rejects(disk.writeSmall(join(place.folder, 'file'), Buffer.from('x')), (error) =>
    isAshlarError(error, 'read-only'),
  )
  await chmod(place.folder, 0o700)
})
