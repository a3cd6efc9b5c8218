/** Pieces that many answers share. @module */
import type { Account } from '../auth/accounts.ts'
import type { S3Request } from '../request/s3-request.ts'
import { urlEncodeName } from '../rules/object-key.ts'
import { invalidArgument } from '../rules/s3-error.ts'
import { element, leaf, type Xml } from '../xml/write-xml.ts'

export function accountXml(name: string, account: Pick<Account, 'id' | 'displayName'>): Xml {
  return element(name, leaf('ID', account.id), leaf('DisplayName', account.displayName))
}

/** As a header, and in XML. */
export function quoted(eTag: string): string {
  return `"${eTag}"`
}

/** How names are written in an answer: as they are, or with `encoding-type=url` encoded. */
export function nameEncoding({ query }: S3Request): (name: string) => string {
  const type = query.get('encoding-type')
  if (type === undefined) return (name) => name
  if (type.toLowerCase() === 'url') return urlEncodeName
  throw invalidArgument('Invalid Encoding Method specified in Request', { name: 'encoding-type', value: type })
}

/** A parameter that counts: `max-keys` and its like. @throws {S3Error} `InvalidArgument` */
export function countParameter({ query }: S3Request, name: string, most: number): number {
  const text = query.get(name)
  if (text === undefined || text === '') return most
  const count = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN
  if (count <= 2_147_483_647) return Math.min(count, most)
  throw invalidArgument(`Provided ${name} not an integer or within integer range`, { name, value: text })
}
