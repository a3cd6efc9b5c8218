/**
 * Which S3 door `cluster.json` names, so that `ashlar s3 env` can tell it: the one of `ashlar up`, else the first that was started. A
 * further door leaves that name alone as long as something listens there: it may be gone again in a minute.
 * @module
 */
import { AshlarError } from '../../base/errors.ts'
import { type ClusterFile, formatClusterFile, readClusterFile } from '../../client/cluster-file.ts'
import type { Env } from '../../env/env.ts'

/** Of the whole question whether another door is there. */
const connectTimeoutMs = 1_000

export interface ToldEndpoint {
  /** URL of a door that listens. */
  readonly endpoint: string
  /** It is the cluster's own, and takes the name from any other. */
  readonly isClusters: boolean
}

/**
 * @param path of `cluster.json`
 * @returns why the file could not be written, where that is so: it may be a copy that nobody may change, and the door serves all the same
 */
export async function tellEndpoint(
  { disk, network }: Pick<Env, 'disk' | 'network'>,
  path: string,
  { endpoint, isClusters }: ToldEndpoint,
): Promise<AshlarError | undefined> {
  const file = await readClusterFile(disk, path)
  const named = file.s3?.endpoint
  if (file.s3 === undefined || named === endpoint) return
  if (!isClusters && named !== undefined && (await isListening(network, named))) return
  const told: ClusterFile = { ...file, s3: { ...file.s3, endpoint } }
  try {
    await disk.writeSmall(path, Buffer.from(formatClusterFile(told)))
  } catch (error) {
    if (error instanceof AshlarError) return error
    throw error
  }
}

async function isListening(network: Env['network'], url: string): Promise<boolean> {
  const { hostname, port, protocol } = new URL(url)
  const usualPort = protocol === 'https:' ? 443 : 80
  try {
    const connection = await network.connect(`${hostname}:${port === '' ? usualPort : port}`, {
      timeoutMs: connectTimeoutMs,
    })
    connection.destroy()
    return true
  } catch (error) {
    // Refused, or no answer in time: nobody is there.
    if (error instanceof AshlarError) return false
    throw error
  }
}
