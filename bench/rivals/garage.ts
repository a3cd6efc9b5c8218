/**
 * Garage as `ASHLAR_BENCH_GARAGE` names its program: three nodes on this machine, three copies, at its defaults (`metadata_fsync` and
 * `data_fsync` off; on with `ASHLAR_BENCH_GARAGE_SYNC=1`).
 * @module
 */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { freePorts } from './free-ports.ts'
import { answering, type S3Rival, startServer, stopServers } from './rival.ts'

const run = promisify(execFile)
const nodes = 3
const region = 'garage'

export function garage(environment: Readonly<Record<string, string | undefined>>): S3Rival | undefined {
  const program = environment['ASHLAR_BENCH_GARAGE']
  if (program === undefined) return undefined
  const isSynced = environment['ASHLAR_BENCH_GARAGE_SYNC'] === '1'
  return {
    name: isSynced ? 'Garage, synced' : 'Garage',
    durability: isSynced ? 'three copies, synced' : 'three copies, nothing synced',
    async start(folder) {
      const ports = await freePorts(2 * nodes)
      const rpcSecret = randomBytes(32).toString('hex')
      const configs = await Promise.all(
        Array.from({ length: nodes }, (_, index) =>
          writeConfig(join(folder, `node-${index}`), {
            ...{ rpcSecret, isSynced, rpcPort: ports[2 * index] as number, s3Port: ports[2 * index + 1] as number },
          }),
        ),
      )
      const children = configs.map((config) => startServer(program, ['-c', config, 'server'], { cwd: folder }))
      const endpoint = `http://127.0.0.1:${ports[1]}`
      const key = {
        accessKeyId: `GK${randomBytes(12).toString('hex')}`,
        secretAccessKey: randomBytes(32).toString('hex'),
      }
      try {
        for (let index = 0; index < nodes; index++)
          await answering(`http://127.0.0.1:${ports[2 * index + 1]}`, children)
        await setUp(program, { configs, key })
      } catch (error) {
        await stopServers(children)
        throw error
      }
      return {
        s3: { endpoint, region, ...key },
        pids: children.map(({ pid }) => pid as number),
        [Symbol.asyncDispose]: () => stopServers(children),
      }
    },
  }
}

interface Config {
  readonly rpcSecret: string
  readonly isSynced: boolean
  readonly rpcPort: number
  readonly s3Port: number
}

async function writeConfig(folder: string, { rpcSecret, isSynced, rpcPort, s3Port }: Config): Promise<string> {
  await mkdir(folder)
  const path = join(folder, 'garage.toml')
  const text = `metadata_dir = "${folder}/meta"
data_dir = "${folder}/data"
db_engine = "lmdb"
metadata_fsync = ${isSynced}
data_fsync = ${isSynced}
replication_factor = 3
rpc_bind_addr = "127.0.0.1:${rpcPort}"
rpc_public_addr = "127.0.0.1:${rpcPort}"
rpc_secret = "${rpcSecret}"
[s3_api]
s3_region = "${region}"
api_bind_addr = "127.0.0.1:${s3Port}"
`
  await writeFile(path, text, { mode: 0o600 })
  return path
}

interface SetUp {
  readonly configs: readonly string[]
  readonly key: { readonly accessKeyId: string; readonly secretAccessKey: string }
}

/** Joins the nodes, gives each a zone, and imports a key that may make buckets. */
async function setUp(program: string, { configs, key }: SetUp): Promise<void> {
  const command = async (config: string, ...args: string[]) =>
    (await run(program, ['-c', config, ...args])).stdout.trim()
  const [first] = configs as [string]
  const ids = await Promise.all(configs.map((config) => command(config, 'node', 'id', '-q')))
  for (const id of ids.slice(1)) await command(first, 'node', 'connect', id)
  for (const [index, id] of ids.entries()) {
    await command(first, 'layout', 'assign', '-z', `zone${index}`, '-c', '50G', id.split('@')[0] as string)
  }
  await command(first, 'layout', 'apply', '--version', '1')
  await command(first, 'key', 'import', '--yes', '-n', 'bench', key.accessKeyId, key.secretAccessKey)
  await command(first, 'key', 'allow', '--create-bucket', key.accessKeyId)
}
