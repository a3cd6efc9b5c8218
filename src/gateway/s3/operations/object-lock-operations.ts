/** Object lock: of buckets (that they have it, and their default), and of versions (retention, legal hold). @module */
import type { NewLock, Retention as StoredRetention } from '../../../client/index.ts'
import { checkAccess } from '../door/access.ts'
import { type S3Answer, xmlAnswer } from '../door/s3-answer.ts'
import type { BucketCall, ObjectCall } from '../door/s3-call.ts'
import {
  checkHasObjectLock,
  checkObjectLockConfiguration,
  checkRetention,
  lockOfNewVersion,
  type ObjectLock,
  parseLegalHold,
  type Retention,
} from '../rules/object-lock.ts'
import { S3Error } from '../rules/s3-error.ts'
import { formatIsoTime } from '../rules/timestamps.ts'
import type { Bucket } from '../store/buckets.ts'
import { bucketPath, objectPath } from '../store/object-path.ts'
import type { ObjectInfo } from '../store/object-record.ts'
import { malformedXml, parseXml, type XmlElement } from '../xml/parse-xml.ts'
import { element, leaf, xmlDocument } from '../xml/write-xml.ts'
import { bypassesGovernance, requestedVersion, requireObject, versionHeaders } from './versions.ts'

const bodyBytes = 64 * 1024
const modes = { governance: 'GOVERNANCE', compliance: 'COMPLIANCE' } as const

export async function getObjectLockConfiguration({ bucket }: BucketCall): Promise<S3Answer> {
  const { objectLock } = bucket
  if (objectLock === undefined) {
    throw new S3Error(
      'ObjectLockConfigurationNotFoundError',
      'Object Lock configuration does not exist for this bucket',
      { details: { BucketName: bucket.name } },
    )
  }
  const { mode, days, years } = objectLock
  const rule =
    mode === undefined
      ? undefined
      : element(
          'Rule',
          element('DefaultRetention', leaf('Mode', modes[mode]), leaf('Days', days), leaf('Years', years)),
        )
  return xmlAnswer(xmlDocument('ObjectLockConfiguration', leaf('ObjectLockEnabled', 'Enabled'), rule))
}

export async function putObjectLockConfiguration(call: BucketCall): Promise<S3Answer> {
  const { services, bucket, signal } = call
  const root = await bodyXml(call, 'ObjectLockConfiguration')
  const retention = root.child('Rule')?.child('DefaultRetention')
  if (root.child('Rule') !== undefined && retention === undefined) throw malformedXml()
  const texts = { mode: textOf(retention, 'Mode'), days: textOf(retention, 'Days'), years: textOf(retention, 'Years') }
  const enabled = root.textOf('ObjectLockEnabled')?.trim()
  const { defaultRetention } = checkObjectLockConfiguration(
    {
      ...(enabled === undefined ? {} : { objectLockEnabled: enabled }),
      ...(retention === undefined ? {} : { rule: present(texts) }),
    },
    bucket.versioning ?? 'off',
  )
  const { mode, ...period } = defaultRetention ?? { mode: undefined }
  const objectLock = mode === undefined ? {} : { mode: storedMode(mode), ...period }
  await services.client.versions.configure(bucketPath(bucket.name), { objectLock, signal })
  return { status: 200 }
}

export async function getObjectRetention(call: ObjectCall): Promise<S3Answer> {
  checkHasObjectLock(hasObjectLock(call.bucket))
  const { retention } = (await requireObject(call)).stats
  if (retention === undefined) throw noLock()
  return xmlAnswer(
    xmlDocument(
      'Retention',
      leaf('Mode', modes[retention.mode]),
      leaf('RetainUntilDate', formatIsoTime(retention.untilMs)),
    ),
  )
}

export async function putObjectRetention(call: ObjectCall): Promise<S3Answer> {
  const { services, bucket, key, signal } = call
  checkHasObjectLock(hasObjectLock(bucket))
  const root = await bodyXml(call, 'Retention')
  const [mode, retainUntilDate] = [textOf(root, 'Mode'), textOf(root, 'RetainUntilDate')]
  const isCleared = mode === undefined && retainUntilDate === undefined
  const retention = isCleared ? null : stored(checkRetention({ mode, retainUntilDate }, services.env.clock.wallMs()))
  await requireObject(call)
  const bypassGovernance = mayBypass(call)
  const objectVersion = requestedVersion(call)
  const path = objectPath(bucket.name, key)
  await services.client.versions.lock(path, { objectVersion, retention, bypassGovernance, signal })
  return { status: 200 }
}

export async function getObjectLegalHold(call: ObjectCall): Promise<S3Answer> {
  checkHasObjectLock(hasObjectLock(call.bucket))
  const { legalHold } = (await requireObject(call)).stats
  if (legalHold === undefined) throw noLock()
  return xmlAnswer(xmlDocument('LegalHold', leaf('Status', legalHold ? 'ON' : 'OFF')))
}

export async function putObjectLegalHold(call: ObjectCall): Promise<S3Answer> {
  const { services, bucket, key, signal } = call
  checkHasObjectLock(hasObjectLock(bucket))
  const legalHold = parseLegalHold(textOf(await bodyXml(call, 'LegalHold'), 'Status'))
  await requireObject(call)
  const path = objectPath(bucket.name, key)
  await services.client.versions.lock(path, { objectVersion: requestedVersion(call), legalHold, signal })
  return { status: 200 }
}

/**
 * The lock that the headers of a write ask for; the bucket's default is the store's to give. Who may write may not lock by that.
 * @throws {S3Error} `InvalidRequest`, `InvalidArgument`, `AccessDenied`
 */
export function writtenLock(call: BucketCall): NewLock {
  const { services, request, bucket } = call
  const { retention, hasLegalHold }: ObjectLock = lockOfNewVersion(request.headers.record(), {
    hasObjectLock: hasObjectLock(bucket),
    nowMs: services.env.clock.wallMs(),
  })
  const { key } = request
  if (retention !== undefined) checkAccess(call, { action: 's3:PutObjectRetention', bucket, key })
  if (hasLegalHold !== undefined) checkAccess(call, { action: 's3:PutObjectLegalHold', bucket, key })
  return {
    ...(retention === undefined ? {} : { retention: stored(retention) }),
    ...(hasLegalHold === undefined ? {} : { legalHold: hasLegalHold }),
  }
}

/** Of a GET or HEAD. */
export function lockHeaders({ stats }: ObjectInfo): Record<string, string> {
  const { retention, legalHold } = stats
  return {
    ...(retention === undefined
      ? {}
      : {
          'x-amz-object-lock-mode': modes[retention.mode],
          'x-amz-object-lock-retain-until-date': formatIsoTime(retention.untilMs),
        }),
    ...(legalHold === undefined ? {} : { 'x-amz-object-lock-legal-hold': legalHold ? 'ON' : 'OFF' }),
  }
}

/** Whether the request asks to put governance aside. @throws {S3Error} `AccessDenied` — it does, and the caller may not */
export function mayBypass(call: BucketCall, key = call.request.key): boolean {
  if (!bypassesGovernance(call)) return false
  checkAccess(call, { action: 's3:BypassGovernanceRetention', bucket: call.bucket, key })
  return true
}

/** Of an answer about a version: its id, and its lock. */
export function versionAndLockHeaders(
  { bucket }: Pick<BucketCall, 'bucket'>,
  info: ObjectInfo,
): Record<string, string> {
  return { ...versionHeaders(bucket, info.stats), ...lockHeaders(info) }
}

function hasObjectLock({ objectLock }: Bucket): boolean {
  return objectLock !== undefined
}

async function bodyXml({ openBody }: BucketCall, rootName: string): Promise<XmlElement> {
  const root = parseXml(await openBody(bodyBytes).whole())
  if (root.name !== rootName) throw malformedXml()
  return root
}

function textOf(parent: XmlElement | undefined, name: string): string | undefined {
  return parent?.textOf(name)?.trim()
}

function present<T extends Record<string, string | undefined>>(texts: T): { [K in keyof T]?: string } {
  return Object.fromEntries(Object.entries(texts).filter(([, text]) => text !== undefined)) as {
    [K in keyof T]?: string
  }
}

function stored({ mode, retainUntilMs }: Retention): StoredRetention {
  return { mode: storedMode(mode), untilMs: retainUntilMs }
}

function storedMode(mode: Retention['mode']): StoredRetention['mode'] {
  return mode === 'GOVERNANCE' ? 'governance' : 'compliance'
}

function noLock(): S3Error {
  return new S3Error('NoSuchObjectLockConfiguration', 'The specified object does not have a ObjectLock configuration')
}
