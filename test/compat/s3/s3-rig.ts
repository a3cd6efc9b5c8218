/** A cluster in this process with an S3 door, and three accounts. @module */
import { createNodeEnv } from '../../../src/env/node-env.ts'
import { type AccessKey, staticAccounts } from '../../../src/gateway/s3/auth/accounts.ts'
import { type S3GatewayOptions, startS3Gateway } from '../../../src/gateway/s3/s3-gateway.ts'
import { startCluster, type TestCluster } from '../../../src/testing/index.ts'
import type { TestClusterOptions } from '../../../src/testing/test-cluster.ts'
import { S3Client } from './s3-client.ts'

export const rootKey = key('root', { isRoot: true })
export const aliceKey = key('alice')
export const bobKey = key('bob')

function key(name: string, { isRoot = false } = {}): AccessKey {
  return {
    accessKeyId: `${name.toUpperCase()}KEY`,
    secretAccessKey: `${name}-secret/+`,
    account: { id: `${name}-id`, userName: name, displayName: name, email: `${name}@example.com`, isRoot },
  }
}

export interface S3Rig extends AsyncDisposable {
  readonly cluster: TestCluster
  readonly endpoint: string
  /** Of the root account. */
  readonly s3: S3Client
  readonly alice: S3Client
  readonly bob: S3Client
}

export async function startS3Rig(
  options: TestClusterOptions & { readonly gateway?: Partial<S3GatewayOptions> } = {},
): Promise<S3Rig> {
  const cluster = await startCluster(options)
  const door = await startS3Gateway({
    env: createNodeEnv({ log: 'warn' }),
    client: cluster.client,
    listenAddress: '127.0.0.1:0',
    accounts: staticAccounts([rootKey, aliceKey, bobKey]),
    ...options.gateway,
  })
  const endpoint = `http://${door.address}`
  const s3 = new S3Client(endpoint, rootKey)
  return {
    cluster,
    endpoint,
    s3,
    alice: s3.as(aliceKey),
    bob: s3.as(bobKey),
    [Symbol.asyncDispose]: async () => {
      await door.close()
      await cluster.close()
    },
  }
}
