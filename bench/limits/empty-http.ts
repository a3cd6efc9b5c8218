/**
 * A server of `node:http` that does nothing: it takes what is sent and answers with as many bytes as the path ends in. What an
 * S3 door could reach at most with the same client. This file is also the program of its process.
 * @module
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

const MiB = 1024 * 1024

export interface EmptyServer extends AsyncDisposable {
  readonly endpoint: string
}

/** @param answerBytes length of the body of each answer to a GET */
export async function startEmptyServer(answerBytes: number): Promise<EmptyServer> {
  const child = fork(import.meta.filename, ['serve', String(answerBytes)], { execArgv: [] })
  const [port] = (await once(child, 'message')) as [number]
  return {
    endpoint: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      child.disconnect()
      await once(child, 'exit')
    },
  }
}

async function serve(answerBytes: number): Promise<void> {
  const piece = Buffer.alloc(Math.min(answerBytes, MiB), 1)
  const server = createServer((request, response) => {
    request.resume()
    request.on('end', () => {
      if (request.method !== 'GET') return response.end()
      response.setHeader('content-length', answerBytes)
      let left = answerBytes
      const send = () => {
        while (left > 0) {
          const part = piece.subarray(0, left)
          left -= part.length
          if (!response.write(part) && left > 0) return void response.once('drain', send)
        }
        response.end()
      }
      send()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  process.send?.((server.address() as AddressInfo).port)
  process.once('disconnect', () => process.exit())
}

if (process.argv[1] === import.meta.filename && process.argv[2] === 'serve') await serve(Number(process.argv[3]))
