/**
 * The ACL that a request sets by headers: `x-amz-acl` names a canned one, `x-amz-grant-…` list grantees. Not both.
 * Users are only named here; whoever knows the users resolves them.
 * @module
 */
import { type Headers, headerOf } from '../headers.ts'
import { S3Error } from '../s3-error.ts'
import { aclMaxGrants, type CannedAcl, type Group, groupOfUri, type Permission, parseCannedAcl } from './acl.ts'

export type NamedGrantee =
  | { readonly kind: 'id'; readonly id: string }
  | { readonly kind: 'email'; readonly emailAddress: string }
  | { readonly kind: 'group'; readonly group: Group }

export interface NamedGrant {
  readonly grantee: NamedGrantee
  readonly permission: Permission
}

export type RequestedAcl =
  | { readonly kind: 'canned'; readonly name: CannedAcl }
  | { readonly kind: 'grants'; readonly grants: readonly NamedGrant[] }

const grantHeaders: readonly (readonly [string, Permission])[] = [
  ['x-amz-grant-read', 'READ'],
  ['x-amz-grant-write', 'WRITE'],
  ['x-amz-grant-read-acp', 'READ_ACP'],
  ['x-amz-grant-write-acp', 'WRITE_ACP'],
  ['x-amz-grant-full-control', 'FULL_CONTROL'],
]
const granteeForm = /^\s*(id|emailAddress|uri)\s*=\s*(?:"([^"]*)"|([^"\s]*))\s*$/i

/**
 * @param headers names in lower case
 * @returns undefined: the request sets no ACL
 * @throws {S3Error} `InvalidRequest` for both kinds at once, `InvalidArgument` for what cannot be read
 */
export function requestedAcl(headers: Headers): RequestedAcl | undefined {
  const canned = headerOf(headers, 'x-amz-acl')
  const grants = grantHeaders.flatMap(([header, permission]) =>
    granteesOf(headerOf(headers, header)).map((grantee) => ({ grantee, permission })),
  )
  if (canned !== undefined && grants.length > 0) {
    throw new S3Error('InvalidRequest', 'Specifying both Canned ACLs and Header Grants is not allowed')
  }
  if (canned !== undefined) return { kind: 'canned', name: parseCannedAcl(canned) }
  return grants.length === 0 ? undefined : { kind: 'grants', grants }
}

function granteesOf(header: string | undefined): NamedGrantee[] {
  if (header === undefined || header.trim() === '') return []
  return header.split(',', aclMaxGrants + 1).map((item) => {
    const [, kind, quoted, plain] = granteeForm.exec(item) ?? []
    const value = quoted ?? plain ?? ''
    if (kind === undefined || value === '') throw new S3Error('InvalidArgument', 'Argument format not recognized')
    switch (kind.toLowerCase()) {
      case 'id':
        return { kind: 'id', id: value }
      case 'uri':
        return { kind: 'group', group: groupOfUri(value) }
      default:
        return { kind: 'email', emailAddress: value }
    }
  })
}
