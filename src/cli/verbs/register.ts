/** Every verb that talks to a cluster, in the order that `ashlar help` shows. @module */
import type { VerbRegistry } from '../verb-registry.ts'
import { packageVersion } from '../version.ts'
import { registerChangeVerbs } from './change-verbs.ts'
import { registerClusterVerbs } from './cluster-verbs.ts'
import { registerContentVerbs } from './content-verbs.ts'
import { registerDutyVerbs } from './duty-verbs.ts'
import { registerLockVerb } from './lock-verb.ts'
import { registerLookVerbs } from './look-verbs.ts'
import { registerPlanVerbs } from './plan-verbs.ts'
import { registerTransferVerbs } from './transfer-verbs.ts'
import { registerTrashVerbs } from './trash-verbs.ts'
import { examplesText } from './verb.ts'
import { registerVersionVerbs } from './version-verbs.ts'

export function registerVerbs(registry: VerbRegistry): void {
  registerTransferVerbs(registry)
  registerContentVerbs(registry)
  registerLookVerbs(registry)
  registerChangeVerbs(registry)
  registerTrashVerbs(registry)
  registerVersionVerbs(registry)
  registerLockVerb(registry)
  registerClusterVerbs(registry)
  registerDutyVerbs(registry)
  registerPlanVerbs(registry)
  registry.program
    .command('version')
    .summary('print the version')
    .description('Prints the version of Ashlar and of the Node it runs on.')
    .option('--json', 'as JSON')
    .addHelpText('after', examplesText(['version', 'version --json']))
    .action(({ json }: { readonly json?: boolean }) => {
      const facts = { version: packageVersion(), node: process.versions.node }
      process.stdout.write(json ? `${JSON.stringify(facts)}\n` : `ashlar ${facts.version} (Node ${facts.node})\n`)
    })
}
