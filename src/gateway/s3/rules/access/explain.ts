/** Why a request was allowed or refused, in a sentence for `ashlar s3 explain-deny`. @module */
import type { AccessDecision, AccessReason } from './authorize.ts'

const sentences: Readonly<Record<AccessReason, string>> = {
  root: 'the root account may do everything that no policy denies',
  owner: 'it was asked by the owner',
  'user-policy': 'a policy of the user says so',
  'bucket-policy': "the bucket's policy says so",
  'bucket-acl': "the bucket's ACL grants it",
  'object-acl': "the object's ACL grants it",
  'nothing-allows': 'no policy, ACL or ownership allows it',
  'public-policy-restricted': "only the bucket's public policy allows it, and RestrictPublicBuckets is on",
}

/** `s3:GetObject on arn:aws:s3:::b/key was refused: the bucket's policy says so (statement "no")` */
export function explainDecision(
  { isAllowed, reason, statement, policy }: AccessDecision,
  { action, resource }: { readonly action: string; readonly resource: string },
): string {
  const outcome = isAllowed ? 'allowed' : 'refused'
  const which = policy === undefined ? '' : ` of policy "${policy}"`
  const where = statement === undefined ? '' : ` (statement "${statement}"${which})`
  return `${action} on ${resource} was ${outcome}: ${sentences[reason]}${where}`
}
