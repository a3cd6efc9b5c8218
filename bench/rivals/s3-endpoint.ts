/**
 * Any S3 endpoint that already runs: `ASHLAR_BENCH_S3_ENDPOINT`, with the key in `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, the region in
 * `AWS_REGION`, and the name to show in `ASHLAR_BENCH_S3_NAME`.
 * @module
 */
import { answering, type S3Rival } from './rival.ts'

export function s3Endpoint(environment: Readonly<Record<string, string | undefined>>): S3Rival | undefined {
  const endpoint = environment['ASHLAR_BENCH_S3_ENDPOINT']
  if (endpoint === undefined) return undefined
  const s3 = {
    endpoint,
    accessKeyId: environment['AWS_ACCESS_KEY_ID'] ?? '',
    secretAccessKey: environment['AWS_SECRET_ACCESS_KEY'] ?? '',
    region: environment['AWS_REGION'] ?? 'us-east-1',
  }
  return {
    name: environment['ASHLAR_BENCH_S3_NAME'] ?? new URL(endpoint).host,
    durability: 'as it was started',
    async start() {
      await answering(endpoint)
      return { s3, pids: [], [Symbol.asyncDispose]: async () => undefined }
    },
  }
}
