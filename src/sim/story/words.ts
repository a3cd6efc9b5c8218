/** Small things of a story's language: numbers, times, lists, names of machines, lines that wrap. @module */
import { formatCount as count } from '../../base/sizes.ts'
import type { HostName } from '../script.ts'

export { count }

const columns = 118

export function hostText(host: HostName): string {
  if (host === 'all') return 'every server'
  const [kind, index] = host.split('-')
  if (index === undefined) return host === 'master' || host === 'others' ? `the ${host}` : host
  return `${kind === 'chunkserver' ? 'chunk server' : kind} ${index}`
}

/** `chunk servers 1, 2 and 4`; and whoever else there is. */
export function hostsText(hosts: readonly HostName[]): string {
  const servers = [...hosts]
    .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
    .filter((host) => host.startsWith('chunkserver-'))
    .map((host) => host.slice('chunkserver-'.length))
  const others = hosts.filter((host) => !host.startsWith('chunkserver-')).map(hostText)
  if (servers.length < 2) return listText(hosts.map(hostText))
  return listText([...others, `chunk servers ${listText(servers)}`])
}

export function listText(items: readonly string[]): string {
  return items.length < 2 ? items.join('') : `${items.slice(0, -1).join(', ')} and ${items.at(-1)}`
}

export function bytesText(bytes: number): string {
  return count(bytes, 'byte')
}

export function numberText(number: number): string {
  return number.toLocaleString('en-US')
}

/** `7 days`, `60 seconds`: in the largest unit of which it is a whole number. */
export function durationText(durationMs: number): string {
  const units = [
    [86_400_000, 'day'],
    [3_600_000, 'hour'],
    [60_000, 'minute'],
    [1_000, 'second'],
  ] as const
  const unit = units.find(([unitMs]) => durationMs >= unitMs && durationMs % unitMs === 0)
  return unit === undefined ? `${numberText(durationMs)} ms` : count(durationMs / unit[0], unit[1])
}

/** `74 ms`, `5.3 s`: how long something took. */
export function tookText(durationMs: number): string {
  return durationMs < 100 ? `${Math.round(durationMs)} ms` : `${(durationMs / 1000).toFixed(1)} s`
}

export function capital(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`
}

/** `26.427`. */
export function secondsText(atMs: number): string {
  return (atMs / 1000).toFixed(3)
}

/** `26.427-26.431`, or one of them where both are the same; in a column of its own. */
export function spanText(fromMs: number, toMs = fromMs): string {
  const [from, to] = [secondsText(fromMs), Number.isFinite(toMs) ? secondsText(toMs) : 'never']
  return `${from.padStart(7)}${to === from ? '' : `-${to}`}`.padEnd(16)
}

/** Breaks `text` at spaces. `first` stands before its first line, as many spaces before the others. */
export function wrapped(text: string, first = ''): readonly string[] {
  const indent = ' '.repeat(first.length)
  const lines = [first]
  for (const word of text.split(' ')) {
    const line = lines.at(-1) as string
    const isBegin = line === first || line === indent
    if (!isBegin && line.length + 1 + word.length > columns) lines.push(`${indent}${word}`)
    else lines[lines.length - 1] = isBegin ? `${line}${word}` : `${line} ${word}`
  }
  return lines.map((line) => line.trimEnd())
}
