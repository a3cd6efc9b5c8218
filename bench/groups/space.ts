/** Giving space back between workloads, so that what servers do later does not count elsewhere. @module */
import type { AshlarClient } from '../../src/client/index.ts'

const pollMs = 250
const mostPolls = 120

/** Empties the trash and waits, for a while, until the chunk servers hold nothing. @returns whether they do */
export async function giveSpaceBack(client: AshlarClient): Promise<boolean> {
  await client.emptyTrash()
  for (let polls = 0; polls < mostPolls; polls++) {
    const nodes = await client.nodes()
    if (nodes.every(({ usedBytes }) => usedBytes === 0)) return true
    await new Promise((resolve) => setTimeout(resolve, pollMs))
  }
  return false
}
