/**
 * A file system of its own for each server of a cluster: an ext4 image on a loop device, which can lose its power
 * (`tools/powercut.py`), be filled to the last block, or be remounted read-only beneath a running server. Needs root.
 * @module
 */
import { execFile, execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, statfsSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'

const powercut = join(import.meta.dirname, '../../tools/powercut.py')

export class DiskImage {
  readonly path: string

  constructor(path: string, size: string) {
    this.path = path
    mkdirSync(dirname(path), { recursive: true })
    run('python3', powercut, 'make', path, '--size', size)
  }

  /** Unmounts and mounts again, journal replayed; nobody may hold files open there. */
  async revive(): Promise<void> {
    await promisify(execFile)('python3', [powercut, 'revive', this.path])
  }

  drop(): void {
    run('python3', powercut, 'drop', this.path)
  }

  /** As ext4 does after an error: from now on every write beneath is refused, until `revive`. */
  failReadOnly(): void {
    const device = execFileSync('findmnt', ['-n', '-o', 'SOURCE', this.path], { encoding: 'utf8' }).trim()
    run('mount', '-o', 'remount,errors=remount-ro', this.path)
    writeFileSync(`/sys/fs/ext4/${basename(device)}/trigger_fs_error`, 'on purpose\n')
  }

  /** Takes all room but a few blocks; `empty` gives it back. */
  fill(): void {
    for (let part = 0; part < 64; part++) {
      const { bfree, bsize } = statfsSync(this.path)
      const sizeBytes = Math.floor(bfree / (part === 0 ? 1 : 2)) * bsize
      if (sizeBytes < 2 * bsize) return
      // It may fail half-way: the next part is smaller, and takes what is left.
      spawnSync('fallocate', ['-l', String(sizeBytes), join(this.path, `.ballast-${part}`)], { stdio: 'ignore' })
    }
  }

  empty(): void {
    for (let part = 0; part < 64; part++) rmSync(join(this.path, `.ballast-${part}`), { force: true })
  }
}

/** All at once, within a millisecond of each other. @returns when it began, in ms since 1970 */
export function cutPower(disks: readonly DiskImage[]): number {
  const said = execFileSync('python3', ['-c', cutAll, ...disks.map(({ path }) => path)], { encoding: 'utf8' })
  return Number(said.trim().split(' ')[0])
}

const cutAll = `
import fcntl, os, struct, sys, time
fds = [os.open(path, os.O_RDONLY) for path in sys.argv[1:]]
before = time.time() * 1000
for fd in fds: fcntl.ioctl(fd, 0x8004587D, struct.pack("I", 2))
print(before, time.time() * 1000)
`

let reason: string | false | undefined

/** @returns why no image can be mounted here, or false when one can */
export function whyNoDiskImages(): string | false {
  reason ??= tryOne()
  return reason
}

function tryOne(): string | false {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'needs root on Linux, for loop devices'
  const folder = mkdtempSync(join(tmpdir(), 'ashlar-image-'))
  try {
    const disk = new DiskImage(join(folder, 'disk'), '64M')
    disk.drop()
    return false
  } catch (error) {
    const text = String((error as { stderr?: Buffer }).stderr ?? error).trim()
    return `no loop device can be mounted here: ${text.split('\n').at(-1)}`
  } finally {
    // Never into what is still mounted.
    if (statSync(join(folder, 'disk'), { throwIfNoEntry: false })?.dev === statSync(folder).dev)
      rmSync(folder, { recursive: true, force: true })
  }
}

function run(command: string, ...args: readonly string[]): void {
  execFileSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'] })
}
