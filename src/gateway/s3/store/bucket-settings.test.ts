/** What a bucket's documents say is read once for each reading of the bucket, and never taken for another's. @module */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { allowPublicAccess, blockAllPublicAccess } from '../rules/access/public-access-block.ts'
import { bucketAccess, corsRulesOf, documentNames, loggingOf, parsedDocument } from './bucket-settings.ts'
import type { Bucket } from './buckets.ts'

const closed = { ownership: 'BucketOwnerEnforced', publicAccessBlock: blockAllPublicAccess } as const
const open = { ownership: 'ObjectWriter', publicAccessBlock: allowPublicAccess } as const

function bucketWith(documents: Readonly<Record<string, string>>, ownerId?: string): Bucket {
  return {
    ...{ name: 'bucket', ownerId, createdMs: 0, versioning: undefined, objectLock: undefined },
    documents: new Map(Object.entries(documents)),
  }
}

describe('bucketAccess()', () => {
  test('follows the bucket, its defaults and its owner, each time', () => {
    const bucket = bucketWith({})
    for (let time = 0; time < 2; time++) {
      assert.deepEqual(bucketAccess(bucket, closed, 'root').publicAccessBlock, blockAllPublicAccess)
      assert.deepEqual(bucketAccess(bucket, open, 'root').publicAccessBlock, allowPublicAccess)
      assert.equal(bucketAccess(bucket, open, 'root').acl.ownerId, 'root')
      assert.equal(bucketAccess(bucket, open, 'other').acl.ownerId, 'other')
      assert.equal(bucketAccess(bucketWith({}, 'me'), open, 'root').ownerId, 'me')
    }
    const changed = bucketWith({ [documentNames.ownership]: 'BucketOwnerPreferred' })
    assert.equal(bucketAccess(changed, closed, 'root').ownership, 'BucketOwnerPreferred')
    assert.equal(bucketAccess(bucket, closed, 'root').ownership, 'BucketOwnerEnforced')
  })
})

describe('parsedDocument()', () => {
  test('parses once for a bucket as it was read, and again when it was read again', () => {
    let parsed = 0
    const parse = (text: string) => {
      parsed++
      return text.length
    }
    const bucket = bucketWith({ a: 'x', b: 'yy' })
    for (let time = 0; time < 2; time++) {
      assert.deepEqual(
        ['a', 'b', 'c'].map((name) => parsedDocument(bucket, name, parse)),
        [1, 2, undefined],
      )
    }
    assert.equal(parsed, 2)
    assert.equal(parsedDocument(bucketWith({ a: 'changed' }), 'a', parse), 7)
  })

  test('keeps documents apart', () => {
    const target = { targetBucket: 'logs', targetPrefix: 'p' }
    const bucket = bucketWith({ [documentNames.logging]: JSON.stringify(target), [documentNames.cors]: '[]' })
    assert.deepEqual(loggingOf(bucket), target)
    assert.deepEqual(corsRulesOf(bucket), [])
  })
})
