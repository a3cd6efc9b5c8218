/** The lists of buckets and objects: read and set. @module */
import { objectAccess } from '../door/access.ts'
import { type S3Answer, xmlAnswer } from '../door/s3-answer.ts'
import type { BucketCall, ObjectCall } from '../door/s3-call.ts'
import { type Acl, aclOf, groupOfUri, permissions, uriOfGroup } from '../rules/access/acl.ts'
import { type NamedGrantee, requestedAcl } from '../rules/access/grant-headers.ts'
import { checkAclChange } from '../rules/access/object-ownership.ts'
import { checkNewAcl } from '../rules/access/public-access-block.ts'
import { S3Error } from '../rules/s3-error.ts'
import { documentNames } from '../store/bucket-settings.ts'
import { objectPath } from '../store/object-path.ts'
import { aclAttribute } from '../store/object-record.ts'
import { parseXml, type XmlElement } from '../xml/parse-xml.ts'
import { element, leaf, type Xml, xmlDocument, xmlList } from '../xml/write-xml.ts'
import { accountXml } from './answer-parts.ts'
import { settingsOf } from './bucket-settings-operations.ts'
import { resolvedAcl, resolvedGrant } from './requested-acl.ts'
import { requestedVersion, requireObject, versionHeaders } from './versions.ts'

const aclBytes = 64 * 1024

export async function getBucketAcl(call: BucketCall): Promise<S3Answer> {
  return aclAnswer(call, settingsOf(call).acl)
}

export async function putBucketAcl(call: BucketCall): Promise<S3Answer> {
  const { services, bucket, signal } = call
  const settings = settingsOf(call)
  checkAclChange(settings.ownership)
  const acl = await askedAcl(call, { ownerId: settings.ownerId, bucketOwnerId: settings.ownerId })
  checkNewAcl(settings.publicAccessBlock, acl)
  await services.buckets.putDocument(bucket.name, { name: documentNames.acl, text: JSON.stringify(acl), signal })
  return { status: 200 }
}

export async function getObjectAcl(call: ObjectCall): Promise<S3Answer> {
  const info = await requireObject(call)
  return aclAnswer(call, objectAccess(info, settingsOf(call).ownerId).acl)
}

export async function putObjectAcl(call: ObjectCall): Promise<S3Answer> {
  const { services, bucket, key, signal } = call
  const settings = settingsOf(call)
  checkAclChange(settings.ownership)
  const info = await requireObject(call)
  const { ownerId } = objectAccess(info, settings.ownerId)
  const acl = await askedAcl(call, { ownerId, bucketOwnerId: settings.ownerId })
  checkNewAcl(settings.publicAccessBlock, acl)
  await services.client.setXattr(objectPath(bucket.name, key), aclAttribute, JSON.stringify(acl), {
    ...{ objectVersion: requestedVersion(call), signal },
  })
  return { status: 200, headers: versionHeaders(bucket, info.stats) }
}

/** By headers, or by the body. */
async function askedAcl(
  { services, request, openBody }: BucketCall,
  owners: { readonly ownerId: string; readonly bucketOwnerId: string },
): Promise<Acl> {
  const { accounts } = services
  const body = await openBody(aclBytes).whole()
  const byHeaders = requestedAcl(request.headers.record())
  if (byHeaders !== undefined) return resolvedAcl(byHeaders, { accounts, ...owners })
  if (body.length === 0)
    throw new S3Error(
      'MissingSecurityHeader',
      'Your request was missing a required header: x-amz-acl, or an ACL as its body.',
    )
  const root = parseXml(body)
  const list = root.child('AccessControlList')
  const ownerId = root.child('Owner')?.textOf('ID')
  if (root.name !== 'AccessControlPolicy' || list === undefined || ownerId === undefined) throw malformedAcl()
  if (ownerId !== owners.ownerId)
    throw new S3Error('AccessDenied', 'Access Denied: the owner of an ACL cannot be changed.')
  return aclOf(
    owners.ownerId,
    list.all('Grant').map((grant) => grantOf(grant, accounts)),
  )
}

function grantOf(grant: XmlElement, accounts: BucketCall['services']['accounts']): Acl['grants'][number] {
  const permission = permissions.find((name) => name === grant.textOf('Permission')?.trim())
  const grantee = grant.child('Grantee')
  if (permission === undefined || grantee === undefined) throw malformedAcl()
  return resolvedGrant({ grantee: granteeOf(grantee), permission }, accounts)
}

function granteeOf(grantee: XmlElement): NamedGrantee {
  const [id, uri, email] = ['ID', 'URI', 'EmailAddress'].map((name) => grantee.textOf(name)?.trim())
  if (email !== undefined) return { kind: 'email', emailAddress: email }
  if (uri !== undefined) return { kind: 'group', group: groupOfUri(uri) }
  if (id !== undefined) return { kind: 'id', id }
  throw malformedAcl()
}

function aclAnswer({ services }: BucketCall, { ownerId, grants }: Acl): S3Answer {
  const { accounts } = services
  return xmlAnswer(
    xmlDocument(
      'AccessControlPolicy',
      accountXml('Owner', accounts.owner(ownerId)),
      element(
        'AccessControlList',
        xmlList(
          grants.map(({ grantee, permission }) =>
            element(
              'Grant',
              grantee.kind === 'group'
                ? granteeXml('Group', leaf('URI', uriOfGroup(grantee.group)))
                : granteeXml(
                    'CanonicalUser',
                    leaf('ID', grantee.canonicalId),
                    leaf('DisplayName', accounts.owner(grantee.canonicalId).displayName),
                  ),
              leaf('Permission', permission),
            ),
          ),
        ),
      ),
    ),
  )
}

function granteeXml(type: string, ...children: readonly (Xml | undefined)[]): Xml {
  const open = `<Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="${type}">`
  return `${open}${xmlList(children)}</Grantee>` as Xml
}

function malformedAcl(): S3Error {
  return new S3Error(
    'MalformedACLError',
    'The XML you provided was not well-formed or did not validate against our published schema',
  )
}
