/**
 * `user` and `key`: who may use S3, and with which keys. They need `cluster.json` with its root key, under which secrets are
 * sealed; so they are verbs of the command line and not of the shell.
 * @module
 */
import { AshlarError } from '../../base/errors.ts'
import { readClusterFile } from '../../client/cluster-file.ts'
import { AccountRegistry, checkUserPolicy } from '../../gateway/s3/auth/account-registry.ts'
import type { KeyRow, UserRow } from '../../gateway/s3/auth/account-rows.ts'
import { clusterFilePath } from '../command-context.ts'
import { formatTable } from '../table.ts'
import type { VerbRegistry } from '../verb-registry.ts'
import { addVerb, type VerbRun } from '../verbs/verb.ts'

interface AccountOptions {
  readonly cluster?: string
  readonly email?: string
  readonly policy?: readonly string[]
  readonly remove?: boolean
}

type Run = VerbRun<AccountOptions>

const policyMaxBytes = 64 * 1024

export function registerAccountVerbs(registry: VerbRegistry): void {
  addVerb<AccountOptions>(registry, {
    usage: 'user <add|list|disable|enable|policy> [name] [policy] [file]',
    summary: 'add, list, disable and enable users of S3, and say by policies what they may',
    description:
      'A user without policies owns what it makes and reaches nothing else; one with policies (IAM’s JSON, without principals) may do exactly what they allow. ' +
      '"policy NAME POLICY FILE" attaches one or replaces it. The keys of a disabled user are refused within seconds; what it owns stays.',
    flags: [
      ['--email <address>', 'add: for grants by e-mail address'],
      ['--policy <file...>', 'add: attach these, each under the name of its file'],
      ['--remove', 'policy: take it away'],
    ],
    examples: [
      'user add alice --policy read-reports.json',
      'user policy alice uploads uploads.json',
      'user disable alice',
    ],
    run: async (run, action = '', name, policy, file) => {
      const accounts = await accountsOf(run)
      const { output, signal, options } = run
      if (action === 'list') return listUsers(run, await accounts.users({ signal }))
      if (name === undefined) throw usage(`user ${action}`, 'name the user')
      switch (action) {
        case 'add': {
          const policies = await Promise.all((options.policy ?? []).map((path) => readPolicy(run, path)))
          // Before anything is made, so that one that is no policy leaves no user behind.
          for (const one of policies) checkUserPolicy(one.text, { userName: name, name: one.name })
          const user = await accounts.addUser(name, { email: options.email, signal })
          for (const { name: policyName, text } of policies) {
            await accounts.putPolicy(name, { name: policyName, text, signal })
          }
          output.object({ name, id: user.id, email: user.email, policies: policies.map((one) => one.name) })
          output.line(`User ${name} is there. Give it a key: ashlar key add ${name}`)
          return
        }
        case 'disable':
        case 'enable':
          await accounts.setDisabled(name, { isDisabled: action === 'disable', signal })
          output.object({ name, disabled: action === 'disable' })
          return output.line(`User ${name} is ${action}d.`)
        case 'policy': {
          if (policy === undefined || (file === undefined) !== (options.remove === true)) {
            throw usage('user policy', 'name the user, the policy, and its file; or --remove')
          }
          if (file === undefined) await accounts.removePolicy(name, { name: policy, signal })
          else await accounts.putPolicy(name, { name: policy, text: (await readPolicy(run, file)).text, signal })
          output.object({ name, policy, removed: file === undefined })
          return output.line(`Policy ${policy} of user ${name} is ${file === undefined ? 'gone' : 'in force'}.`)
        }
        default:
          throw usage(`user ${action}`, 'it is add, list, disable, enable or policy')
      }
    },
  })
  addVerb<AccountOptions>(registry, {
    usage: 'key <add|list|revoke> [user-or-key]',
    summary: 'add, list and revoke access keys of S3',
    description:
      '"add USER" prints a new key and its secret, once: the cluster keeps it sealed, and nothing tells it again. "list [USER]" shows ids. ' +
      '"revoke KEY" ends a key within seconds, at every door. The root key is no user’s: see "s3 env".',
    examples: ['key add alice', 'key list alice --json', 'key revoke ASHLABCDEFGHIJKLMNOP'],
    run: async (run, action = '', name) => {
      const accounts = await accountsOf(run)
      const { output, signal } = run
      if (action === 'list') return listKeys(run, await accounts.keys({ userName: name, signal }))
      if (name === undefined) throw usage(`key ${action}`, action === 'revoke' ? 'name the key' : 'name the user')
      if (action === 'add') {
        const key = await accounts.addKey(name, { signal })
        output.object({ user: name, accessKeyId: key.accessKeyId, secretAccessKey: key.secretAccessKey })
        output.line(`access key  ${key.accessKeyId}`)
        output.line(`secret      ${key.secretAccessKey}`)
        if (!output.json) output.note('The secret is shown this once.')
        return
      }
      if (action !== 'revoke') throw usage(`key ${action}`, 'it is add, list or revoke')
      await accounts.revokeKey(name, { signal })
      output.object({ accessKeyId: name, revoked: true })
      output.line(`Key ${name} is revoked.`)
    },
  })
}

/** @throws {AshlarError} `invalid-argument`: the cluster file has no root key */
export async function accountsOf({
  env,
  client,
  options,
}: Pick<Run, 'env' | 'client' | 'options'>): Promise<AccountRegistry> {
  const path = clusterFilePath(options)
  const { s3 } = await readClusterFile(env.disk, path)
  if (s3 !== undefined) return new AccountRegistry({ env, client, root: s3 })
  throw new AshlarError('invalid-argument', `Cannot change users of S3: ${path} has no root key. Start its master anew`)
}

async function readPolicy({ env }: Run, path: string): Promise<{ readonly name: string; readonly text: string }> {
  const text = (await env.disk.readSmall(path, policyMaxBytes)).toString('utf8')
  const name = path.slice(path.lastIndexOf('/') + 1).replace(/\.json$/, '')
  return { name, text }
}

function listUsers({ output }: Run, users: readonly UserRow[]): void {
  for (const { name, id, email, createdMs, isDisabled, policies } of users) {
    output.object({ name, id, email, createdMs, disabled: isDisabled, policies: [...policies.keys()] })
  }
  const rows = users.map(({ name, id, isDisabled, policies }) => [
    ...[name, `${id.slice(0, 12)}…`, isDisabled ? 'disabled' : 'enabled'],
    [...policies.keys()].join(', '),
  ])
  output.line(formatTable(['USER', 'ID', 'STATE', 'POLICIES'], rows))
}

function listKeys({ output }: Run, keys: readonly KeyRow[]): void {
  for (const { accessKeyId, userName, createdMs } of keys) output.object({ accessKeyId, user: userName, createdMs })
  const rows = keys.map(({ accessKeyId, userName, createdMs }) => [
    ...[accessKeyId, userName],
    new Date(createdMs).toISOString().slice(0, 10),
  ])
  output.line(formatTable(['KEY', 'USER', 'SINCE'], rows))
}

function usage(what: string, why: string): AshlarError {
  return new AshlarError('invalid-argument', `Cannot do "${what.slice(0, 60)}": ${why}`)
}
