/**
 * One POST to somebody else's server, for webhooks: the only way in which the store itself calls out.
 *
 * Whoever names the address may not be who may reach everything that this machine can. So each address that a name resolves to is
 * judged, and the connection is made to exactly the address that was judged: a name that changes its mind between the two gains
 * nothing. Redirects are not followed, answers are not read, and everything has a deadline.
 * @module
 */
import type { LookupAddress, LookupOptions } from 'node:dns'
import type { ClientRequest, RequestOptions } from 'node:http'
import { BlockList, isIP, isIPv6, type LookupFunction } from 'node:net'
import { AshlarError } from '../base/errors.ts'

export interface PostRequest {
  /** `http:` or `https:`; no user and password in it. */
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
  readonly timeoutMs: number
  /** Addresses of private networks and of this machine may be reached too; those of the link and of cloud metadata never. */
  readonly mayBePrivate: boolean
  readonly signal?: AbortSignal | undefined
}

/**
 * @returns the status; 3xx are not followed
 * @throws {AshlarError} `forbidden`: the address may not be reached; `unavailable`; `timeout`; `invalid-argument`: no such URL
 */
export type HttpPost = (request: PostRequest) => Promise<number>

type Resolve = (host: string, options: LookupOptions) => Promise<readonly LookupAddress[]>

/** @param resolve how names become addresses. Default: as this machine does */
export function createHttpPost(resolve: Resolve = resolveAll): HttpPost {
  return async (request) => {
    const url = checkPostUrl(request.url)
    const host = hostOf(url)
    // An address needs no look-up, and Node makes none.
    if (isIP(host) !== 0) checkAddress(host, request)
    const lookup: LookupFunction = (name, options, done) => {
      resolve(name, { ...options, all: true }).then(
        (addresses) => {
          try {
            for (const { address } of addresses) checkAddress(address, request)
          } catch (error) {
            done(error as Error, [])
            return
          }
          const [first] = addresses
          if (options.all === true) done(null, [...addresses])
          else done(null, first?.address ?? '', first?.family)
        },
        (error) => done(error, []),
      )
    }
    return await send(url, request, lookup)
  }
}

/**
 * Whether such a URL may be posted to, as far as it tells by itself: of a name, each address is judged when it is reached.
 * @throws {AshlarError} `invalid-argument`, `forbidden`
 */
export function checkPostTarget(text: string, { mayBePrivate }: Pick<PostRequest, 'mayBePrivate'>): void {
  const host = hostOf(checkPostUrl(text))
  if (isIP(host) !== 0) checkAddress(host, { mayBePrivate, url: text })
}

function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[|\]$/g, '')
}

/** @throws {AshlarError} `invalid-argument` */
function checkPostUrl(text: string): URL {
  const url = URL.parse(text)
  const isFit = url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === ''
  if (isFit) return url
  throw new AshlarError(
    'invalid-argument',
    'Cannot post to this URL: it must be http or https, without user and password',
  )
}

async function send(url: URL, request: PostRequest, lookup: LookupFunction): Promise<number> {
  const { headers, body, timeoutMs, signal } = request
  const deadline = AbortSignal.timeout(timeoutMs)
  const options: RequestOptions = {
    ...{ method: 'POST', lookup, agent: false },
    headers: { ...headers, 'content-length': body.length },
    signal: signal === undefined ? deadline : AbortSignal.any([deadline, signal]),
  }
  const { request: start } = url.protocol === 'https:' ? await import('node:https') : await import('node:http')
  try {
    return await new Promise<number>((done, fail) => {
      const outgoing: ClientRequest = start(url, options, (incoming) => {
        incoming.destroy()
        done(incoming.statusCode ?? 0)
      })
      outgoing.once('error', fail)
      outgoing.end(body)
    })
  } catch (cause) {
    if (cause instanceof AshlarError) throw cause
    if (deadline.aborted)
      throw new AshlarError('timeout', `Cannot post to ${url.host}: no answer within ${timeoutMs} ms`, { cause })
    throw new AshlarError('unavailable', `Cannot post to ${url.host}: it cannot be reached`, { cause })
  }
}

async function resolveAll(host: string, options: LookupOptions): Promise<readonly LookupAddress[]> {
  const { lookup } = await import('node:dns/promises')
  return await lookup(host, { ...options, all: true })
}

/** Of the link, unspecified, broadcast and multicast: no server of anybody's. `169.254.169.254` tells clouds' credentials. */
const neverReached = lazyBlockList(
  ['0.0.0.0/8', '169.254.0.0/16', '224.0.0.0/4', '240.0.0.0/4'],
  ['::/128', 'fe80::/10', 'ff00::/8', 'fd00:ec2::254/128', 'fd20:ce::254/128'],
)
/** `100.100.100.200` and its likes are in a range that providers share with their customers. */
const privateOnes = lazyBlockList(
  ['10.0.0.0/8', '127.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', '192.0.0.0/24', '198.18.0.0/15'],
  ['::1/128', 'fc00::/7', '64:ff9b::/96', '64:ff9b:1::/48', '2002::/16', '2001::/32'],
)

/** Made when it is first asked for: a gateway that posts nothing starts with 9 ms of CPU less of its 120. */
function lazyBlockList(v4: readonly string[], v6: readonly string[]): () => BlockList {
  let list: BlockList | undefined
  return () => {
    list ??= blockListOf([...v4, ...v6])
    return list
  }
}

function blockListOf(ranges: readonly string[]): BlockList {
  const list = new BlockList()
  for (const range of ranges) {
    const [address = '', prefix] = range.split('/')
    list.addSubnet(address, Number(prefix), isIPv6(address) ? 'ipv6' : 'ipv4')
  }
  return list
}

/** An IPv4 address inside IPv6 is the IPv4 one. */
function checkAddress(address: string, { mayBePrivate, url }: Pick<PostRequest, 'mayBePrivate' | 'url'>): void {
  const family = isIPv6(address) ? 'ipv6' : 'ipv4'
  const isForbidden = neverReached().check(address, family) || (!mayBePrivate && privateOnes().check(address, family))
  if (!isForbidden && isIP(address) !== 0) return
  const why = mayBePrivate ? 'no server can have this address' : 'its address is a private one'
  throw new AshlarError('forbidden', `Cannot post to ${new URL(url).host}: ${why}`)
}
