/** Ports that nobody listens on now. @module */
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'

/** @returns different ones; another program may take them meanwhile */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  const ports = await Promise.all(
    servers.map(async (server) => {
      await once(server, 'listening')
      return (server.address() as AddressInfo).port
    }),
  )
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}
