import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'

/** Runs `body` with a log of `level`, in a process of its own. @returns the lines on its stderr */
function linesOf(level: string, body: string): Record<string, unknown>[] {
  const program = `
    import { createNodeLog } from ${JSON.stringify(import.meta.resolve('./node-log.ts'))}
    import { AshlarError } from ${JSON.stringify(import.meta.resolve('../base/errors.ts'))}
    const log = createNodeLog('${level}')
    ${body}`
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
    encoding: 'utf8',
  })
  assert.equal(stdout, '')
  return stderr
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))
}

test('createNodeLog() writes lines as JSON from its level on, also those just before an exit', () => {
  const lines = linesOf('warn', `log.info('quiet'); log.warn('loud', { port: 7 }); log.error('last'); process.exit(1)`)
  // At an exit their order is open.
  const byMessage = new Map(lines.map((line) => [line['message'], line]))
  assert.deepEqual([...byMessage.keys()].sort(), ['last', 'loud'])
  assert.equal(byMessage.get('loud')?.['port'], 7)
  assert.equal(byMessage.get('loud')?.['level'], 'warn')
  assert.equal(byMessage.get('last')?.['level'], 'error')
})

test('Log.child() adds its fields, errors tell code and cause, secrets are kept out', () => {
  const [line] = linesOf(
    'debug',
    `const cause = new Error('the disk said no')
    const error = new AshlarError('disk-failed', 'Cannot sync', { cause })
    log.child({ server: 'cs1' }).debug('failed', { error, token: 'hunter2', secret: 'hunter2' })`,
  )
  assert.ok(line)
  assert.equal(line['server'], 'cs1')
  const { code, message, cause } = line['error'] as { code: string; message: string; cause: { message: string } }
  assert.deepEqual([code, message, cause.message], ['disk-failed', 'Cannot sync', 'the disk said no'])
  assert.ok(!JSON.stringify(line).includes('hunter2'))
})

test("createNodeLog() at 'silent' writes nothing", () => {
  assert.deepEqual(linesOf('silent', `log.error('x'); log.child({}).error('y')`), [])
})

test('a line that is written for a request names it, and no other does', () => {
  const lines = linesOf(
    'debug',
    `const { underLabel } = await import(${JSON.stringify(import.meta.resolve('./request-label.ts'))})
    underLabel({ high: 0x7f3a, low: 1 }, () => log.child({ server: 'cs1' }).warn('inside'))
    log.warn('outside')`,
  )
  assert.deepEqual(
    lines.map(({ message, request }) => [message, request]),
    [
      ['inside', '00007F3A00000001'],
      ['outside', undefined],
    ],
  )
})
