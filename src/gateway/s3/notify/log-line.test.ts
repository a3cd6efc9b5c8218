import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type LoggedRequest, logLine } from './log-line.ts'

const request: LoggedRequest = {
  bucket: 'reports',
  ownerId: 'owner',
  atMs: Date.UTC(2019, 1, 6, 0, 0, 38),
  sourceIp: '192.0.2.3',
  userId: 'ann-id',
  requestId: '3E57427F3EXAMPLE',
  operation: 'GetObject',
  key: 'a b/ü',
  method: 'GET',
  url: '/reports/a%20b/%C3%BC?versionId=1',
  status: 200,
  errorCode: undefined,
  sentBytes: 2662,
  totalMs: 69.6,
  referrer: undefined,
  userAgent: 'curl/7.15.1',
  host: 'localhost:7602',
  signatureVersion: 'AWS4-HMAC-SHA256',
  authType: 'REST-HEADER',
}

test('logLine() has S3’s fields in their order', () => {
  assert.equal(
    logLine(request),
    'owner reports [06/Feb/2019:00:00:38 +0000] 192.0.2.3 ann-id 3E57427F3EXAMPLE REST.GET.OBJECT a%20b/%C3%BC ' +
      '"GET /reports/a%20b/%C3%BC?versionId=1 HTTP/1.1" 200 - 2662 - 70 - - "curl/7.15.1" - 3E57427F3EXAMPLE SigV4 - ' +
      'AuthHeader localhost:7602 - - -',
  )
})

test('logLine() lets no client end a line or a field, and tells no signature', () => {
  const line = logLine({
    ...request,
    userId: undefined,
    userAgent: 'evil" 200 - "\r\nowner reports',
    referrer: '\\"',
    url: '/reports/k?X-Amz-Signature=0123abcd&Signature=secret%3D&x=y',
  })
  assert.ok(!/[\r\n]/.test(line))
  assert.match(line, /"evil\\x22 200 - \\x22\\x0d\\x0aowner reports"/)
  assert.match(line, /\?X-Amz-Signature=-&Signature=-&x=y HTTP/)
  assert.ok(!line.includes('0123abcd') && !line.includes('secret'))
  assert.equal(line.split('"').length, 7)
})
