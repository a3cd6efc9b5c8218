import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { test } from 'node:test'
import { isAshlarError } from '../../../base/errors.ts'
import { parseTrustedProxies, peerOf } from './peer.ts'

function incoming(remoteAddress: string, headers: Record<string, string> = {}, encrypted = false) {
  return { socket: { remoteAddress, encrypted }, headers } as unknown as IncomingMessage
}

const forwarded = { 'x-forwarded-for': '6.6.6.6, 1.2.3.4, 10.0.0.9', 'x-forwarded-proto': 'https' }

test('peerOf() believes no header of a stranger', () => {
  assert.deepEqual(peerOf(incoming('5.5.5.5', forwarded)), { sourceIp: '5.5.5.5', isSecure: false })
  const trusted = parseTrustedProxies(['10.0.0.0/8'])
  assert.deepEqual(peerOf(incoming('5.5.5.5', forwarded), trusted), { sourceIp: '5.5.5.5', isSecure: false })
  assert.deepEqual(peerOf(incoming('5.5.5.5', {}, true)), { sourceIp: '5.5.5.5', isSecure: true })
})

test('peerOf() takes from a trusted proxy the last address that is none itself', () => {
  const trusted = parseTrustedProxies(['10.0.0.0/8', '::1'])
  const behind = { sourceIp: '1.2.3.4', isSecure: true }
  assert.deepEqual(peerOf(incoming('10.1.1.1', forwarded), trusted), behind)
  assert.deepEqual(peerOf(incoming('::ffff:10.1.1.1', forwarded), trusted), behind)
  assert.deepEqual(peerOf(incoming('::1', forwarded), trusted), behind)
  assert.deepEqual(peerOf(incoming('10.1.1.1', { 'x-forwarded-for': '1.2.3.4, junk, 10.0.0.9' }), trusted), {
    sourceIp: '10.0.0.9',
    isSecure: false,
  })
  assert.deepEqual(peerOf(incoming('10.1.1.1', { 'x-forwarded-proto': 'https, http' }), trusted), {
    sourceIp: '10.1.1.1',
    isSecure: false,
  })
})

test('parseTrustedProxies() refuses what is no range', () => {
  assert.throws(
    () => parseTrustedProxies(['proxy.example.com']),
    (error) => isAshlarError(error, 'invalid-argument'),
  )
})
