/**
 * Whether a bucket's policy makes it public, as `PolicyStatus`, `BlockPublicPolicy` and `RestrictPublicBuckets` mean it: an
 * `Allow` for everyone, unless a condition confines it to fixed values of a key that only the network or the platform sets.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html
 * @module
 */
import type { Condition } from './conditions.ts'
import { parseIpRange } from './ip-range.ts'
import type { Policy, Statement } from './policy.ts'

/** Keys that a caller cannot choose freely. */
const confiningKeys = new Set(
  [
    'aws:PrincipalAccount aws:PrincipalArn aws:PrincipalOrgID aws:SourceAccount aws:SourceArn aws:SourceIp',
    'aws:SourceOwner aws:SourceVpc aws:SourceVpce aws:userid aws:username',
    's3:DataAccessPointAccount s3:DataAccessPointArn s3:x-amz-server-side-encryption-aws-kms-key-id',
  ].flatMap((line) => line.toLowerCase().split(' ')),
)
const confiningOperators = new Set(['StringEquals', 'StringEqualsIgnoreCase', 'StringLike', 'ArnEquals', 'ArnLike'])
/** A wider range than this confines nobody. */
const narrowestPublicPrefix = { 4: 8, 6: 32 } as const

export function isPublicPolicy(policy: Policy): boolean {
  return policy.statements.some(isPublicStatement)
}

/** Whether a statement allows something to anybody. */
export function isPublicStatement({ effect, principals, conditions }: Statement): boolean {
  if (effect === 'deny' || principals === undefined) return false
  const isForEveryone = principals.entries.some(({ kind }) => kind === 'everyone')
  return isForEveryone && !conditions.some(confines)
}

/** Set operators and `IfExists` hold where the key is missing, and so confine nobody. */
function confines({ key, test }: Condition): boolean {
  if (test.kind === 'null' || test.ifExists || test.quantifier === 'all' || !confiningKeys.has(key)) return false
  if (test.operator === 'IpAddress') return test.values.every(isNarrow)
  return confiningOperators.has(test.operator) && test.isFixed
}

function isNarrow(value: string): boolean {
  const range = parseIpRange(value)
  return range !== undefined && range.prefixLength >= narrowestPublicPrefix[range.version]
}
