/** `cat`, `append`, `checksum`: the bytes of single files. @module */
import { AshlarError } from '../../base/errors.ts'
import { openLocalFile, stdinOf } from '../transfers/local-input.ts'
import type { VerbRegistry } from '../verb-registry.ts'
import { expandAll } from './change-verbs.ts'
import { printFile } from './print-file.ts'
import { addVerb } from './verb.ts'

const algorithms = ['crc32', 'md5', 'sha256'] as const

export function registerContentVerbs(registry: VerbRegistry): void {
  addVerb(registry, {
    usage: 'cat <paths...>',
    summary: 'print files',
    examples: ['cat /hello.txt', "cat '/logs/*.log' | grep error"],
    run: async ({ client, output, signal }, ...patterns) => {
      for (const path of await expandAll(client, patterns, { force: false, signal })) {
        await printFile(path, { client, output, signal })
      }
    },
  })

  addVerb<{ readonly text?: string }>(registry, {
    usage: 'append <path> [file]',
    summary: 'add a local file, stdin or a text to the end of a file',
    description:
      'Adds bytes to the end of a file, and makes it when there is none. FILE is a local file, or - for stdin (the default).',
    flags: [['--text <text>', 'this text, as it stands']],
    examples: ['append /log.txt more.txt', 'date | ashlar append /log.txt', "append /log.txt --text 'done'"],
    run: async ({ client, host, output, signal, options }, path = '', file = '-') => {
      const data = options.text ?? (file === '-' ? stdinOf(host) : await openLocalFile(file))
      const stats = await client.appendFile(path, data, { signal })
      output.object({ path, size: stats.size, version: stats.version })
    },
  })

  addVerb<{ readonly md5?: boolean; readonly sha256?: boolean; readonly crc32?: boolean }>(registry, {
    usage: 'checksum <paths...>',
    summary: 'print the checksum of files',
    description: 'Prints checksums of whole files, sha256 by default. crc32 is known without reading a byte, mostly.',
    flags: [
      ['--md5', 'MD5'],
      ['--sha256', 'SHA-256'],
      ['--crc32', 'CRC-32'],
    ],
    examples: ['checksum /data.bin', 'checksum --crc32 /a /b'],
    run: async ({ client, output, signal, options }, ...patterns) => {
      const asked = algorithms.filter((name) => options[name] === true)
      if (asked.length > 1) {
        throw new AshlarError('invalid-argument', `Cannot print ${asked.join(' and ')} at once: choose one`)
      }
      const algorithm = asked[0] ?? 'sha256'
      for (const path of await expandAll(client, patterns, { force: false, signal })) {
        const checksum = await client.checksum(path, algorithm, { signal })
        output.object({ path, algorithm, checksum })
        output.line(`${checksum}  ${path}`)
      }
    },
  })
}
