/** What `ashlar up` says when reads and writes succeed. @module */
import { formatSize } from '../../base/sizes.ts'
import { defaultClusterFilePath } from '../../client/cluster-file.ts'
import type { Output } from '../output.ts'
import type { UpPlan } from './up-options.ts'

export interface ReadyState {
  readonly clusterPath: string
  readonly isTemporary: boolean
  /** `host:port`. */
  readonly master: string
  /** A URL. */
  readonly http: string
  /** A URL. */
  readonly s3: string
  readonly plan: UpPlan
  readonly processes: readonly (
    | { readonly role: 'master'; readonly pid: number; readonly data: string }
    | { readonly role: 'gateway'; readonly pid: number }
    | { readonly role: 'chunkserver'; readonly id: string; readonly pid: number; readonly data: string }
  )[]
}

/** With `--json`: one line `{"event":"ready",…}`. Otherwise commands that can be pasted as they stand. */
export function printReady(output: Output, state: ReadyState): void {
  const { clusterPath, master, http, s3, plan, processes } = state
  output.object({ event: 'ready', cluster: clusterPath, endpoints: { master, http, s3 }, processes })
  const command = shellWord(process.env['ASHLAR_COMMAND'] ?? 'ashlar')
  const option = clusterOption(clusterPath)
  const capacity = plan.servers[0]?.capacityBytes
  for (const line of [
    `Ashlar is ready: a master and ${plan.servers.length} chunk servers, policy ${plan.policy}.`,
    ...processes.map(processLine),
    `  HTTP door     ${http}`,
    `  S3 door       ${s3}`,
    ...(capacity === undefined
      ? []
      : [`  capacity      ${plan.servers.map((server) => formatSize(server.capacityBytes ?? 0)).join(', ')}`]),
    '',
    'One machine is one machine: each chunk server counts as a failure domain here, so a crashed process',
    'loses nothing, but the loss of this machine, or of a disk that all folders share, loses everything.',
    ...(state.isTemporary ? ['The data is deleted when this ends (--temp).'] : []),
    '',
    'In a second terminal:',
    `  ${command} put --text 'hello, world' /hello.txt${option}`,
    `  ${command} ls /${option}`,
    `  ${command} cat /hello.txt${option}`,
    `  ${command} nodes${option}`,
    `  eval "$(${command} s3 env${option})" && aws s3 ls`,
    `  ${command} help`,
    '',
    'Ctrl-C stops it.',
  ]) {
    output.line(line)
  }
}

function processLine(entry: ReadyState['processes'][number]): string {
  switch (entry.role) {
    case 'master':
      return `  master        pid ${entry.pid}  ${entry.data}`
    case 'gateway':
      return `  gateway       pid ${entry.pid}`
    case 'chunkserver':
      return `  chunk server  pid ${entry.pid}  ${entry.data}  ${entry.id.slice(0, 8)}`
  }
}

function clusterOption(clusterPath: string): string {
  return clusterPath === defaultClusterFilePath() ? '' : ` --cluster ${shellWord(clusterPath)}`
}

function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}
