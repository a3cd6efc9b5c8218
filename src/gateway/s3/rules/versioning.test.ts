import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { S3Error } from './s3-error.ts'
import {
  deleteAnswer,
  nextVersioning,
  planDelete,
  planPut,
  type StoredVersion,
  type VersionChange,
  type Versioning,
  versionToRead,
} from './versioning.ts'

type Version = StoredVersion & { readonly body?: string }

/** Carries a plan out. */
function apply(
  versions: readonly Version[],
  change: VersionChange,
  { id, body }: { id: string; body?: string },
): Version[] {
  const left = versions.filter((version) => version !== change.removes)
  if (change.adds === undefined) return left
  const { kind, versionId } = change.adds
  const isDeleteMarker = kind === 'delete-marker'
  const added = { versionId: versionId === 'new' ? id : versionId, isDeleteMarker, ...(!isDeleteMarker && { body }) }
  return [added as Version, ...left]
}

function code(run: () => unknown): string | undefined {
  try {
    run()
    return undefined
  } catch (error) {
    assert.ok(error instanceof S3Error)
    return error.code
  }
}

const step = fc.oneof(
  fc.record({ does: fc.constant('put' as const), body: fc.string({ minLength: 1, maxLength: 3 }) }),
  fc.record({ does: fc.constant('delete' as const) }),
  fc.record({ does: fc.constant('delete-version' as const), which: fc.nat(6) }),
  fc.record({ does: fc.constant('set' as const), versioning: fc.constantFrom<Versioning>('enabled', 'suspended') }),
)

test('versions under any sequence of puts, deletes and settings', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30, size: 'max' }), (steps) => {
      let versioning: Versioning = 'off'
      let versions: Version[] = []
      for (const [index, one] of steps.entries()) {
        const before = versions
        const id = `v${index}`
        if (one.does === 'set') versioning = one.versioning
        if (one.does === 'put') {
          versions = apply(versions, planPut(versioning, versions), { id, body: one.body })
          assert.equal(versionToRead(versions).body, one.body)
        }
        if (one.does === 'delete') {
          versions = apply(versions, planDelete(versioning, versions), { id })
          assert.equal(
            code(() => versionToRead(versions)),
            'NoSuchKey',
          )
        }
        if (one.does === 'delete-version') {
          const versionId = versions[one.which]?.versionId ?? 'v999'
          versions = apply(versions, planDelete(versioning, versions, versionId), { id })
          assert.deepEqual(
            versions,
            before.filter((version) => version.versionId !== versionId),
          )
        }
        const nulls = versions.filter(({ versionId }) => versionId === 'null')
        assert.ok(nulls.length <= 1)
        // Whatever has an id of its own stays until it is deleted by that id.
        if (one.does !== 'delete-version') {
          const own = ({ versionId }: Version) => versionId !== 'null'
          assert.deepEqual(
            before.filter(own).filter((version) => !versions.includes(version)),
            [],
          )
        }
        if (versioning === 'off') assert.ok(versions.length <= 1 && !versions.some((version) => version.isDeleteMarker))
        if (one.does === 'put' || one.does === 'delete') {
          if (versioning === 'enabled') assert.equal(versions.length, before.length + 1)
        }
      }
    }),
    { numRuns: 500 },
  )
})

test('a suspended bucket replaces its null version, wherever that stands', () => {
  const versions: Version[] = [
    { versionId: 'v1', isDeleteMarker: false },
    { versionId: 'null', isDeleteMarker: false },
  ]
  const [, old] = versions
  assert.deepEqual(planPut('suspended', versions), { adds: { kind: 'object', versionId: 'null' }, removes: old })
  assert.deepEqual(planDelete('suspended', versions), {
    adds: { kind: 'delete-marker', versionId: 'null' },
    removes: old,
  })
  assert.deepEqual(planPut('enabled', versions), { adds: { kind: 'object', versionId: 'new' } })
})

test('versionToRead() says why there is nothing to read', () => {
  const marker: Version = { versionId: 'm', isDeleteMarker: true }
  const object: Version = { versionId: 'v1', isDeleteMarker: false }
  assert.equal(versionToRead([marker, object], 'v1'), object)
  assert.equal(
    code(() => versionToRead([])),
    'NoSuchKey',
  )
  assert.equal(
    code(() => versionToRead([marker, object])),
    'NoSuchKey',
  )
  assert.equal(
    code(() => versionToRead([marker, object], 'm')),
    'MethodNotAllowed',
  )
  assert.equal(
    code(() => versionToRead([marker, object], 'null')),
    'NoSuchVersion',
  )
  assert.throws(
    () => versionToRead([marker, object]),
    (error) =>
      error instanceof S3Error && error.details['VersionId'] === 'm' && error.details['DeleteMarker'] === 'true',
  )
})

test('deleteAnswer() names the marker that was made, or the version that went', () => {
  const versions: Version[] = [
    { versionId: 'm', isDeleteMarker: true },
    { versionId: 'v1', isDeleteMarker: false },
  ]
  const answer = (versioning: Versioning, versionId?: string) =>
    deleteAnswer(planDelete(versioning, versions, versionId), { newVersionId: 'v2', versionId })
  assert.deepEqual(answer('enabled'), { versionId: 'v2', isDeleteMarker: true })
  assert.deepEqual(answer('suspended'), { versionId: 'null', isDeleteMarker: true })
  assert.deepEqual(answer('enabled', 'm'), { versionId: 'm', isDeleteMarker: true })
  assert.deepEqual(answer('enabled', 'v1'), { versionId: 'v1', isDeleteMarker: false })
  assert.deepEqual(answer('enabled', 'v9'), { versionId: 'v9', isDeleteMarker: false })
  assert.deepEqual(deleteAnswer(planDelete('off', []), {}), { isDeleteMarker: false })
})

test('nextVersioning() never goes back to off, nor away from under a lock', () => {
  const bucket = { versioning: 'off', hasObjectLock: false } as const
  assert.equal(nextVersioning('Enabled', bucket), 'enabled')
  assert.equal(nextVersioning('Suspended', bucket), 'suspended')
  assert.equal(
    code(() => nextVersioning('Off', bucket)),
    'MalformedXML',
  )
  assert.equal(
    code(() => nextVersioning(undefined, bucket)),
    'MalformedXML',
  )
  assert.equal(
    code(() => nextVersioning('Suspended', { ...bucket, hasObjectLock: true })),
    'InvalidBucketState',
  )
  assert.equal(nextVersioning('Enabled', { ...bucket, hasObjectLock: true }), 'enabled')
  assert.equal(
    code(() => nextVersioning('Enabled', { ...bucket, mfaDelete: 'Enabled' })),
    'NotImplemented',
  )
})
