/**
 * HDFS as `ASHLAR_BENCH_HDFS` names it: an unpacked Hadoop, or a folder of the jars of `hadoop-hdfs`, `hadoop-hdfs-client` and `hadoop-common`
 * with all that they need. A NameNode and three DataNodes on this machine, three copies, at its defaults: the NameNode syncs its log, the
 * DataNodes sync no data (they do when a block is closed, with `ASHLAR_BENCH_HDFS_SYNC=1`). Java is `JAVA_HOME`'s, or the one that is found.
 *
 * Files go through HDFS's own client in a process of its own (`tools/HdfsBench.java`, which Java compiles as it starts it).
 * @module
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { projectFolder } from '../package-copy.ts'
import { type FileLoad, lineLoad } from './file-load.ts'
import { freePorts } from './free-ports.ts'
import { answering, type FileRival, startServer, stopServers } from './rival.ts'

const run = promisify(execFile)
const dataNodes = 3
/** Four Java processes start on the cores of one machine: ten seconds when they have them to themselves. */
const startPatienceMs = 180_000
const nameNodeClass = 'org.apache.hadoop.hdfs.server.namenode.NameNode'
const dataNodeClass = 'org.apache.hadoop.hdfs.server.datanode.DataNode'

export function hdfs(environment: Readonly<Record<string, string | undefined>>): FileRival | undefined {
  const hadoop = environment['ASHLAR_BENCH_HDFS']
  if (hadoop === undefined) return undefined
  const isSynced = environment['ASHLAR_BENCH_HDFS_SYNC'] === '1'
  const javaHome = environment['JAVA_HOME']
  const program = javaHome === undefined ? 'java' : join(javaHome, 'bin', 'java')
  return {
    name: isSynced ? 'HDFS, synced' : 'HDFS',
    durability: isSynced ? 'three copies, synced as a block is closed' : 'three copies, data unsynced',
    async start(folder) {
      const [rpcPort, httpPort] = (await freePorts(2)) as [number, number]
      const uri = `hdfs://127.0.0.1:${rpcPort}`
      const classPath = (settings: string) => ['-cp', [settings, ...jarsOf(hadoop)].join(delimiter)]
      const settings = (name: string) => writeSettings(join(folder, name), { uri, httpPort, isSynced })
      const nameNode = [...classPath(await settings('namenode')), nameNodeClass]
      await run(program, [...nameNode, '-format', '-nonInteractive'], { cwd: folder })
      const children = [startServer(program, nameNode, { cwd: folder })]
      let load: ChildProcess | undefined
      try {
        for (let index = 0; index < dataNodes; index++) {
          const args = [...classPath(await settings(`datanode-${index}`)), dataNodeClass]
          children.push(startServer(program, args, { cwd: folder }))
        }
        await answering(`http://127.0.0.1:${httpPort}/jmx?qry=${stateBean}`, children, {
          ...{ until: areAllAlive, patienceMs: startPatienceMs },
        })
        const source = join(projectFolder, 'tools', 'HdfsBench.java')
        const args = [...classPath(await settings('client')), source, uri]
        load = spawn(program, args, { cwd: folder, stdio: ['pipe', 'pipe', 'inherit'] })
        const files: FileLoad = lineLoad(load)
        return {
          files,
          pids: children.map(({ pid }) => pid as number),
          [Symbol.asyncDispose]: () => stopServers([...children, load as ChildProcess]),
        }
      } catch (error) {
        await stopServers(children)
        throw error
      }
    },
  }
}

const stateBean = 'Hadoop:service=NameNode,name=FSNamesystemState'

async function areAllAlive(answer: Response): Promise<boolean> {
  const { beans } = (await answer.json()) as { readonly beans: readonly { readonly NumLiveDataNodes?: number }[] }
  return beans[0]?.NumLiveDataNodes === dataNodes
}

/** An unpacked Hadoop keeps its jars in four folders; Maven puts them where it is told. */
function jarsOf(hadoop: string): readonly string[] {
  const share = join(hadoop, 'share', 'hadoop')
  const folders = ['common', 'common/lib', 'hdfs', 'hdfs/lib'].map((name) => join(share, name))
  return (existsSync(share) ? folders : [hadoop]).map((path) => join(path, '*'))
}

interface Settings {
  readonly uri: string
  readonly httpPort: number
  readonly isSynced: boolean
}

/** @returns the folder, for the class path: beside the settings lie empty web pages, which the servers want to see and Maven does not bring */
async function writeSettings(folder: string, { uri, httpPort, isSynced }: Settings): Promise<string> {
  for (const pages of ['hdfs', 'datanode']) await mkdir(join(folder, 'webapps', pages), { recursive: true })
  const any = '127.0.0.1:0'
  await writeFile(join(folder, 'core-site.xml'), xmlOf({ 'fs.defaultFS': uri, 'hadoop.tmp.dir': join(folder, 'tmp') }))
  const properties = {
    'dfs.namenode.name.dir': join(folder, 'name'),
    'dfs.namenode.http-address': `127.0.0.1:${httpPort}`,
    'dfs.datanode.data.dir': join(folder, 'data'),
    'dfs.datanode.address': any,
    'dfs.datanode.ipc.address': any,
    'dfs.datanode.http.address': any,
    ...(isSynced ? { 'dfs.datanode.synconclose': 'true' } : {}),
  }
  await writeFile(join(folder, 'hdfs-site.xml'), xmlOf(properties))
  await writeFile(join(folder, 'log4j.properties'), 'log4j.rootLogger=OFF\n')
  return folder
}

function xmlOf(properties: Readonly<Record<string, string>>): string {
  const lines = Object.entries(properties).map(
    ([name, value]) => `<property><name>${name}</name><value>${value}</value></property>\n`,
  )
  return `<configuration>\n${lines.join('')}</configuration>\n`
}
