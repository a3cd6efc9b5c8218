/**
 * What the disk beneath a store does in a second, so that repair can keep to half of it: measured once, by writing a file past the
 * page cache and reading it back, while the server is up and has been for a while.
 *
 * The file lies among the store's temporary ones, which every start removes. A store on a disk that others share gets its share.
 * @module
 */
import { join } from 'node:path'
import { toAshlarError } from '../../base/errors.ts'
import { parseSize } from '../../base/sizes.ts'
import type { Env } from '../../env/env.ts'
import { sleep } from '../../env/waiting.ts'
import type { ChunkStore } from '../../store/chunk-store.ts'

const fileBytes = 32 * 1024 * 1024
const pieceBytes = 4 * 1024 * 1024
/** After a start everybody is busy; and who ends sooner need not be measured. */
const measureAfterMs = 60_000
const factName = 'disk-rate'

export interface DiskRateOptions {
  readonly env: Env
  readonly store: Pick<ChunkStore, 'getFact' | 'setFact'>
  readonly data: string
  /** How many servers share the disk equally. */
  readonly shareOf: number
  /** Bytes a second, as text: then nothing is measured. */
  readonly declared: string | undefined
}

/** The rate of one server's disk: declared, or kept from an earlier start, or measured once. */
export class DiskRate {
  readonly #options: DiskRateOptions
  readonly #stop = new AbortController()
  #bytesPerSecond: number | undefined
  #running: Promise<void> = Promise.resolve()

  /** @throws {AshlarError} `invalid-argument` — what was declared is not a size */
  constructor(options: DiskRateOptions) {
    this.#options = options
    this.#bytesPerSecond = options.declared === undefined ? undefined : parseSize(options.declared)
  }

  /** Undefined until it is known. */
  get bytesPerSecond(): number | undefined {
    return this.#bytesPerSecond
  }

  start(): void {
    this.#running = this.#find().catch((error: unknown) => {
      if (this.#stop.signal.aborted) return
      this.#options.env.log.warn('the rate of the disk is not known', { error: toAshlarError(error).message })
    })
  }

  /** Before the store is closed. */
  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#running
  }

  async #find(): Promise<void> {
    const { env, store, data, shareOf } = this.#options
    if (this.#bytesPerSecond !== undefined) return
    const kept = Number((await store.getFact(factName))?.toString() ?? Number.NaN)
    if (Number.isSafeInteger(kept) && kept > 0) {
      this.#bytesPerSecond = kept
      return
    }
    await sleep(env.clock, measureAfterMs, this.#stop.signal)
    this.#bytesPerSecond = await measureDiskRate(env, data, { shareOf })
    await store.setFact(factName, Buffer.from(String(this.#bytesPerSecond)))
    env.log.info('the disk was measured', { bytesPerSecond: this.#bytesPerSecond })
  }
}

/** @returns bytes that it writes and syncs, or reads, in a second: the mean of both */
export async function measureDiskRate(
  { disk, clock, random }: Pick<Env, 'disk' | 'clock' | 'random'>,
  data: string,
  { shareOf }: { readonly shareOf: number },
): Promise<number> {
  const path = join(data, 'tmp', 'disk-rate')
  const buffer = disk.alignedBuffer(pieceBytes)
  // So that no disk finds a pattern to pack.
  for (let at = 0; at < buffer.length; at += 64 * 1024) buffer.set(random.bytes(64 * 1024), at)
  const startMs = clock.monotonicMs()
  const file = await disk.open(path, { mode: 'create', direct: true })
  try {
    for (let at = 0; at < fileBytes; at += buffer.length) await file.write([buffer], at)
    await file.sync()
    for (let at = 0; at < fileBytes; at += buffer.length) await file.read(buffer, at)
  } finally {
    await file.close()
    await disk.remove(path)
  }
  const seconds = Math.max(1, clock.monotonicMs() - startMs) / 1000
  return Math.round((2 * fileBytes) / seconds / shareOf)
}
