/** The query of a request: names and values decoded once, in the order in which they were sent. @module */
import { S3Error } from '../rules/s3-error.ts'
import { queryDecode } from './percent.ts'

const maxParameters = 128

export class Query {
  /** Name and value, as sent. */
  readonly pairs: readonly (readonly [string, string])[]
  readonly #values: ReadonlyMap<string, string>

  constructor(pairs: readonly (readonly [string, string])[]) {
    this.pairs = pairs
    // The first of a name that was sent twice.
    this.#values = new Map(pairs.toReversed())
  }

  /** @throws {S3Error} `InvalidURI` */
  static parse(raw: string): Query {
    if (raw === '') return new Query([])
    const parts = raw.split('&', maxParameters + 1).filter((part) => part !== '')
    if (parts.length > maxParameters) throw new S3Error('InvalidURI', 'The query has too many parameters.')
    return new Query(
      parts.map((part) => {
        const at = part.indexOf('=')
        return at < 0 ? [queryDecode(part), ''] : [queryDecode(part.slice(0, at)), queryDecode(part.slice(at + 1))]
      }),
    )
  }

  /** An empty text where the name stands alone. */
  get(name: string): string | undefined {
    return this.#values.get(name)
  }

  has(name: string): boolean {
    return this.#values.has(name)
  }
}
