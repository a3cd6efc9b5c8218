import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import { isAshlarError } from '../../../base/errors.ts'
import { RequestHeaders } from '../request/request-headers.ts'
import { S3Error } from '../rules/s3-error.ts'
import { customerKeyOf } from './customer-key.ts'
import { KeyRing } from './key-ring.ts'
import { encryptionHeaders, eTagOf, newEncryption, openEncryption, rewrapped } from './object-encryption.ts'
import { requestedEncryption } from './requested-encryption.ts'

const [oldKey, newKey, customerKey] = [randomBytes(32), randomBytes(32), randomBytes(32)]
const ring = new KeyRing([newKey, oldKey])
const services = { ring, random: randomBytes }
const none = new RequestHeaders([])

function customerHeaders(key: Buffer, prefix = 'x-amz-server-side-encryption-customer-'): RequestHeaders {
  const md5 = createHash('md5').update(key).digest('base64')
  return new RequestHeaders([
    ...[`${prefix}algorithm`, 'AES256', `${prefix}key`, key.toString('base64')],
    ...[`${prefix}key-MD5`, md5],
  ])
}

function refusedAs(code: string) {
  return (error: unknown) => error instanceof S3Error && error.code === code
}

describe('newEncryption()', () => {
  test('keeps no key: neither the data key, nor the customer’s, nor the cluster’s', () => {
    const requested = [
      { mode: 'AES256' } as const,
      { mode: 'aws:kms', kmsKeyId: 'a' } as const,
      { mode: 'customer', key: customerKey, keyMd5: '' } as const,
    ]
    for (const one of requested) {
      const encryption = newEncryption(one, services)
      const kept = Buffer.from(encryption?.stored.wrappedKey ?? '', 'base64')
      const text = JSON.stringify(encryption?.stored)
      for (const key of [encryption?.dataKey as Buffer, customerKey, newKey]) {
        assert.ok(!kept.includes(key) && !text.includes(key.toString('base64')) && !text.includes(key.toString('hex')))
      }
      assert.notDeepEqual(newEncryption(one, services)?.dataKey, encryption?.dataKey)
    }
  })

  test('refuses where the cluster has no key, and needs none for a customer’s', () => {
    const bare = { ...services, ring: new KeyRing([]) }
    assert.throws(() => newEncryption({ mode: 'AES256' }, bare), refusedAs('NotImplemented'))
    assert.ok(newEncryption({ mode: 'customer', key: customerKey, keyMd5: '' }, bare))
  })
})

describe('openEncryption()', () => {
  test('opens under the key that wrapped, also when it is no longer the newest', () => {
    const before = newEncryption({ mode: 'AES256' }, { ...services, ring: new KeyRing([oldKey]) })
    assert.deepEqual(openEncryption(before?.stored, { headers: none, ring })?.dataKey, before?.dataKey)
    const named = newEncryption({ mode: 'aws:kms', kmsKeyId: 'a' }, services)
    assert.deepEqual(openEncryption(named?.stored, { headers: none, ring })?.dataKey, named?.dataKey)
    const renamed = { ...named?.stored, kmsKeyId: 'b' } as NonNullable<typeof named>['stored']
    assert.throws(
      () => openEncryption(renamed, { headers: none, ring }),
      (error) => isAshlarError(error, 'corrupt'),
    )
    const foreign = { headers: none, ring: new KeyRing([randomBytes(32)]) }
    assert.throws(
      () => openEncryption(before?.stored, foreign),
      (error) => isAshlarError(error, 'corrupt'),
    )
  })

  test('wants the customer’s key, that very one, and where it belongs', () => {
    const headers = customerHeaders(customerKey)
    const encryption = newEncryption({ mode: 'customer', key: customerKey, keyMd5: 'x' }, services)
    const { stored } = encryption as NonNullable<typeof encryption>
    assert.deepEqual(openEncryption(stored, { headers, ring })?.dataKey, encryption?.dataKey)
    const ofSource = customerHeaders(customerKey, 'x-amz-copy-source-server-side-encryption-customer-')
    assert.deepEqual(
      openEncryption(stored, { headers: ofSource, of: 'copy-source', ring })?.dataKey,
      encryption?.dataKey,
    )
    for (const wrong of [none, customerHeaders(randomBytes(32)), ofSource]) {
      assert.throws(() => openEncryption(stored, { headers: wrong, ring }), refusedAs('InvalidRequest'))
    }
    assert.throws(() => openEncryption(undefined, { headers, ring }), refusedAs('InvalidRequest'))
    const ofCluster = newEncryption({ mode: 'AES256' }, services)?.stored
    assert.throws(() => openEncryption(ofCluster, { headers, ring }), refusedAs('InvalidRequest'))
    assert.equal(openEncryption(undefined, { headers: none, ring }), undefined)
  })

  test('opens what was wrapped anew, and no longer under the first key', () => {
    const first = newEncryption({ mode: 'customer', key: customerKey, keyMd5: '' }, services)
    const again = rewrapped(first as NonNullable<typeof first>, { mode: 'AES256' }, services)
    assert.deepEqual(openEncryption(again.stored, { headers: none, ring })?.dataKey, first?.dataKey)
  })
})

describe('customerKeyOf()', () => {
  const prefix = 'x-amz-server-side-encryption-customer-'
  const md5 = createHash('md5').update(customerKey).digest('base64')
  const text = customerKey.toString('base64')

  test('refuses whatever is missing or wrong, without telling the key', () => {
    const wrong: (readonly [string[], string])[] = [
      [[`${prefix}algorithm`, 'AES256'], 'InvalidArgument'],
      [[`${prefix}key`, text, `${prefix}key-md5`, md5], 'InvalidArgument'],
      [[`${prefix}algorithm`, 'AES256', `${prefix}key`, text], 'InvalidArgument'],
      [
        [`${prefix}algorithm`, 'AES192', `${prefix}key`, text, `${prefix}key-md5`, md5],
        'InvalidEncryptionAlgorithmError',
      ],
      [[`${prefix}algorithm`, 'AES256', `${prefix}key`, text.slice(4), `${prefix}key-md5`, md5], 'InvalidArgument'],
      [[`${prefix}algorithm`, 'AES256', `${prefix}key`, `${text}\n`, `${prefix}key-md5`, `${md5}A`], 'InvalidArgument'],
      [
        [`${prefix}algorithm`, 'AES256', `${prefix}key`, text, `${prefix}key-md5`, 'AAAAAAAAAAAAAAAAAAAAAA=='],
        'InvalidArgument',
      ],
      [[`${prefix}algorithm`, 'AES256', `${prefix}key`, text, `${prefix}key-md5`, ''], 'InvalidArgument'],
    ]
    for (const [raw, code] of wrong) {
      assert.throws(
        () => customerKeyOf(new RequestHeaders(raw)),
        (error) => refusedAs(code)(error) && !String((error as Error).stack).includes(text),
        raw.join(),
      )
    }
    assert.equal(customerKeyOf(none), undefined)
  })
})

describe('requestedEncryption()', () => {
  const options = { bucketDefault: undefined, kmsKeyIds: ['a'] }
  const asked = (raw: string[], more = {}) => requestedEncryption(new RequestHeaders(raw), { ...options, ...more })
  const header = 'x-amz-server-side-encryption'
  const kms = `${header}-aws-kms-key-id`

  test('takes the headers before the bucket’s default', () => {
    const bucketDefault = { mode: 'aws:kms', kmsKeyId: 'a' } as const
    assert.equal(asked([]), undefined)
    assert.deepEqual(asked([], { bucketDefault }), bucketDefault)
    assert.deepEqual(asked([header, 'AES256'], { bucketDefault }), { mode: 'AES256' })
    assert.deepEqual(asked([header, 'aws:kms', kms, 'a']), { mode: 'aws:kms', kmsKeyId: 'a' })
    const customer = requestedEncryption(customerHeaders(customerKey), { ...options, bucketDefault })
    assert.equal(customer?.mode, 'customer')
  })

  test('refuses what contradicts itself, and says what is not there', () => {
    for (const raw of [
      [header, 'AES192'],
      [header, 'aes:kms'],
      [header, 'AES256', kms, 'a'],
      [kms, 'a'],
      [header, 'aws:kms'],
      [header, 'aws:kms', kms, 'b'],
    ]) {
      assert.throws(() => asked(raw), refusedAs('InvalidArgument'), raw.join())
    }
    const both = new RequestHeaders([
      ...Object.entries(customerHeaders(customerKey).record()).flat(),
      ...[header, 'AES256'],
    ])
    assert.throws(() => requestedEncryption(both, options), refusedAs('InvalidArgument'))
    assert.throws(() => asked([header, 'aws:kms', kms, 'a'], { kmsKeyIds: [] }), refusedAs('NotImplemented'))
    assert.throws(() => asked([header, 'aws:kms:dsse']), refusedAs('NotImplemented'))
    assert.throws(() => asked([header, 'aws:kms', kms, 'a', `${header}-context`, 'e30=']), refusedAs('NotImplemented'))
  })
})

test('eTagOf() tells the MD5 of what the cluster encrypts, and nothing of what a customer does', () => {
  const md5 = createHash('md5').update('x').digest('hex')
  assert.equal(eTagOf(md5, undefined), md5)
  assert.equal(eTagOf(md5, newEncryption({ mode: 'AES256' }, services)), md5)
  const customer = newEncryption({ mode: 'customer', key: customerKey, keyMd5: 'm' }, services)
  assert.match(eTagOf(md5, customer), /^[0-9a-f]{32}$/)
  assert.notEqual(eTagOf(md5, customer), md5)
  assert.equal(eTagOf(md5, customer), eTagOf(md5, customer))
  assert.deepEqual(encryptionHeaders(customer), {
    'x-amz-server-side-encryption-customer-algorithm': 'AES256',
    'x-amz-server-side-encryption-customer-key-md5': 'm',
  })
})
