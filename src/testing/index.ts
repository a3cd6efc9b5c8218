/**
 * `ashlar/testing`: a whole cluster in the test's own process.
 *
 * @example
 * ```ts
 * import { startCluster } from 'ashlar/testing'
 *
 * await using cluster = await startCluster()
 * await cluster.client.writeFile('/hello', 'world')
 * await cluster.chunkServers[1].kill()
 * console.log(await cluster.client.readFile('/hello', 'utf8'))
 * ```
 * @module
 */
import '../env/require-node.ts'
import type { TestCluster, TestClusterOptions } from './test-cluster.ts'

export type { TestChunkServer } from './test-chunk-server.ts'
export type { TestCluster, TestClusterOptions, TestS3Access } from './test-cluster.ts'

/**
 * Starts a cluster in this process, ready for reads and writes.
 * @throws {AshlarError} `invalid-argument` — a policy that the servers do not allow
 */
export async function startCluster(options: TestClusterOptions = {}): Promise<TestCluster> {
  const { startTestCluster } = await import('./start-cluster.ts')
  return await startTestCluster(options)
}
