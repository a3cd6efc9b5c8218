/** PostObject: an upload by a browser's form, which proves itself by a policy that was signed in advance. @module */
import type { Authenticated } from '../auth/authenticate.ts'
import { authenticateForm, checkPostPolicy, type FormFields, type SizeRange } from '../auth/post-policy.ts'
import { BodyReader } from '../body/body-reader.ts'
import { readPostForm } from '../body/post-form.ts'
import { checkAccess } from '../door/access.ts'
import type { S3Answer } from '../door/s3-answer.ts'
import type { BucketCall } from '../door/s3-call.ts'
import { encryptionHeaders } from '../encryption/object-encryption.ts'
import { RequestHeaders } from '../request/request-headers.ts'
import type { S3Request } from '../request/s3-request.ts'
import { requestedChecksum } from '../rules/checksums/requested-checksum.ts'
import { checkObjectKey, urlEncodeName } from '../rules/object-key.ts'
import { S3Error } from '../rules/s3-error.ts'
import { checkTags } from '../rules/tags.ts'
import { headerText } from '../rules/user-metadata.ts'
import { objectPath } from '../store/object-path.ts'
import { parseXml } from '../xml/parse-xml.ts'
import { element, leaf, xmlDeclaration } from '../xml/write-xml.ts'
import { quoted } from './answer-parts.ts'
import { listedTags, settingsOf } from './bucket-settings-operations.ts'
import { writtenHeaders } from './object-headers.ts'
import { writtenLock } from './object-lock-operations.ts'
import { putMaxBytes, storeObject } from './put-object.ts'
import { newOwnership } from './requested-acl.ts'
import { writtenVersionHeaders } from './versions.ts'
import { writtenEncryption } from './written-encryption.ts'

/** Beside the file. */
const formBytes = 8 * 1024 * 1024
const fileNamePlaceholder = `\${filename}`

export async function postObject(call: BucketCall): Promise<S3Answer> {
  const { services, request, bucket } = call
  const contentType = request.headers.get('content-type') ?? ''
  if (!/^multipart\/form-data/i.test(contentType)) {
    throw new S3Error('MalformedPOSTRequest', 'A POST to a bucket is a form of the type multipart/form-data.')
  }
  const form = await readPostForm(call.openBody(putMaxBytes + formBytes).pieces(), contentType)
  const key = keyOf(form.fields, form.fileName)
  // Conditions are about the key as it will be.
  const fields = new Map([...form.fields, ['key', key]])
  const signer = authenticateForm(fields, services.accounts)
  const range =
    signer === undefined
      ? undefined
      : checkPostPolicy(fields, { bucket: bucket.name, wallMs: services.env.clock.wallMs() })
  const asked = requestOfForm(request, { fields, fileType: form.fileType, key })
  const caller: Authenticated = {
    account: signer?.account,
    accessKeyId: signer?.accessKeyId,
    authType: signer && 'POST',
    signatureVersion: fields.has('x-amz-algorithm') ? 'AWS4-HMAC-SHA256' : 'AWS',
  }
  const own = { ...call, caller, request: asked }
  const tags = tagsOf(fields)
  checkAccess(own, { action: 's3:PutObject', bucket, key, requestTags: tags })
  const ownership = newOwnership(asked, {
    accounts: services.accounts,
    bucket: settingsOf(call),
    writerId: caller.account?.id,
  })
  const encryption = writtenEncryption(own)
  const body = fileReader(call, { form: form.file, asked, range })
  const path = objectPath(bucket.name, key)
  const { record, stats } = await storeObject(own, {
    path,
    written: writtenHeaders(asked),
    tags,
    ownership,
    precondition: {},
    encryption,
    lock: writtenLock(own),
    body,
  })
  await form.whole
  call.trail.changes.push({ event: 'ObjectCreated:Post', key })
  const headers = { ...encryptionHeaders(encryption), ...writtenVersionHeaders(stats) }
  return answer(call, { fields, key, eTag: record.eTag, headers })
}

function keyOf(fields: FormFields, fileName: string): string {
  const key = fields.get('key')
  if (key === undefined || key === '') {
    throw new S3Error(
      'InvalidArgument',
      "Bucket POST must contain a field named 'key'.  If it is specified, please check the order of the fields.",
      {
        details: { ArgumentName: 'key' },
      },
    )
  }
  // Of a path that a browser sends, the name only.
  const named = key.replaceAll(fileNamePlaceholder, () =>
    fileName.slice(Math.max(fileName.lastIndexOf('/'), fileName.lastIndexOf('\\')) + 1),
  )
  checkObjectKey(named)
  return named
}

/** The form's fields in the place of headers, so that an upload by form is one like any other. */
function requestOfForm(
  request: S3Request,
  { fields, fileType, key }: { readonly fields: FormFields; readonly fileType: string; readonly key: string },
): S3Request {
  const headers: string[] = []
  for (const [name, value] of fields) {
    if (name === 'acl') headers.push('x-amz-acl', headerText(value))
    else if (/^(?:x-amz-|cache-control$|content-|expires$)/.test(name)) headers.push(name, headerText(value))
  }
  if (!fields.has('content-type') && fileType !== '') headers.push('content-type', headerText(fileType))
  return { ...request, key, headers: new RequestHeaders(headers) }
}

function tagsOf(fields: FormFields): Record<string, string> {
  const tagging = fields.get('tagging')
  return tagging === undefined
    ? {}
    : Object.fromEntries(checkTags(listedTags(parseXml(Buffer.from(tagging))), 'object'))
}

function fileReader(
  { services }: BucketCall,
  {
    form,
    asked,
    range,
  }: { readonly form: AsyncIterable<Uint8Array>; readonly asked: S3Request; readonly range: SizeRange | undefined },
): BodyReader {
  const checksum = requestedChecksum(asked.headers.record())
  return new BodyReader(inRange(form, range), {
    env: services.env,
    payload: {
      ...{ framing: undefined, declaredLength: undefined, sha256: undefined, md5: undefined },
      checksum: checksum === undefined ? undefined : { algorithm: checksum.algorithm, expected: checksum.value },
    },
    hold: async () => () => undefined,
    maxChunkBytes: putMaxBytes,
    maxBytes: putMaxBytes,
  })
}

async function* inRange(file: AsyncIterable<Uint8Array>, range: SizeRange | undefined): AsyncGenerator<Uint8Array> {
  let length = 0
  for await (const piece of file) {
    length += piece.length
    if (range !== undefined && length > range.most) {
      throw new S3Error('EntityTooLarge', 'Your proposed upload exceeds the maximum allowed size', {
        details: { MaxSizeAllowed: String(range.most) },
      })
    }
    yield piece
  }
  if (range !== undefined && length < range.least) {
    throw new S3Error('EntityTooSmall', 'Your proposed upload is smaller than the minimum allowed size', {
      details: { MinSizeAllowed: String(range.least) },
    })
  }
}

function answer(
  { request, bucket }: BucketCall,
  {
    fields,
    key,
    eTag,
    headers: further,
  }: {
    readonly fields: FormFields
    readonly key: string
    readonly eTag: string
    readonly headers: Readonly<Record<string, string>>
  },
): S3Answer {
  const location = `http://${request.headers.get('host') ?? ''}/${bucket.name}/${urlEncodeName(key)}`
  const headers = { etag: quoted(eTag), location, ...further }
  const redirect = fields.get('success_action_redirect') ?? fields.get('redirect')
  if (redirect !== undefined && URL.canParse(redirect)) {
    const url = new URL(redirect)
    for (const [name, value] of [
      ['bucket', bucket.name],
      ['key', key],
      ['etag', quoted(eTag)],
    ] as const)
      url.searchParams.set(name, value)
    return { status: 303, headers: { ...headers, location: url.href } }
  }
  switch (fields.get('success_action_status')) {
    case '200':
      return { status: 200, headers }
    case '201': {
      const document = element(
        'PostResponse',
        leaf('Location', location),
        leaf('Bucket', bucket.name),
        leaf('Key', key),
        leaf('ETag', quoted(eTag)),
      )
      return { status: 201, headers, body: `${xmlDeclaration}${document}` }
    }
    default:
      return { status: 204, headers }
  }
}
