/**
 * The record by which metadata knows whose it is: so that a master never runs one cluster's metadata under another's
 * identity, nor metadata of a later generation as if nothing had happened.
 * @module
 */
import { field, hex, struct, uint } from '../base/codec.ts'
import { AshlarError } from '../base/errors.ts'
import type { ClusterId } from '../base/ids.ts'
import type { Leader, Namespace } from '../namespace/namespace.ts'

const recordName = 'cluster'

const clusterRecord = struct('cluster record', 1, {
  clusterId: field(1, hex<ClusterId>(16)),
  generation: field(2, uint),
})

export interface ClusterIdentity {
  readonly clusterId: ClusterId
  readonly generation: number
}

/** @throws {AshlarError} `wrong-cluster` — the metadata is another cluster's; `bad-store` — of a later generation */
export async function checkClusterRecord(
  namespace: Namespace,
  leader: Leader,
  identity: ClusterIdentity,
): Promise<void> {
  const stored = await namespace.getRecord(recordName)
  const known = stored === undefined ? undefined : clusterRecord.decode(stored)
  if (known !== undefined && known.clusterId !== identity.clusterId) {
    throw new AshlarError(
      'wrong-cluster',
      `Cannot start master: its metadata is of cluster ${known.clusterId}, its data folder of ${identity.clusterId}`,
    )
  }
  if (known !== undefined && known.generation > identity.generation) {
    throw new AshlarError(
      'bad-store',
      `Cannot start master: its metadata is of generation ${known.generation}, its data folder of ${identity.generation}. ` +
        'The folder was restored from an older copy: raise its generation.',
    )
  }
  if (known?.generation !== identity.generation) await leader.putRecord(recordName, clusterRecord.encode(identity))
}
