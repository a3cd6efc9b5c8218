/** `chunk`: one chunk by the plain HTTP of the servers that hold it. @module */
import { formatDuration } from '../../base/sizes.ts'
import type { VerbRegistry } from '../verb-registry.ts'
import { addVerb } from './verb.ts'

export function registerChunkVerb(registry: VerbRegistry): void {
  addVerb<{ readonly delete?: boolean }>(registry, {
    usage: 'chunk <id>',
    summary: 'show how to reach one chunk by HTTP, with a token for it',
    description:
      'Shows who may hold a chunk (its id is in "stat --chunks"), and for each server a command that fetches it. With --delete it is an order of the leader to delete the chunk, which is given only for one that gc has to delete: for a server that gc itself does not reach. Whoever has a token can use it, until it is too old.',
    flags: [['--delete', "the leader's order to delete it, instead of the right to read it"]],
    examples: ['chunk 00000007000000000000000000002a000000', 'chunk 00000007000000000000000000002a000000 --delete'],
    run: async ({ client, output, options, signal }, id = '') => {
      const forDelete = options.delete === true
      const access = await client.insight.chunkAccess(id, { forDelete, signal })
      output.object({ ...access, operation: forDelete ? 'delete' : 'read' })
      output.line(
        `chunk ${access.chunk} of group ${access.group}; the token is good for ${formatDuration(access.lifeMs)}`,
      )
      for (const { id: server, state, httpAddress } of access.servers) {
        output.line(`# server ${server.slice(0, 8)}, ${state}`)
        const method = forDelete ? '-X DELETE' : '-o chunk.bin'
        output.line(
          `curl -sS ${method} -H 'Authorization: Bearer ${access.token}' http://${httpAddress}/chunks/${access.chunk}`,
        )
      }
    },
  })
}
