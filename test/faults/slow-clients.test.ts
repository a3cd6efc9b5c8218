/** Clients of the HTTP door that begin and do not go on: the others must not notice. */
import assert from 'node:assert/strict'
import { connect, type Socket } from 'node:net'
import { test } from 'node:test'
import { startCluster } from '../../src/testing/index.ts'

test('hundreds of HTTP clients that stall in their headers or bodies keep nobody else out, and leave no bytes', async () => {
  await using cluster = await startCluster({ http: true })
  const { url, token } = cluster.http as { readonly url: string; readonly token: string }
  const { hostname, port } = new URL(url)
  const headers = { authorization: `Bearer ${token}` }
  const sockets: Socket[] = []
  try {
    for (let count = 0; count < 300; count++) {
      const socket = connect({ host: hostname, port: Number(port) })
      // The door may end it whenever it likes.
      socket.on('error', () => socket.destroy())
      const stalled = `PUT /files/stalled-${count} HTTP/1.1\r\nHost: door\r\nAuthorization: Bearer ${token}\r\n`
      socket.write(count % 2 === 0 ? stalled : `${stalled}Content-Length: 100000\r\n\r\nsome of it`)
      sockets.push(socket)
    }
    await new Promise((resolve) => setTimeout(resolve, 300))
    assert.ok(sockets.filter(({ destroyed }) => !destroyed).length > 200, 'they are all still there')
    for (let count = 0; count < 20; count++) {
      const put = await fetch(`${url}/files/f${count}`, { method: 'PUT', headers, body: `content ${count}` })
      assert.equal(put.status, 201)
      const get = await fetch(`${url}/files/f${count}`, { headers })
      assert.equal(await get.text(), `content ${count}`)
    }
  } finally {
    for (const socket of sockets) socket.destroy()
  }
  const names = await cluster.client.readdir('/')
  assert.deepEqual(
    names.filter((name) => name.startsWith('stalled')),
    [],
  )
})
