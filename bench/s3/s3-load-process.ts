/**
 * The port of `tools/s3bench.go` for machines without Go: the same options, requests and line of JSON. Requests are signed with
 * the payload unsigned (SigV4); each object differs in its first bytes; what is read or looked at is drawn at random.
 * @module
 */
import { createHash, createHmac, randomFillSync } from 'node:crypto'
import { Agent, request } from 'node:http'
import { parseArgs } from 'node:util'
import { spread } from '../spread.ts'

const { values } = parseArgs({
  options: {
    endpoint: { type: 'string', default: 'http://127.0.0.1:9000' },
    ak: { type: 'string', default: 'test' },
    sk: { type: 'string', default: 'testtest' },
    region: { type: 'string', default: 'us-east-1' },
    op: { type: 'string', default: 'put' },
    bucket: { type: 'string', default: 'bench' },
    prefix: { type: 'string', default: 'o/' },
    size: { type: 'string', default: '4096' },
    n: { type: 'string', default: '10000' },
    c: { type: 'string', default: '16' },
    anon: { type: 'boolean', default: false },
  },
})
const url = new URL(values.endpoint)
const [sizeBytes, count, inFlight] = [Number(values.size), Number(values.n), Number(values.c)]
const agent = new Agent({ keepAlive: true, maxSockets: inFlight })
const emptyHash = createHash('sha256').digest('hex')
const mac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest()

let signer: { readonly day: string; readonly key: Buffer } | undefined

function keyOf(day: string): Buffer {
  if (signer?.day !== day) {
    const key = mac(mac(mac(mac(`AWS4${values.sk}`, day), values.region), 's3'), 'aws4_request')
    signer = { day, key }
  }
  return signer.key
}

function signed(method: string, path: string, query: string, payload: string): Record<string, string> {
  if (values.anon) return {}
  const timestamp = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '')
  const day = timestamp.slice(0, 8)
  const names = 'host;x-amz-content-sha256;x-amz-date'
  const headers = `host:${url.host}\nx-amz-content-sha256:${payload}\nx-amz-date:${timestamp}\n`
  const canonical = [method, path, query, headers, names, payload].join('\n')
  const scope = `${day}/${values.region}/s3/aws4_request`
  const digest = createHash('sha256').update(canonical).digest('hex')
  const signature = mac(keyOf(day), `AWS4-HMAC-SHA256\n${timestamp}\n${scope}\n${digest}`).toString('hex')
  return {
    'x-amz-date': timestamp,
    'x-amz-content-sha256': payload,
    authorization: `AWS4-HMAC-SHA256 Credential=${values.ak}/${scope}, SignedHeaders=${names}, Signature=${signature}`,
  }
}

interface Answer {
  readonly status: number
  readonly bytes: number
  /** Of errors and lists. */
  readonly text: string
}

interface Sent {
  readonly query?: string
  readonly body?: Buffer | undefined
  readonly keepText?: boolean
}

function send(method: string, path: string, { query = '', body, keepText = false }: Sent = {}): Promise<Answer> {
  const headers: Record<string, string | number> = signed(method, path, query, body ? 'UNSIGNED-PAYLOAD' : emptyHash)
  if (body !== undefined) headers['content-length'] = body.length
  const target = query === '' ? path : `${path}?${query}`
  return new Promise((resolve, reject) => {
    const sending = request(
      { agent, method, host: url.hostname, port: url.port, path: target, headers },
      (response) => {
        const status = response.statusCode ?? 0
        let bytes = 0
        let text = ''
        response.on('data', (piece: Buffer) => {
          bytes += piece.length
          if (keepText || status >= 300) text += piece.toString('latin1')
        })
        response.on('end', () => resolve({ status, bytes, text }))
        response.on('error', reject)
      },
    )
    sending.on('error', reject)
    sending.end(body)
  })
}

const keyPath = (index: number) =>
  `/${values.bucket}/${values.prefix}${String(index % 100).padStart(5, '0')}/${String(index).padStart(8, '0')}`

async function one(index: number, body: Buffer): Promise<void> {
  const isRead = values.op === 'get' || values.op === 'head'
  const key = isRead ? Math.floor(Math.random() * count) : index
  if (values.op === 'put' && sizeBytes >= 8) body.writeBigUInt64LE(BigInt(key) + 1n)
  const answer = await send(values.op.toUpperCase(), keyPath(key), values.op === 'put' ? { body } : {})
  if (answer.status >= 300) throw new Error(`${answer.status} ${answer.text.slice(0, 300)}`)
  if (values.op === 'get' && answer.bytes !== sizeBytes) throw new Error(`short read ${answer.bytes}`)
}

async function list(): Promise<number> {
  const ofText = (text: string, name: string) => new RegExp(`<${name}>([^<]*)</${name}>`).exec(text)?.[1]
  let keys = 0
  for (let token: string | undefined = ''; token !== undefined; ) {
    const from = token === '' ? '' : `continuation-token=${encodeURIComponent(token)}&`
    const query = `${from}list-type=2&prefix=${encodeURIComponent(values.prefix)}`
    const { status, text } = await send('GET', `/${values.bucket}`, { query, keepText: true })
    if (status !== 200) throw new Error(`${status} ${text.slice(0, 300)}`)
    keys += text.split('<Contents>').length - 1
    token = ofText(text, 'NextContinuationToken')
  }
  return keys
}

const startMs = performance.now()
const seconds = () => (performance.now() - startMs) / 1000
if (values.op === 'mkbucket') {
  const { status, text } = await send('PUT', `/${values.bucket}`)
  console.log(status, text)
} else if (values.op === 'list') {
  const keys = await list()
  console.log(JSON.stringify({ op: 'list', keys, secs: seconds(), keys_s: Math.round(keys / seconds()) }))
} else {
  const free = Array.from({ length: inFlight }, () => randomFillSync(Buffer.alloc(sizeBytes)))
  let errors = 0
  let firstError = ''
  await spread(count, inFlight, async (index) => {
    const body = free.pop() as Buffer<ArrayBuffer>
    try {
      await one(index, body)
    } catch (error) {
      errors++
      firstError ||= (error as Error).message
    } finally {
      free.push(body)
    }
  })
  const secs = seconds()
  const ok = count - errors
  console.log(
    JSON.stringify({ op: values.op, ok, errors, secs, ops_s: Math.round(ok / secs), first_error: firstError }),
  )
}
agent.destroy()
