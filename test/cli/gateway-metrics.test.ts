/** What a gateway of its own tells those who watch it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gatewayMetrics } from '../../src/cli/metrics/metric-table.ts'
import { S3Client } from '../compat/s3/s3-client.ts'
import { run, ServerProcess, upTemp } from './cli-process.ts'

test('s3 serve answers /metrics with its operations and their codes on a port of its own, where no bucket is', async () => {
  await using cluster = await upTemp(['--chunk-servers', '1', '--policy', 'replicated-1'])
  const known = JSON.parse((await run(['s3', 'env', '--json'], { cluster: cluster.cluster })).stdout)
  const args = ['s3', 'serve', '--listen', '127.0.0.1:0', '--metrics-listen', '127.0.0.1:0']
  await using gateway = await ServerProcess.start(args, { cluster: cluster.cluster })
  const { s3, metrics } = gateway.ready.endpoints as unknown as { readonly s3: string; readonly metrics: string }
  const told = JSON.parse((await run(['s3', 'env', '--json'], { cluster: cluster.cluster })).stdout)
  assert.deepEqual(told, known, "the cluster's own door is the one that is told")
  const client = new S3Client(s3, known)
  assert.equal((await client.send('PUT', '/metrics')).status, 200)
  assert.equal((await client.send('PUT', '/metrics/key', { body: 'x' })).status, 200)
  assert.equal((await client.send('GET', '/metrics/none')).status, 404)
  for (let reads = 0; reads < 3; reads++) assert.equal(String((await client.send('GET', '/metrics/key')).body), 'x')
  assert.match(await (await fetch(`${s3}/metrics`)).text(), /AccessDenied/)

  const text = await (await fetch(metrics)).text()
  for (const [name, { type }] of Object.entries(gatewayMetrics)) assert.ok(text.includes(`# TYPE ${name} ${type}\n`))
  for (const line of [
    'ashlar_requests_total{method="CreateBucket",code="ok"} 1',
    'ashlar_requests_total{method="PutObject",code="ok"} 1',
    'ashlar_requests_total{method="GetObject",code="NoSuchKey"} 1',
    'ashlar_request_duration_seconds_count{method="PutObject"} 1',
    'ashlar_gateway_requests_under_way 0',
    'ashlar_gateway_chunk_cache_reads{outcome="hit"} 2',
    'ashlar_gateway_chunk_cache_reads{outcome="miss"} 1',
  ]) {
    assert.ok(text.includes(`${line}\n`), `${line} in ${text}`)
  }
  for (const path of ['healthz', 'readyz']) {
    assert.equal((await fetch(metrics.replace('metrics', path))).status, 200)
  }
  assert.equal((await fetch(metrics.replace('metrics', 'metrics/key'))).status, 404)
})
