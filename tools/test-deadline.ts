/**
 * Loaded into the process of each test file: ends a file that hangs. (`--test-timeout` bounds single tests, not a file
 * whose tests are over while a handle stays open.)
 * @module
 */
import { isMainThread } from 'node:worker_threads'

const timeoutMs = Number(process.env['TEST_FILE_TIMEOUT_MS'] ?? 240_000)

if (isMainThread && process.env['NODE_TEST_CONTEXT'] !== undefined) {
  const timer = setTimeout(() => {
    const open = process.getActiveResourcesInfo().join(', ')
    console.error(`Cannot finish ${process.argv[1]}: it hangs after ${timeoutMs} ms. Still open: ${open}`)
    process.exit(1)
  }, timeoutMs)
  timer.unref()
}
