/**
 * Every way in which a body can travel, to every route that stores one, with every defect: refused, and nothing is stored. And a
 * control without defects. Who sends it is right each time: what is wrong in heads is for `security-matrix.test.ts`.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { connect } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { crc32 } from 'node:zlib'
import { parseXml } from '../../../src/gateway/s3/xml/parse-xml.ts'
import { rootKey, type S3Rig, startS3Rig } from './s3-rig.ts'
import { headersV4, type Route, type Signing, signedChunks, type WireRequest } from './security-signers.ts'

const chunks = ['a'.repeat(9000), 'b'.repeat(8000), 'c'.repeat(100)]
const content = chunks.join('')
const checksum = (text: string): string => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(crc32(text))
  return bytes.toString('base64')
}
const trailerOf = (text: string): string => `x-amz-checksum-crc32:${checksum(text)}`

let rig: S3Rig
let part: Route

before(async () => {
  rig = await startS3Rig()
  await rig.s3.send('PUT', '/bucket')
  await rig.s3.send('PUT', '/bucket/there', { body: 'as it was' })
  const begun = await rig.s3.send('POST', '/bucket/begun?uploads')
  part = ['PUT', `/bucket/begun?partNumber=1&uploadId=${begun.xml().textOf('UploadId')}`]
})
after(() => rig[Symbol.asyncDispose]())

const now = (): Signing => ({ key: rootKey, host: new URL(rig.endpoint).host, timeMs: Date.now(), expiresSeconds: 60 })

const signed = ([method, url]: Route, hash: string, { body = '', ...headers }: Record<string, string>): WireRequest => {
  const { headers: head } = headersV4([method, url, body], { ...now(), payloadHash: hash, more: headers })
  return { method, url, headers: head, body }
}
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')
const unsignedFrames = (texts: readonly string[], trailer: string): string =>
  `${texts.map((text) => `${text.length.toString(16)}\r\n${text}\r\n`).join('')}0\r\n${trailer}\r\n\r\n`
const unsignedChunks = (route: Route, body: string): WireRequest =>
  signed(route, 'STREAMING-UNSIGNED-PAYLOAD-TRAILER', {
    body,
    'x-amz-decoded-content-length': String(content.length),
    'x-amz-trailer': 'x-amz-checksum-crc32',
  })
const ofChunks = (route: Route, trailer?: string): ReturnType<typeof signedChunks> =>
  signedChunks(route, chunks, trailer === undefined ? now() : { ...now(), trailer })
const withBody = ({ head }: ReturnType<typeof signedChunks>, frames: readonly string[]): WireRequest => ({
  ...head,
  body: frames.join(''),
})

type Make = (route: Route) => WireRequest

/** Of each mode: a right one, and wrong ones by name. */
const modes: Readonly<Record<string, { readonly right: Make; readonly wrong: Readonly<Record<string, Make>> }>> = {
  'a signed hash': {
    right: (route) => signed(route, sha256(content), { body: content }),
    wrong: {
      'another body': (route) => signed(route, sha256(content), { body: content.replace('b', 'x') }),
      'a hash that is none': (route) => signed(route, 'abc', { body: content }),
      'another checksum': (route) =>
        signed(route, sha256(content), { body: content, 'x-amz-checksum-crc32': checksum('x') }),
      'another MD5': (route) =>
        signed(route, sha256(content), { body: content, 'content-md5': 'XrY7u+Ae7tCTyyK7j1rNww==' }),
    },
  },
  'no hash': {
    right: (route) => signed(route, 'UNSIGNED-PAYLOAD', { body: content }),
    wrong: {
      'another checksum': (route) =>
        signed(route, 'UNSIGNED-PAYLOAD', { body: content, 'x-amz-checksum-crc32': checksum('x') }),
      'a mode that is none': (route) => signed(route, 'STREAMING-UNSIGNED', { body: content }),
    },
  },
  'signed chunks': {
    right: (route) => withBody(ofChunks(route), ofChunks(route).frames),
    wrong: {
      'a changed chunk': (route) => {
        const made = ofChunks(route)
        return withBody(made, [...made.frames.slice(0, 2), made.frames[2]?.replace('ccc', 'xxx') ?? '', ...last(made)])
      },
      'chunks of another request': (route) => withBody(ofChunks(route), ofChunks(['PUT', '/bucket/another']).frames),
      'chunks of an earlier time': (route) =>
        withBody(ofChunks(route), signedChunks(route, chunks, { ...now(), timeMs: Date.now() - 90_000 }).frames),
      'swapped chunks': (route) => {
        const made = ofChunks(route)
        const [a = '', b = '', ...rest] = made.frames
        return withBody(made, [b, a, ...rest])
      },
      'no last chunk': (route) => {
        const made = ofChunks(route)
        return withBody(made, made.frames.slice(0, -1))
      },
      'an early last chunk': (route) => {
        const made = ofChunks(route)
        return withBody(made, [...made.frames.slice(0, 1), ...last(made)])
      },
      'another signature of the last chunk': (route) => {
        const made = ofChunks(route)
        const ends = last(made).map((end) => end.replace(/[0-9a-f]{64}/, '0'.repeat(64)))
        return withBody(made, [...made.frames.slice(0, -1), ...ends])
      },
      'unsigned chunks': (route) => ({ ...ofChunks(route).head, body: unsignedFrames(chunks, '') }),
    },
  },
  'signed chunks and trailer': {
    right: (route) => withBody(ofChunks(route, trailerOf(content)), ofChunks(route, trailerOf(content)).frames),
    wrong: {
      'another checksum, signed': (route) => {
        const made = ofChunks(route, trailerOf('x'))
        return withBody(made, made.frames)
      },
      'a changed trailer': (route) => {
        const made = ofChunks(route, trailerOf(content))
        return withBody(made, [
          ...made.frames.slice(0, -1),
          ...last(made).map((end) => end.replace(checksum(content), checksum('x'))),
        ])
      },
      'a trailer without its signature': (route) => {
        const made = ofChunks(route, trailerOf(content))
        const ends = last(made).map((end) => end.replace(/x-amz-trailer-signature.*\r\n/, ''))
        return withBody(made, [...made.frames.slice(0, -1), ...ends])
      },
      'no trailer': (route) => {
        const made = ofChunks(route, trailerOf(content))
        const ends = last(made).map((end) => end.replace(/\r\nx-amz-checksum.*$/s, '\r\n\r\n'))
        return withBody(made, [...made.frames.slice(0, -1), ...ends])
      },
    },
  },
  'unsigned chunks with a trailer': {
    right: (route) => unsignedChunks(route, unsignedFrames(chunks, trailerOf(content))),
    wrong: {
      'another checksum': (route) => unsignedChunks(route, unsignedFrames(chunks, trailerOf('x'))),
      'no trailer': (route) => unsignedChunks(route, unsignedFrames(chunks, '').slice(0, -2)),
      'another header as trailer': (route) => unsignedChunks(route, unsignedFrames(chunks, 'x-amz-acl:public-read')),
      'fewer bytes than declared': (route) =>
        unsignedChunks(route, unsignedFrames(chunks.slice(1), trailerOf(chunks.slice(1).join('')))),
      'more bytes than declared': (route) =>
        unsignedChunks(route, unsignedFrames([...chunks, 'd'], trailerOf(`${content}d`))),
      'no frames': (route) => unsignedChunks(route, content),
    },
  },
}

function last({ frames }: ReturnType<typeof signedChunks>): string[] {
  return frames.slice(-1)
}

/** The answer; undefined: the connection ended without one. @param sentBytes how much of the body is sent before the client goes */
async function send(
  { method, url, headers, body }: WireRequest,
  sentBytes = body.length,
): Promise<{ readonly status: number; readonly code: string | undefined } | undefined> {
  const { hostname, port } = new URL(rig.endpoint)
  const length = { 'content-length': String(body.length), connection: 'close' }
  const lines = Object.entries({ ...headers, ...length }).map(([name, value]) => `${name}: ${value}\r\n`)
  const text = await new Promise<string>((resolve, reject) => {
    let got = ''
    const socket = connect({ host: hostname, port: Number(port) })
    socket.setEncoding('latin1').on('data', (piece: string) => (got += piece))
    socket.once('error', reject).once('close', () => resolve(got))
    socket.write(`${method} ${url} HTTP/1.1\r\n${lines.join('')}\r\n${body.slice(0, sentBytes)}`)
    if (sentBytes < body.length) socket.end()
  })
  const status = /^HTTP\/1\.1 (\d+)/.exec(text)?.[1]
  if (status === undefined) return undefined
  const xml = text.slice(text.indexOf('\r\n\r\n') + 4)
  return {
    status: Number(status),
    code: xml.startsWith('<?xml') ? parseXml(Buffer.from(xml)).textOf('Code') : undefined,
  }
}

/** Objects and parts, each with its version. */
async function everything(path = '/'): Promise<string[]> {
  const found: string[] = []
  for await (const entry of rig.cluster.client.list(path)) {
    found.push(`${entry.path} ${entry.stats.version} ${entry.stats.size}`)
    if (entry.isDirectory()) found.push(...(await everything(entry.path)))
  }
  return found
}

const routes = (): readonly Route[] => [['PUT', '/bucket/there'], ['PUT', '/bucket/new'], part]

for (const [mode, { right, wrong }] of Object.entries(modes)) {
  describe(mode, () => {
    for (const [defect, make] of Object.entries(wrong)) {
      test(`with ${defect}: refused on every route, and nothing is stored`, async () => {
        const before = await everything()
        for (const route of routes()) {
          const answer = await send(make(route))
          assert.ok(answer?.status === 400 || answer?.status === 403, `${route[1]}: ${answer?.status} ${answer?.code}`)
          assert.ok(answer.code !== undefined)
        }
        assert.deepEqual(await everything(), before)
      })
    }

    test('cut off anywhere: nothing is stored', async () => {
      const before = await everything()
      for (const route of routes()) {
        const whole = right(route)
        for (const sentBytes of [0, 5, 9000, whole.body.length - 1]) {
          const status = (await send(whole, sentBytes))?.status
          assert.ok(status === undefined || (status >= 400 && status < 500), `${route[1]} at ${sentBytes}: ${status}`)
        }
      }
      assert.deepEqual(await everything(), before)
    })
  })
}

// Last: it changes what is there.
describe('the control', () => {
  for (const [mode, { right }] of Object.entries(modes)) {
    test(`${mode}, without a defect, is stored on every route`, async () => {
      for (const route of routes()) assert.equal((await send(right(route)))?.status, 200, route[1])
      assert.equal(await rig.cluster.client.readFile('/bucket/there', 'utf8'), content)
    })
  }
})
