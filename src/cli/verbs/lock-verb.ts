/** `ashlar lock PATH -- COMMAND`: runs a command while holding a named lock. @module */
import { spawn } from 'node:child_process'
import { AshlarError } from '../../base/errors.ts'
import { parseDuration } from '../../base/sizes.ts'
import type { Lock } from '../../client/filesystem.ts'
import type { Clock, Timer } from '../../env/clock.ts'
import type { VerbRegistry } from '../verb-registry.ts'
import { addVerb } from './verb.ts'

/** A command that does not end after SIGTERM, when its lock is lost, is ended by force. */
const graceMs = 5_000

export function registerLockVerb(registry: VerbRegistry): void {
  addVerb<{ readonly wait?: string }>(registry, {
    usage: 'lock <path> <command...>',
    summary: 'run a command while holding a named lock',
    description:
      'Runs COMMAND while holding the lock named PATH, and exits with its exit code. ASHLAR_FENCING_TOKEN rises with every holder. ' +
      'When the lock is lost (this process cut off from the cluster), or this process is told to stop, COMMAND gets SIGTERM.',
    flags: [['--wait <duration>', 'wait so long for whoever holds it (default: 10s)']],
    examples: ['lock /backup -- ./nightly-backup.sh', 'lock --wait 1h /deploy -- make deploy'],
    run: async ({ client, env, host, exitWith, output, signal, options }, path = '', ...command) => {
      const waitMs = options.wait === undefined ? 10_000 : parseDuration(options.wait)
      const holder = `pid ${process.pid}`
      const exitCode = await client.withLock(
        path,
        (lock) =>
          runCommand(command, {
            stop: signal,
            lock,
            clock: env.clock,
            stdin: host.stdin === undefined ? 'ignore' : 'inherit',
          }),
        { waitMs, holder, signal },
      )
      output.object({ path, exitCode })
      exitWith(exitCode)
    },
  })
}

function runCommand(
  [program = '', ...args]: readonly string[],
  {
    lock,
    clock,
    stdin,
    stop,
  }: { readonly lock: Lock; readonly clock: Clock; readonly stdin: 'inherit' | 'ignore'; readonly stop: AbortSignal },
): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: [stdin, 'inherit', 'inherit'],
      env: { ...process.env, ASHLAR_FENCING_TOKEN: String(lock.fencingToken) },
    })
    const ending = AbortSignal.any([lock.signal, stop])
    let killing: Timer | undefined
    const onEnding = () => {
      child.kill('SIGTERM')
      killing = clock.after(graceMs, () => child.kill('SIGKILL'))
    }
    ending.addEventListener('abort', onEnding, { once: true })
    const settle = () => {
      ending.removeEventListener('abort', onEnding)
      killing?.cancel()
    }
    child.once('error', (cause) => {
      settle()
      reject(new AshlarError('not-found', `Cannot run ${program}: ${cause.message}`, { cause, applied: 'no' }))
    })
    child.once('exit', (code, signal) => {
      settle()
      resolve(code ?? (signal === 'SIGINT' ? 130 : 143))
    })
  })
}
