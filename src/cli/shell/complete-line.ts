/** Completion at the prompt: the candidates, written in the quotes that the word was begun with. @module */
import type { AshlarClient } from '../../client/filesystem.ts'
import { candidates } from '../completion/candidates.ts'
import { buildProgram } from '../program.ts'
import { registerVerbs } from '../verbs/register.ts'
import { splitLine } from './split-words.ts'

/** @returns what the rest of the line may become, and that rest, as readline wants them */
export async function completeLine(
  line: string,
  { client, signal }: { readonly client: AshlarClient; readonly signal: AbortSignal },
): Promise<[string[], string]> {
  const { words, open } = splitLine(line)
  const last = words.at(-1)
  const isNewWord = last === undefined || (open === undefined && /\s$/.test(line))
  const raw = isNewWord ? '' : line.slice(last.start)
  const found = await candidates({
    program: buildProgram({ host: { stop: signal, client }, register: registerVerbs }),
    before: (isNewWord ? words : words.slice(0, -1)).map(({ text }) => text),
    partial: isNewWord ? '' : last.text,
    client: async () => client,
    signal,
  })
  const isOnly = found.length === 1
  const written = found.map((text) => writeLike(raw, text, { isFinal: isOnly && !text.endsWith('/') }))
  return [written.filter((text) => text.startsWith(raw)), raw]
}

/** `text` in the quotes that `raw` begins with, closed when nothing more can follow. */
function writeLike(raw: string, text: string, { isFinal }: { readonly isFinal: boolean }): string {
  const end = isFinal ? ' ' : ''
  if (raw.startsWith("'")) return `'${text.replaceAll("'", `'\\''`)}${isFinal ? "'" : ''}${end}`
  if (raw.startsWith('"')) return `"${text.replaceAll(/["\\]/g, '\\$&')}${isFinal ? '"' : ''}${end}`
  return `${text.replaceAll(/[\s"'\\]/g, '\\$&')}${end}`
}
