/** `explain`: why things are as they are, and what would happen if a server died now. @module */

import { AshlarError } from '../../base/errors.ts'
import { formatCount } from '../../base/sizes.ts'
import type { AshlarClient, GroupExplanation, NodeStatus } from '../../client/index.ts'
import type { VerbRegistry } from '../verb-registry.ts'
import { describeGroup, describeRefusal, describeServer } from './describe-explanation.ts'
import { addVerb } from './verb.ts'

const groupsShown = 16

export function registerExplainVerb(registry: VerbRegistry): void {
  addVerb(registry, {
    usage: 'explain <what> [name]',
    summary: 'say why a file lies where it does, why a server is in its state, why a write was refused',
    description:
      'Explains a file (its path), "group" and its number, "server" and its id, address or domain, or "refusal" and the id that an error named. For each server: what would happen if it died now.',
    examples: ['explain /data/a.csv', 'explain server host3', 'explain group 7', 'explain refusal r4-12'],
    run: async ({ client, output, signal }, what = '', name) => {
      if (what.startsWith('/')) {
        const file = await explainFile(client, what, signal)
        output.object(file)
        output.line(
          `${file.path}: ${formatCount(file.chunkCount, 'chunk')} in ${formatCount(file.groupCount, 'group')}, policy ${file.policy}`,
        )
        for (const group of file.groups) for (const line of describeGroup(group)) output.line(line)
        if (file.groupCount > file.groups.length) output.line(`… ${file.groupCount - file.groups.length} more groups`)
        return
      }
      if (name === undefined || !['group', 'server', 'refusal'].includes(what)) {
        throw new AshlarError(
          'invalid-argument',
          `Cannot explain "${what.slice(0, 100)}": name a path, or say group, server or refusal and which`,
        )
      }
      if (what === 'group') {
        const explanation = await client.insight.explainGroup(groupNumber(name), { signal })
        output.object(explanation)
        for (const line of describeGroup(explanation)) output.line(line)
      } else if (what === 'server') {
        const { id } = await findServer(client, name, signal)
        const explanation = await client.insight.explainServer(id, { signal })
        output.object(explanation)
        for (const line of describeServer(explanation)) output.line(line)
      } else {
        const refusal = await client.insight.explainRefusal(name, { signal })
        output.object(refusal)
        for (const line of describeRefusal(refusal)) output.line(line)
      }
    },
  })
}

interface FileExplanation {
  readonly path: string
  readonly policy: string
  readonly chunkCount: number
  readonly groupCount: number
  readonly groups: readonly GroupExplanation[]
}

async function explainFile(client: AshlarClient, path: string, signal: AbortSignal): Promise<FileExplanation> {
  const chunks = new Set<string>()
  const groups = new Set<number>()
  let policy = ''
  for await (const chunk of client.describeChunks(path, { signal })) {
    chunks.add(chunk.chunkId)
    groups.add(chunk.group)
    policy = chunk.policy ?? ''
  }
  if (policy === '') policy = (await client.stat(path, { signal })).policy ?? ''
  const shown = [...groups].slice(0, groupsShown)
  const explained = await Promise.all(shown.map((group) => client.insight.explainGroup(group, { signal })))
  return { path, policy, chunkCount: chunks.size, groupCount: groups.size, groups: explained }
}

function groupNumber(text: string): number {
  if (/^\d{1,10}$/.test(text)) return Number(text)
  throw new AshlarError(
    'invalid-argument',
    `Cannot explain group "${text.slice(0, 40)}": give its number, as "ashlar groups" shows`,
  )
}

async function findServer(client: AshlarClient, name: string, signal: AbortSignal): Promise<NodeStatus> {
  const nodes = await client.nodes({ signal })
  const found = nodes.filter(({ id, address, domain }) => id.startsWith(name) || address === name || domain === name)
  if (found.length === 1) return found[0] as NodeStatus
  throw new AshlarError(
    found.length === 0 ? 'not-found' : 'invalid-argument',
    `Cannot explain server "${name.slice(0, 100)}": ${found.length === 0 ? 'there is none of this name' : `${found.length} have this name; give more of the id`}`,
  )
}
