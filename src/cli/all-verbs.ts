/** Every verb of `ashlar`, in the order that `ashlar help` shows. Those with much behind them load it when they run. @module */
import { registerCompletion } from './completion/completion-verb.ts'
import { registerRestore } from './restore/restore-verb.ts'
import { registerAccountVerbs } from './s3/account-verbs.ts'
import { registerS3 } from './s3/s3-verbs.ts'
import { registerApplyConfig } from './s3/setup/apply-config-verb.ts'
import { registerWebhook } from './s3/webhook-verb.ts'
import { registerServerVerbs } from './servers/server-verbs.ts'
import { registerShell } from './shell/shell-verb.ts'
import { registerSim } from './sim/sim-verb.ts'
import { registerUp } from './up/up-verb.ts'
import type { VerbRegistry } from './verb-registry.ts'
import { registerInsightVerbs } from './verbs/insight-verbs.ts'
import { registerVerbs } from './verbs/register.ts'
import { packageVersion } from './version.ts'

export function registerAllVerbs(registry: VerbRegistry): void {
  registry.program.version(packageVersion(), '-V, --version', 'print the version')
  registerUp(registry)
  registerServerVerbs(registry)
  registerRestore(registry)
  registerS3(registry)
  registerAccountVerbs(registry)
  registerWebhook(registry)
  registerApplyConfig(registry)
  registerVerbs(registry)
  registerInsightVerbs(registry)
  registerSim(registry)
  registerShell(registry)
  registerCompletion(registry)
}
