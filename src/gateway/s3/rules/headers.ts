/** The headers of a request as the rules read them: names in lower case, repeated ones as a list. @module */

export type Headers = Readonly<Record<string, string | readonly string[] | undefined>>

/** One header, its repetitions joined as RFC 9110 joins them. */
export function headerOf(headers: Headers, name: string): string | undefined {
  const value = headers[name]
  return value === undefined || typeof value === 'string' ? value : value.join(', ')
}
