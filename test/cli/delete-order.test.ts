/** An order to delete, from the command line to the door of a chunk server that the master itself does not reach. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually, run, upTemp } from './cli-process.ts'

interface Access {
  readonly token: string
  readonly servers: readonly { readonly id: string; readonly httpAddress: string }[]
}

// The server stands still until gc has passed it over; then the master does, so that nobody deletes but the request.
test('an order of "chunk --delete" removes a chunk from a server that gc did not reach, and only that chunk', async () => {
  await using cluster = await upTemp()
  const ashlar = async (...args: string[]) => {
    const { exitCode, stdout, stderr } = await run([...args, '--json'], {
      cluster: cluster.cluster,
      input: 'some bytes',
    })
    assert.equal(exitCode, 0, stderr)
    return JSON.parse(stdout || '{}')
  }
  await ashlar('put', '-', '/doomed')
  const chunk: string = (await ashlar('stat', '--chunks', '/doomed')).chunks[0].chunkId
  const read: Access = await ashlar('chunk', chunk)
  const { id, pid = 0 } = cluster.ready.processes.find(({ role }) => role === 'chunkserver') ?? {}
  const url = `http://${read.servers.find((server) => server.id === id)?.httpAddress}/chunks/${chunk}`
  const send = async (method: string, { token }: Access, at = url) => {
    const response = await fetch(at, { method, headers: { authorization: `Bearer ${token}` } })
    return { status: response.status, text: await response.text() }
  }
  process.kill(pid, 'SIGSTOP')
  const [master = 0] = cluster.pidsOf('master')
  try {
    await eventually('the server is not up', async () =>
      (await ashlar('nodes')).some((node: { id: string; state: string }) => node.id === id && node.state !== 'up'),
    )
    await ashlar('rm', '/doomed')
    await ashlar('trash', 'empty', '--yes')
    const order: Access = await ashlar('chunk', chunk, '--delete')
    process.kill(master, 'SIGSTOP')
    process.kill(pid, 'SIGCONT')
    assert.deepEqual(await send('GET', read), { status: 200, text: 'some bytes' })
    assert.equal((await send('DELETE', read)).status, 403, 'what permits a read permits no delete')
    const neighbour = `${chunk.slice(0, 27)}${chunk[27] === '0' ? '1' : '0'}${chunk.slice(28)}`
    assert.equal((await send('DELETE', order, url.replace(chunk, neighbour))).status, 403)
    assert.equal((await send('DELETE', order)).status, 204)
    assert.equal((await send('GET', read)).status, 404)
    assert.equal((await send('DELETE', order)).status, 204, 'again, it is still gone')
  } finally {
    for (const each of [master, pid]) process.kill(each, 'SIGCONT')
  }
})
