/**
 * A server of `ashlar up` in its own process: its options come as one argument of JSON, so that it loads what the server needs and
 * neither the verbs nor their parser (10 of the 150 ms of CPU that a chunk server took to start).
 * @module
 */
import { createNodeEnv } from '../../env/node-env.ts'
import { logLevel } from '../log-level.ts'
import { createOutput, reportFailure } from '../output.ts'
import { ownerOnly, type ServerRun } from '../servers/server-run.ts'
import { stopSignal } from '../stop-signal.ts'
import { unfinished } from '../unfinished.ts'

/** @param work runs until it is told to stop */
export async function runChild<Options>(work: (options: Options, run: ServerRun) => Promise<void>): Promise<void> {
  process.umask(ownerOnly)
  process.exitCode = unfinished
  let exitCode = 0
  const stop = stopSignal()
  try {
    await work(JSON.parse(process.argv[2] as string) as Options, {
      env: createNodeEnv({ log: logLevel() }),
      output: createOutput({ json: false }),
      stop,
      exitWith: (code) => {
        exitCode = code
      },
    })
    process.exitCode = exitCode
  } catch (error) {
    process.exitCode = reportFailure(error, { json: false })
  }
}
