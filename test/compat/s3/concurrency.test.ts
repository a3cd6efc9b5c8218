/** What many clients at once may see over HTTP, at two doors of one cluster: whole objects, one winner, no upload half completed, no list that misses. @module */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import type { S3Response } from './s3-client.ts'
import { type S3Rig, startS3Rig } from './s3-rig.ts'

const partBytes = 70_000
let rig: S3Rig
/** A door of its own to the same cluster. */
let other: S3Rig

before(async () => {
  rig = await startS3Rig({ gateway: { partMinBytes: partBytes } })
  other = await startS3Rig({ gateway: { client: await rig.cluster.connect(), partMinBytes: partBytes } })
  await rig.s3.send('PUT', '/race')
})
after(async () => {
  await other[Symbol.asyncDispose]()
  await rig[Symbol.asyncDispose]()
})

let sent = 0

/** At the doors in turn. */
function send(...request: Parameters<S3Rig['s3']['send']>): Promise<S3Response> {
  return (sent++ % 2 === 0 ? rig : other).s3.send(...request)
}

/** Of a length and bytes that no other writer has. */
function bodyOf(writer: number): Buffer {
  return Buffer.alloc(40_000 + writer * 101, `writer ${writer} `)
}

function tagOf(body: Buffer): string {
  return `"${createHash('md5').update(body).digest('hex')}"`
}

function times<T>(count: number, work: (index: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: count }, (_, index) => work(index)))
}

async function put(key: string, body: Buffer | string, headers: Record<string, string> = {}): Promise<S3Response> {
  return await send('PUT', `/race/${key}`, { body, headers })
}

const statuses = (answers: readonly S3Response[]) => answers.map(({ status }) => status).sort()

describe('fifty writers on one key', () => {
  test('leave the whole object of one of them, and readers see nothing else', async () => {
    await put('one', bodyOf(50))
    const allowed = new Map(Array.from({ length: 51 }, (_, writer) => [tagOf(bodyOf(writer)), bodyOf(writer)]))
    let isWriting = true
    const reader = async () => {
      let reads = 0
      for (; isWriting; reads++) {
        const { status, body, headers } = await send('GET', '/race/one')
        assert.equal(status, 200)
        assert.ok(allowed.get(headers.etag as string)?.equals(body), 'the bytes are those of the tag')
      }
      return reads
    }
    const readers = [reader(), reader()]
    const answers = await times(50, (writer) => put('one', bodyOf(writer)))
    isWriting = false
    assert.ok((await Promise.all(readers)).every((reads) => reads > 0))
    assert.deepEqual(new Set(statuses(answers)), new Set([200]))
    for (const [writer, answer] of answers.entries()) assert.equal(answer.headers.etag, tagOf(bodyOf(writer)))
    const last = await put('one', 'the last one')
    const found = await send('GET', '/race/one')
    assert.deepEqual([found.body.toString(), found.headers.etag], ['the last one', last.headers.etag])
  })

  test('with `If-None-Match: *` have exactly one winner, whose object it is', async () => {
    const answers = await times(50, (writer) => put('none', bodyOf(writer), { 'if-none-match': '*' }))
    const winners = [...answers.entries()].filter(([, { status }]) => status === 200)
    assert.equal(winners.length, 1)
    assert.equal(answers.filter(({ status }) => status === 412 || status === 409).length, 49)
    const winner = winners[0]?.[0] as number
    assert.ok((await send('GET', '/race/none')).body.equals(bodyOf(winner)))
  })

  // As Terraform's and Delta's locks do it.
  test('with `If-Match` add up: no update is lost', async () => {
    await put('counter', '0')
    await times(8, async () => {
      for (let done = false; !done; ) {
        const { body, headers } = await send('GET', '/race/counter')
        const next = String(Number(body.toString()) + 1)
        const { status } = await put('counter', next, { 'if-match': headers.etag as string })
        assert.ok(status === 200 || status === 412 || status === 409, `${status}`)
        done = status === 200
      }
    })
    assert.equal((await send('GET', '/race/counter')).body.toString(), '8')
  })
})

interface Begun {
  readonly url: string
  readonly parts: readonly Buffer[]
  readonly document: string
}

async function begun(key: string, fill: string): Promise<Begun> {
  const answer = await send('POST', `/race/${key}?uploads`)
  const uploadId = answer.xml().textOf('UploadId')
  const parts = [Buffer.alloc(partBytes, fill), Buffer.alloc(partBytes, `${fill}2`), Buffer.from(fill)]
  const tags = await Promise.all(
    parts.map(async (body, index) => {
      const sent = await send('PUT', `/race/${key}?uploadId=${uploadId}&partNumber=${index + 1}`, { body })
      assert.equal(sent.status, 200)
      return sent.headers.etag
    }),
  )
  return { url: `/race/${key}?uploadId=${uploadId}`, parts, document: documentOf(tags) }
}

function documentOf(tags: readonly (string | undefined)[]): string {
  const listed = tags.map((tag, index) => `<Part><PartNumber>${index + 1}</PartNumber><ETag>${tag}</ETag></Part>`)
  return `<CompleteMultipartUpload>${listed.join('')}</CompleteMultipartUpload>`
}

describe('a multipart upload', () => {
  test('that is completed many times at once is completed once, and all are told the same', async () => {
    const { url, parts, document } = await begun('twice', 'x')
    const answers = await times(8, () => send('POST', url, { body: document }))
    const told = answers.filter(({ status }) => status === 200)
    assert.ok(told.length > 0)
    assert.equal(new Set(told.map((answer) => answer.xml().textOf('ETag'))).size, 1)
    // Who came when all was over may be told that the upload is gone.
    for (const { status, code } of answers) assert.ok(status === 200 || code === 'NoSuchUpload', `${status} ${code}`)
    assert.ok((await send('GET', '/race/twice')).body.equals(Buffer.concat(parts)))
    assert.equal((await send('GET', '/race?uploads&prefix=twice')).xml().all('Upload').length, 0)
  })

  test('that is completed and aborted at once ends as one of the two', async () => {
    for (let round = 0; round < 6; round++) {
      const key = `either-${round}`
      const { url, parts, document } = await begun(key, 'y')
      const [completed, aborted] = await Promise.all([send('POST', url, { body: document }), send('DELETE', url)])
      const found = await send('GET', `/race/${key}`)
      if (completed.status === 200) assert.ok(found.body.equals(Buffer.concat(parts)))
      else {
        assert.equal(completed.code, 'NoSuchUpload')
        assert.equal(aborted.status, 204)
        assert.equal(found.status, 404)
      }
      assert.equal((await send('GET', `/race?uploads&prefix=${key}`)).xml().all('Upload').length, 0)
    }
  })

  test('takes a part again while it is completed as a whole part or not at all', async () => {
    for (let round = 0; round < 6; round++) {
      const key = `resent-${round}`
      const { url, parts, document } = await begun(key, 'z')
      const [completed, resent] = await Promise.all([
        send('POST', url, { body: document }),
        send('PUT', `${url}&partNumber=2`, { body: Buffer.alloc(partBytes, 'other') }),
      ])
      assert.ok(resent.status === 200 || resent.code === 'NoSuchUpload', `${resent.status} ${resent.code}`)
      if (completed.status === 200) {
        assert.ok((await send('GET', `/race/${key}`)).body.equals(Buffer.concat(parts)))
      } else {
        // The part was replaced first: the list names one that is no longer there, and the upload is still open.
        assert.equal(completed.code, 'InvalidPart')
        assert.equal((await send('GET', `/race/${key}`)).status, 404)
        assert.equal((await send('DELETE', url)).status, 204)
      }
    }
  })
})

describe('a list during a storm of puts and deletes', () => {
  test('has what stands all the time, once and in order, and nothing that never was', async () => {
    const standing = Array.from({ length: 60 }, (_, index) => `storm/s${String(index).padStart(3, '0')}`)
    await times(standing.length, (index) => put(standing[index] as string, 'x'))
    let isBlowing = true
    const storm = times(6, async (worker) => {
      for (let turn = 0; isBlowing; turn++) {
        const key = `storm/s${String((turn * 7 + worker) % 60).padStart(3, '0')}/${worker}`
        assert.equal((await put(key, 'x')).status, 200)
        assert.equal((await send('DELETE', `/race/${key}`)).status, 204)
      }
    })
    for (let round = 0; round < 12; round++) {
      const keys: string[] = []
      let token = ''
      do {
        const page = await send('GET', `/race?list-type=2&prefix=storm%2F&max-keys=17${token}`)
        assert.equal(page.status, 200)
        const root = page.xml()
        keys.push(...root.all('Contents').map((entry) => entry.textOf('Key') as string))
        const next = root.textOf('NextContinuationToken')
        token = next === undefined ? '' : `&continuation-token=${encodeURIComponent(next)}`
      } while (token !== '')
      const sorted = [...keys].sort()
      assert.deepEqual(keys, sorted)
      assert.equal(new Set(keys).size, keys.length, 'nothing twice')
      assert.deepEqual(
        keys.filter((key) => !key.slice('storm/'.length).includes('/')),
        standing,
      )
      assert.ok(keys.every((key) => /^storm\/s\d{3}(?:\/[0-5])?$/.test(key)))
    }
    isBlowing = false
    await storm
  })
})
