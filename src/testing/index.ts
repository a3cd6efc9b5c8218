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
export { startCluster } from './start-cluster.ts'
export type { TestChunkServer } from './test-chunk-server.ts'
export type { TestCluster, TestClusterOptions } from './test-cluster.ts'
