/** Terraform's S3 backend against the door, as docs/s3.md shows it: state and lock. Skipped where it is not installed. */
import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { startCluster } from '../../../src/testing/index.ts'
import { accessOf, runClient } from './client-process.ts'
import { documentedExample } from './documented-examples.ts'

const state = '/terraform-state/network/terraform.tfstate'

test('docs/s3.md: Terraform keeps its state, and a lock beside it that has one holder', async (t) => {
  await using cluster = await startCluster({ s3: true })
  const { client } = cluster
  const folder = await mkdtemp(join(tmpdir(), 'ashlar-terraform-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const own = { CHECKPOINT_DISABLE: '1', TF_CLI_CONFIG_FILE: '/dev/null', TF_IN_AUTOMATION: '1', TF_INPUT: '0' }
  const terraform = (...args: readonly string[]) =>
    runClient('terraform', args, { folder, env: { ...accessOf(cluster, folder), ...own } })
  try {
    await terraform('version')
  } catch (error) {
    return t.skip(`terraform is not installed: ${(error as Error).message.slice(0, 100)}`)
  }
  await client.mkdir('/terraform-state')
  const resource = 'resource "terraform_data" "network" {\n  input = "10.0.0.0/16"\n}\n'
  await writeFile(join(folder, 'main.tf'), `${documentedExample('hcl', 'backend "s3"')}\n${resource}`)
  await terraform('init', '-no-color')
  await terraform('apply', '-auto-approve', '-no-color')
  const kept = JSON.parse(await client.readFile(state, 'utf8'))
  assert.deepEqual(kept.resources[0].name, 'network')
  assert.equal(await client.exists(`${state}.tflock`), false)

  const lock = { ID: 'a-lock', Operation: 'OperationTypeApply', Info: '', Who: 'somebody else', Version: '1', Path: '' }
  await client.writeFile(`${state}.tflock`, JSON.stringify({ ...lock, Created: '2026-01-01T00:00:00Z' }))
  await assert.rejects(terraform('destroy', '-auto-approve', '-no-color'), /acquiring the state lock/)
  assert.deepEqual(JSON.parse(await client.readFile(state, 'utf8')), kept)
  await client.rm(`${state}.tflock`)
  await terraform('destroy', '-auto-approve', '-no-color')
  assert.deepEqual(JSON.parse(await client.readFile(state, 'utf8')).resources, [])
})
