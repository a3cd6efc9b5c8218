/** HTTP as bytes, for what no well-behaved client would send. @module */
import { connect, type Socket } from 'node:net'

export interface RawAnswer {
  /** 0: the connection ended without an answer. */
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export interface RawConnection {
  readonly socket: Socket
  /** Resolves when the server has ended the connection. */
  readonly answer: Promise<RawAnswer>
}

/** Opens a connection and sends `head` (its lines, without the last empty one) and what belongs to the body so far. */
export function openRaw(url: string, head: readonly string[], body: Buffer | string = ''): RawConnection {
  const { hostname, port, host } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port) })
  const parts: Buffer[] = []
  socket.on('data', (bytes: Buffer) => parts.push(bytes))
  // A server may cut a connection whose body it does not want; what it answered before counts.
  socket.on('error', () => undefined)
  const answer = new Promise<RawAnswer>((resolve) => {
    socket.once('close', () => resolve(parse(Buffer.concat(parts).toString('latin1'))))
  })
  socket.write([...head, `Host: ${host}`, '', ''].join('\r\n'))
  if (body.length > 0) socket.write(body)
  return { socket, answer }
}

/** One request on a connection of its own. */
export function rawRequest(url: string, head: readonly string[], body: Buffer | string = ''): Promise<RawAnswer> {
  const { answer } = openRaw(url, [...head, 'Connection: close'], body)
  return answer
}

function parse(text: string): RawAnswer {
  const end = text.indexOf('\r\n\r\n')
  const [statusLine = '', ...lines] = text.slice(0, Math.max(0, end)).split('\r\n')
  const headers: Record<string, string> = Object.create(null)
  for (const line of lines) {
    const colon = line.indexOf(':')
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim()
  }
  return { status: Number(/^HTTP\/1\.1 (\d{3})/.exec(statusLine)?.[1] ?? 0), headers, body: text.slice(end + 4) }
}
