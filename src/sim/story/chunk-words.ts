/**
 * Chunks in numbers that add up: what files got, less what they and the trash need no more, is what is left; and what was
 * uploaded for nothing is counted apart.
 * @module
 */
import type { Script } from '../script.ts'
import type { Holding, Sight } from '../witness.ts'
import type { Deed } from './deeds.ts'
import { count, hostsText, listText, numberText } from './words.ts'

/** More servers need not be named. */
const mostHosts = 3

/** Why a chunk was named by a file, and is needed no more. */
export function dropReason({ cluster }: Script, deeds: readonly Deed[]): string {
  if (cluster.trashKeepMs === 0) return 'of removed or replaced contents'
  const isEmptied = deeds.some(({ operation, end }) => operation.kind === 'empty-trash' && end !== 'refused')
  return isEmptied ? 'of trash that was emptied' : 'that neither a file nor the trash needed any more'
}

/** New and deleted chunks of a chapter. */
export function chunkSentences(sights: readonly Sight[], why: string): readonly string[] {
  const { stored, dropped, unused } = sumsOf(sights)
  const hosts = [...new Set(stored.flatMap((sight) => sight.hosts))].sort()
  const where = hosts.length > mostHosts ? 'the chunk servers' : hostsText(hosts)
  const deleted = [
    ...(dropped === 0 ? [] : [`${count(dropped, 'chunk')} ${why}`]),
    ...(unused === 0 ? [] : [unusedText(unused)]),
  ]
  return [
    ...(stored.length === 0 ? [] : [`${count(stored.length, 'new chunk')} went to ${where}.`]),
    ...(deleted.length === 0 ? [] : [`Deleted: ${listText(deleted)}.`]),
  ]
}

/** What is left in the end, and how that comes about; nothing where the sum is not known for sure. */
export function sumSentences(
  sights: readonly Sight[],
  {
    holdings,
    chunks,
    why,
  }: { readonly holdings: readonly Holding[]; readonly chunks: number | undefined; readonly why: string },
): readonly string[] {
  const { stored, dropped, unused } = sumsOf(sights)
  if (chunks === undefined || stored.length - dropped !== chunks || chunks === 0) return []
  const copies = holdings.reduce((sum, one) => sum + one.chunks, 0) / chunks
  const each = Number.isInteger(copies) && copies > 1 ? `, each on ${copies} servers` : ''
  const gone =
    dropped === 0
      ? 'as many as files got'
      : `files got ${numberText(stored.length)}, and ${numberText(dropped)} ${why} are deleted`
  return [
    `These are ${count(chunks, 'chunk')}${each}: ${gone}.`,
    ...(unused === 0
      ? []
      : [`Not among them: ${unusedText(unused)}, ${unused === 1 ? 'which is' : 'which are'} deleted.`]),
  ]
}

function unusedText(unused: number): string {
  return `${count(unused, 'chunk')} sent in vain, for changes refused or done anew`
}

function sumsOf(sights: readonly Sight[]) {
  return {
    stored: sights.flatMap((sight) => (sight.kind === 'stored' ? [sight] : [])),
    dropped: sights.filter(({ kind }) => kind === 'dropped').length,
    unused: sights.filter(({ kind }) => kind === 'unused').length,
  }
}
