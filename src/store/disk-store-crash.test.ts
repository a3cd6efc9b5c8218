import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { idAt, someBytes } from '../../test/contract/chunk-store.ts'
import { StoreRig } from '../../test/store/store-rig.ts'
import { isAshlarError } from '../base/errors.ts'
import type { ChunkId } from '../base/ids.ts'
import { seededRandom } from '../env/seeded-random.ts'

const MiB = 1024 * 1024

type Step =
  | { readonly kind: 'put'; readonly sequence: number; readonly length: number }
  | { readonly kind: 'delete'; readonly sequences: readonly number[] }
  | { readonly kind: 'compact' }
  | { readonly kind: 'reopen' }

const sequences = fc.integer({ min: 0, max: 30 })
/** Of the larger one, records of up to 4 KiB go into room that was made ahead. */
const segmentSizes = fc.constantFrom(64 * 1024, 256 * 1024)
const lengths = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 1, max: 4000 }) },
  { weight: 6, arbitrary: fc.integer({ min: 1, max: 20_000 }) },
  { weight: 1, arbitrary: fc.integer({ min: 60_000, max: 140_000 }) },
  { weight: 1, arbitrary: fc.constantFrom(MiB, MiB + 1) },
)
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: fc.record({ kind: fc.constant('put' as const), sequence: sequences, length: lengths }) },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('delete' as const),
        sequences: fc.array(sequences, { minLength: 1, maxLength: 6 }),
      }),
    },
    { weight: 2, arbitrary: fc.constant({ kind: 'compact' as const }) },
    { weight: 1, arbitrary: fc.constant({ kind: 'reopen' as const }) },
  ),
  { minLength: 5, maxLength: 40 },
)

/** What the model knows of an id: `undefined` bytes mean absent; several: any of them, nobody was told. */
type Model = Map<ChunkId, readonly (Buffer | undefined)[]>

/** One id, one content: the bytes follow from the id. */
function contentOf(sequence: number, length: number): Buffer {
  return someBytes(length, sequence + 1)
}

async function apply(rig: StoreRig, model: Model, step: Step): Promise<void> {
  const { store } = rig
  if (step.kind === 'put') {
    const id = idAt(step.sequence)
    const bytes = contentOf(step.sequence, step.length)
    const before = model.get(id) ?? [undefined]
    model.set(id, [...before, bytes])
    try {
      await store.put(id, bytes, {})
      model.set(id, [bytes])
    } catch (error) {
      if (isAshlarError(error, 'chunk-conflict')) model.set(id, before)
      throw error
    }
  } else if (step.kind === 'delete') {
    const ids = step.sequences.map((sequence) => idAt(sequence))
    for (const id of ids) model.set(id, [...(model.get(id) ?? []), undefined])
    await store.delete(ids)
    for (const id of ids) model.set(id, [undefined])
  } else if (step.kind === 'compact') {
    await store.compact()
  } else {
    await rig.reopen()
  }
}

async function applyAll(rig: StoreRig, model: Model, plan: readonly Step[]): Promise<void> {
  for (const step of plan) {
    try {
      await apply(rig, model, step)
    } catch (error) {
      if (!isAshlarError(error, 'chunk-conflict')) throw error
    }
  }
}

/** Each id must be in one of the states that the model allows; then those are the contents. */
async function settle(rig: StoreRig, model: Model): Promise<Map<ChunkId, Buffer>> {
  const contents = new Map<ChunkId, Buffer>()
  for (const [id, allowed] of model) {
    const info = await rig.store.info(id)
    const found = allowed.find((bytes) => bytes?.length === info?.length)
    assert.ok(
      allowed.includes(found),
      `chunk ${id}: ${info?.length} bytes, not one of ${allowed.map((b) => b?.length)}`,
    )
    if (found !== undefined) contents.set(id, found)
    model.set(id, [found])
  }
  return contents
}

suite('disk store, power cuts', () => {
  test('random steps, reopening and rebuilding agree with a model', async () => {
    await fc.assert(
      fc.asyncProperty(steps, segmentSizes, async (plan, segmentBytes) => {
        const rig = new StoreRig({ segmentBytes })
        await rig.open()
        const model: Model = new Map()
        await applyAll(rig, model, plan)
        await rig.check(await settle(rig, model))
        const before = await rig.snapshot()
        await rig.store.close()
        rig.loseIndex()
        await rig.open()
        assert.deepEqual(await rig.snapshot(), before)
        await rig.store.close()
      }),
      { numRuns: 40, interruptAfterTimeLimit: 15_000 },
    )
  })

  test('a power cut at any operation loses nothing acknowledged, whatever of the rest survives', async () => {
    await fc.assert(
      fc.asyncProperty(
        steps,
        steps,
        fc.integer({ min: 1, max: 400 }),
        fc.constantFrom(0, 0.5, 1),
        fc.boolean(),
        segmentSizes,
        async (plan, morePlan, crashAt, keepShare, losesIndex, segmentBytes) => {
          const rig = new StoreRig({ segmentBytes })
          await rig.open()
          const model: Model = new Map()
          const random = seededRandom(crashAt)
          const isDead = rig.crashAfter(crashAt, () => random.fraction() < keepShare)
          try {
            await applyAll(rig, model, plan)
          } catch (error) {
            // Dead, or the store met the dead disk.
            assert.ok(isDead(), `failed without a power cut: ${(error as Error).stack}`)
          }
          rig.heal()
          if (!isDead()) rig.crash(() => random.fraction() < keepShare)
          if (losesIndex) rig.loseIndex()
          await rig.open()
          await rig.check(await settle(rig, model))
          assert.deepEqual(await rig.list('tmp'), [])
          // What was served once is durable, also if the first death was only the process's.
          const served = await settle(rig, model)
          rig.crash()
          await rig.open()
          await rig.check(served)
          // It works on as before, and a rebuild finds the same.
          await applyAll(rig, model, morePlan)
          await rig.check(await settle(rig, model))
          const before = await rig.snapshot()
          await rig.store.close()
          rig.loseIndex()
          await rig.open()
          assert.deepEqual(await rig.snapshot(), before)
          await rig.store.close()
        },
      ),
      { numRuns: 60, interruptAfterTimeLimit: 15_000 },
    )
  })
})
