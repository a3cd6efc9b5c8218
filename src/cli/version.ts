/** The version of this package, from its own package.json. @module */

export function packageVersion(): string {
  // Not imported: see src/env/node-file.ts.
  const { readFileSync } = process.getBuiltinModule('node:fs')
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}
