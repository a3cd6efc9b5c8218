/** @module */

/** Aborts at the first SIGINT or SIGTERM, which asks for an end in order; a second one ends the process at once. */
export function stopSignal(): AbortSignal {
  const stopping = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (stopping.signal.aborted) process.exit(signal === 'SIGINT' ? 130 : 143)
      stopping.abort()
    })
  }
  return stopping.signal
}
