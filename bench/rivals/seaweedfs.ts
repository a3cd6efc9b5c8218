/**
 * SeaweedFS as `ASHLAR_BENCH_SEAWEEDFS` names its program (`weed`): master, volume server, filer and S3 door in one process, one copy, at
 * its defaults. Without identities it takes any signature.
 * @module
 */
import { freePorts } from './free-ports.ts'
import { answering, type S3Rival, startServer, stopServers } from './rival.ts'

export function seaweedfs(environment: Readonly<Record<string, string | undefined>>): S3Rival | undefined {
  const program = environment['ASHLAR_BENCH_SEAWEEDFS']
  if (program === undefined) return undefined
  return {
    name: 'SeaweedFS',
    durability: 'one copy, nothing synced',
    async start(folder) {
      const [master, volume, filer, s3] = await freePorts(4)
      const ports = [`-master.port=${master}`, `-volume.port=${volume}`, `-filer.port=${filer}`, `-s3.port=${s3}`]
      const args = ['server', `-dir=${folder}`, '-ip=127.0.0.1', '-filer', '-s3', '-volume.max=50', ...ports]
      const child = startServer(program, args, { cwd: folder })
      const endpoint = `http://127.0.0.1:${s3}`
      try {
        await answering(endpoint, [child])
      } catch (error) {
        await stopServers([child])
        throw error
      }
      return {
        s3: { endpoint, accessKeyId: 'bench', secretAccessKey: 'bench', region: 'us-east-1' },
        pids: [child.pid as number],
        [Symbol.asyncDispose]: () => stopServers([child]),
      }
    },
  }
}
