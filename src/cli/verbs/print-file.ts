/** A file's bytes to stdout, for `cat` and for `get` to "-". @module */
import type { AshlarClient } from '../../client/filesystem.ts'
import type { Output } from '../output.ts'

/**
 * Each piece's memory is used again for the next one, once stdout is done with it: pieces of a stream have to be collected, which
 * is half of what a large file costs the client.
 * @throws {AshlarError} as `open` and the reads that follow; what came before is printed
 */
export async function printFile(
  path: string,
  options: { readonly client: AshlarClient; readonly output: Output; readonly signal: AbortSignal },
): Promise<void> {
  const { client, output, signal } = options
  await using handle = await client.open(path, { signal })
  for await (const bytes of handle.pieces({ signal })) await output.bytes(bytes)
}
