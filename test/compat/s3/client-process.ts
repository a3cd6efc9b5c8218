/** Programs of others as clients of the S3 door of a test's cluster: run in a folder of the test, with its keys and nothing of this machine. @module */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import type { TestCluster } from '../../../src/testing/index.ts'

export const installTimeoutMs = 240_000
const runTimeoutMs = 60_000

export interface RunOptions {
  readonly folder: string
  readonly timeoutMs?: number
  readonly env?: NodeJS.ProcessEnv
}

/** @returns what it wrote to stdout. @throws {Error} it ended badly, or was not done in time: with the end of its stderr */
export function runClient(
  command: string,
  args: readonly string[],
  { folder, timeoutMs = runTimeoutMs, env = {} }: RunOptions,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env: { ...process.env, ...env }, cwd: folder, timeout: timeoutMs })
    let stdout = ''
    let stderr = ''
    child.stdout.on('data', (text) => (stdout += text))
    child.stderr.on('data', (text) => (stderr += text))
    child.once('error', reject)
    child.once('close', (code) => {
      if (code === 0) resolve(stdout)
      else reject(new Error(`${command} ended with ${code}: ${stderr.slice(-1000)}`))
    })
  })
}

/** The variables that AWS's clients read. @param folder one without a configuration of theirs */
export function accessOf({ s3 }: TestCluster, folder: string): Record<string, string> {
  const { endpoint, accessKeyId, secretAccessKey, region } = s3 as NonNullable<TestCluster['s3']>
  return {
    AWS_ENDPOINT_URL: endpoint,
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_DEFAULT_REGION: region,
    AWS_REGION: region,
    AWS_CONFIG_FILE: join(folder, 'none'),
    AWS_SHARED_CREDENTIALS_FILE: join(folder, 'none'),
    AWS_EC2_METADATA_DISABLED: 'true',
  }
}
