/**
 * The network within the machine, by bare sockets between two processes: MiB a second of one connection, and round trips
 * of 64 bytes at several depths. This file is also the program of the other process.
 * @module
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

const MiB = 1024 * 1024
const messageBytes = 64
const blockBytes = MiB

/** @returns per second */
export interface LoopbackRates {
  readonly streamMiB: number
  /** By the number of requests under way. */
  readonly roundTrips: ReadonlyMap<number, number>
}

export async function loopbackRates(depths: readonly number[], milliseconds: number): Promise<LoopbackRates> {
  const child = fork(import.meta.filename, ['serve'], { execArgv: [] })
  try {
    const [ports] = (await once(child, 'message')) as [{ echo: number; sink: number }]
    const roundTrips = new Map<number, number>()
    for (const depth of depths) roundTrips.set(depth, await echoRate(ports.echo, { depth, milliseconds }))
    return { streamMiB: await streamRate(ports.sink, milliseconds), roundTrips }
  } finally {
    child.disconnect()
    await once(child, 'exit')
  }
}

async function dial(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  await once(socket, 'connect')
  return socket
}

async function echoRate(port: number, options: { depth: number; milliseconds: number }): Promise<number> {
  const socket = await dial(port)
  const message = Buffer.alloc(messageBytes, 1)
  const startMs = performance.now()
  const endMs = startMs + options.milliseconds
  let receivedBytes = 0
  let partBytes = 0
  const done = Promise.withResolvers<void>()
  socket.on('data', (bytes) => {
    receivedBytes += bytes.length
    if (performance.now() >= endMs) return done.resolve()
    partBytes += bytes.length
    socket.cork()
    for (; partBytes >= messageBytes; partBytes -= messageBytes) socket.write(message)
    socket.uncork()
  })
  socket.cork()
  for (let index = 0; index < options.depth; index++) socket.write(message)
  socket.uncork()
  await done.promise
  const seconds = (performance.now() - startMs) / 1000
  socket.destroy()
  return receivedBytes / messageBytes / seconds
}

async function streamRate(port: number, milliseconds: number): Promise<number> {
  const socket = await dial(port)
  const block = Buffer.alloc(blockBytes, 2)
  const startMs = performance.now()
  let sentBytes = 0
  while (performance.now() < startMs + milliseconds) {
    sentBytes += blockBytes
    if (!socket.write(block)) await once(socket, 'drain')
  }
  socket.end()
  await once(socket, 'close')
  return sentBytes / MiB / ((performance.now() - startMs) / 1000)
}

async function serve(): Promise<void> {
  const echo = createServer({ noDelay: true }, (socket) => socket.pipe(socket))
  const sink = createServer((socket) => socket.resume())
  for (const server of [echo, sink]) {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  }
  const portOf = (server: typeof echo) => (server.address() as AddressInfo).port
  process.send?.({ echo: portOf(echo), sink: portOf(sink) })
  process.once('disconnect', () => process.exit())
}

if (process.argv[1] === import.meta.filename && process.argv[2] === 'serve') await serve()
