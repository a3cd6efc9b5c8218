import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type CorsRule, checkCorsRules, corsHeaders, preflightHeaders, type RawCorsRule } from './cors.ts'
import { S3Error, type S3ErrorCode } from './s3-error.ts'

const refuses = (run: () => unknown, code: S3ErrorCode) =>
  assert.throws(run, (error) => error instanceof S3Error && error.code === code)

function rule(origin: string, method = 'GET', change: Partial<CorsRule> = {}): CorsRule {
  return { allowedOrigins: [origin], allowedMethods: [method], allowedHeaders: [], exposeHeaders: [], ...change }
}

const rules = [rule('*suffix'), rule('start*end'), rule('prefix*'), rule('*.put', 'PUT')]

function seen(origin: string | undefined, method = 'GET', requestMethod?: string): string | undefined {
  const headers = corsHeaders(rules, { origin, method, requestMethod })
  const { 'access-control-allow-origin': allowed, 'access-control-allow-methods': methods } = headers
  return allowed === undefined ? undefined : `${allowed} ${methods}`
}

function preflight(origin: string | undefined, method?: string, headers?: string, of: readonly CorsRule[] = rules) {
  try {
    return preflightHeaders(of, { origin, method, headers })['access-control-allow-origin']
  } catch (error) {
    assert.ok(error instanceof S3Error)
    return error.status
  }
}

test('corsHeaders() fits origins with one wildcard', () => {
  for (const origin of ['foo.suffix', 'startend', 'start1end', 'start12end', 'prefix', 'prefix.suffix']) {
    assert.equal(seen(origin), `${origin} GET`)
  }
  for (const origin of ['foo.bar', 'foo.suffix.get', '0start12end', 'bla.prefix', 'foo.put', 'star', 'staend']) {
    assert.equal(seen(origin), undefined, origin)
  }
  assert.equal(seen(undefined), undefined)
  assert.equal(seen('foo.put', 'PUT'), 'foo.put PUT')
})

test('corsHeaders() goes by the method that the client announces', () => {
  assert.equal(seen('foo.suffix', 'PUT', 'GET'), 'foo.suffix GET')
  assert.equal(seen('foo.suffix', 'PUT', 'PUT'), undefined)
  assert.equal(seen('foo.suffix', 'PUT'), undefined)
})

test('preflightHeaders() answers 400 to what is no preflight, 403 to what no rule allows', () => {
  assert.equal(preflight(undefined), 400)
  assert.equal(preflight('foo.suffix'), 400)
  assert.equal(preflight('foo.suffix', 'BREW'), 400)
  assert.equal(preflight('foo.suffix', 'GET'), 'foo.suffix')
  assert.equal(preflight('foo.suffix', 'PUT'), 403)
  assert.equal(preflight('foo.bar', 'GET'), 403)
  refuses(() => preflightHeaders(undefined, { origin: 'a', method: 'GET', headers: undefined }), 'AccessForbidden')
})

test('preflightHeaders() wants every header to be allowed, in any case', () => {
  const of = [rule('*', 'PUT', { allowedHeaders: ['x-amz-*', 'Content-Type'] })]
  assert.equal(preflight('a', 'PUT', 'X-Amz-Date, content-type', of), '*')
  assert.equal(preflight('a', 'PUT', 'x-amz-date, authorization', of), 403)
  assert.equal(preflight('a', 'PUT', '', of), '*')
  assert.equal(preflight('a', 'GET', 'x-amz-meta-header2', [rule('*')]), 403)
  assert.equal(preflight('a', 'GET', 'x\r\ny', [rule('*', 'GET', { allowedHeaders: ['*'] })]), 403)
  const headers = preflightHeaders(of, { origin: 'a', method: 'PUT', headers: 'X-Amz-Date,Content-Type' })
  assert.equal(headers['access-control-allow-headers'], 'x-amz-date, content-type')
})

test('corsHeaders() offers credentials only to an origin that is named in full', () => {
  const credentials = (pattern: string, origin: string) =>
    corsHeaders([rule(pattern)], { origin, method: 'GET' })['access-control-allow-credentials']
  assert.equal(credentials('https://a.example', 'https://a.example'), 'true')
  assert.equal(credentials('*', 'https://a.example'), undefined)
  assert.equal(credentials('https://*.example', 'https://a.example'), undefined)
  assert.equal(credentials('*', '*'), undefined)
})

test('corsHeaders() tells exposed headers and age', () => {
  const headers = corsHeaders([rule('*', 'GET', { exposeHeaders: ['ETag', 'x-amz-meta-a'], maxAgeSeconds: 60 })], {
    origin: 'http://a',
    method: 'GET',
  })
  assert.equal(headers['access-control-expose-headers'], 'ETag, x-amz-meta-a')
  assert.equal(headers['access-control-max-age'], '60')
  assert.match(headers['vary'] ?? '', /Origin/)
})

test('checkCorsRules() refuses what S3 refuses', () => {
  const check = (change: Partial<RawCorsRule>) => () =>
    checkCorsRules([
      { allowedOrigins: ['*'], allowedMethods: ['GET'], allowedHeaders: [], exposeHeaders: [], ...change },
    ])
  assert.equal(check({ maxAgeSeconds: '60' })()[0]?.maxAgeSeconds, 60)
  assert.equal('maxAgeSeconds' in (check({})()[0] ?? {}), false)
  const star = { allowedOrigins: ['*'], allowedMethods: ['GET'], allowedHeaders: [], exposeHeaders: [] }
  assert.equal(checkCorsRules(Array.from({ length: 100 }, () => star)).length, 100)
  refuses(() => checkCorsRules([]), 'MalformedXML')
  refuses(() => checkCorsRules(Array.from({ length: 101 }, () => star)), 'MalformedXML')
  refuses(check({ allowedOrigins: [] }), 'MalformedXML')
  refuses(check({ allowedMethods: [] }), 'MalformedXML')
  refuses(check({ allowedMethods: ['get'] }), 'InvalidRequest')
  refuses(check({ allowedMethods: ['PATCH'] }), 'InvalidRequest')
  refuses(check({ allowedOrigins: ['http://*.*'] }), 'InvalidRequest')
  refuses(check({ allowedHeaders: ['x-*-*'] }), 'InvalidRequest')
  refuses(check({ exposeHeaders: ['x-*'] }), 'InvalidRequest')
  refuses(check({ maxAgeSeconds: '-1' }), 'MalformedXML')
  assert.equal(check({ id: 'i'.repeat(255) })().length, 1)
  refuses(check({ id: 'i'.repeat(256) }), 'InvalidRequest')
})

test('no rule that passes the check can break out of a header', () => {
  const text = fc.string({ unit: 'binary', maxLength: 6 })
  fc.assert(
    fc.property(text, text, text, (allowedOrigin, exposeHeader, origin) => {
      let checked: CorsRule[] = []
      try {
        checked = checkCorsRules([
          {
            allowedOrigins: [allowedOrigin],
            allowedMethods: ['GET'],
            allowedHeaders: [],
            exposeHeaders: [exposeHeader],
          },
        ])
      } catch (error) {
        assert.ok(error instanceof S3Error)
      }
      const headers = corsHeaders([...checked, rule('*a*'), rule('*')], { origin, method: 'GET' })
      for (const value of Object.values(headers)) assert.match(value, /^[\x20-\x7e]*$/)
    }),
  )
})
