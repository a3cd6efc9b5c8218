/**
 * The headers of a request as they were sent: names in lower case, each value with the bytes of the wire as characters
 * (latin1), so that signatures are made over exactly those bytes.
 * @module
 */

export class RequestHeaders {
  readonly #values = new Map<string, string>()
  #record: Readonly<Record<string, string>> | undefined

  /** @param raw names and values in turn, as `IncomingMessage.rawHeaders` */
  constructor(raw: readonly string[]) {
    for (let at = 0; at + 1 < raw.length; at += 2) {
      const name = (raw[at] as string).toLowerCase()
      const value = (raw[at + 1] as string).trim()
      const before = this.#values.get(name)
      this.#values.set(name, before === undefined ? value : `${before},${value}`)
    }
  }

  /** The bytes of the value, one a character; several headers of one name are joined by commas. */
  get(name: string): string | undefined {
    return this.#values.get(name)
  }

  has(name: string): boolean {
    return this.#values.has(name)
  }

  /** The value as text: UTF-8 where it is UTF-8, else as it stands. */
  text(name: string): string | undefined {
    const value = this.#values.get(name)
    return value === undefined ? undefined : headerText(value)
  }

  names(): Iterable<string> {
    return this.#values.keys()
  }

  /** These, and of `others` those whose name is not there. @param others names in lower case, values with a byte a character */
  completedBy(others: Iterable<readonly [string, string]>): RequestHeaders {
    const both = new RequestHeaders([])
    for (const [name, value] of [...others, ...this.#values]) both.#values.set(name, value)
    return both
  }

  /** As the rules take them. */
  record(): Readonly<Record<string, string>> {
    this.#record ??= Object.fromEntries(this.#values)
    return this.#record
  }
}

/** Clients send UTF-8 in headers, which HTTP hands on as latin1. */
export function headerText(value: string): string {
  if (/^[\x20-\x7e\t]*$/.test(value)) return value
  const text = Buffer.from(value, 'latin1').toString('utf8')
  return text.includes('\ufffd') ? value : text
}
