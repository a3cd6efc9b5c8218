/**
 * Shapes of JSON that become XML of S3: each says which fields there are, what they hold, and the element each becomes. One
 * description serves the check, which names the path of what is wrong, and the document that is sent. Pure.
 * @module
 */
import { AshlarError } from '../../../base/errors.ts'
import { element, leaf, type Xml, xmlList } from '../../../gateway/s3/xml/write-xml.ts'

export type Shape =
  | { readonly kind: 'text'; readonly oneOf?: readonly string[] }
  | { readonly kind: 'number' }
  | { readonly kind: 'boolean' }
  /** In S3's XML the items of a list stand side by side, under the list's element name. */
  | { readonly kind: 'list'; readonly item: Shape }
  | { readonly kind: 'object'; readonly fields: Fields }

/** By the name in JSON, as AWS's command line has it: the name in XML, and what it holds. */
export type Fields = Readonly<Record<string, readonly [xmlName: string, shape: Shape]>>

export const text: Shape = { kind: 'text' }
export const number: Shape = { kind: 'number' }
export const boolean: Shape = { kind: 'boolean' }

export function oneOf(...values: readonly string[]): Shape {
  return { kind: 'text', oneOf: values }
}

export function listOf(item: Shape): Shape {
  return { kind: 'list', item }
}

export function object(fields: Fields): Shape {
  return { kind: 'object', fields }
}

/** @throws {AshlarError} `invalid-argument`, naming the path in the file */
export function checkShape(value: unknown, shape: Shape, path: string): void {
  switch (shape.kind) {
    case 'text':
      if (typeof value !== 'string') throw wrong(path, 'a text')
      if (shape.oneOf !== undefined && !shape.oneOf.includes(value))
        throw wrong(path, `one of ${shape.oneOf.join(', ')}`)
      return
    case 'number':
      if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw wrong(path, 'a whole number')
      return
    case 'boolean':
      if (typeof value !== 'boolean') throw wrong(path, 'true or false')
      return
    case 'list':
      for (const [index, item] of asList(value, path).entries()) checkShape(item, shape.item, `${path}[${index}]`)
      return
    case 'object':
      for (const [name, field] of Object.entries(asObject(value, path, Object.keys(shape.fields)))) {
        const [, fieldShape] = shape.fields[name] as Fields[string]
        checkShape(field, fieldShape, `${path}.${name}`)
      }
  }
}

/** The element of a value that was checked. Numbers and booleans are their text. */
export function shapeXml(name: string, value: unknown, shape: Shape): Xml | undefined {
  if (shape.kind === 'list')
    return xmlList((value as readonly unknown[]).map((item) => shapeXml(name, item, shape.item)))
  if (shape.kind !== 'object') return leaf(name, value as string | number | boolean)
  const given = value as Readonly<Record<string, unknown>>
  const children = Object.entries(shape.fields)
    .filter(([field]) => given[field] !== undefined)
    .map(([field, [xmlName, fieldShape]]) => shapeXml(xmlName, given[field], fieldShape))
  return element(name, ...children)
}

/** @throws {AshlarError} `invalid-argument` */
export function asList(value: unknown, path: string): readonly unknown[] {
  if (Array.isArray(value)) return value
  throw wrong(path, 'a list')
}

/** @throws {AshlarError} `invalid-argument`: it is none, or has a field that is not `known` */
export function asObject(value: unknown, path: string, known?: readonly string[]): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(path, 'an object')
  const other = known === undefined ? undefined : Object.keys(value).find((name) => !known.includes(name))
  if (other !== undefined) {
    throw new AshlarError(
      'invalid-argument',
      `Cannot use ${path}.${other.slice(0, 64)}: there is no such field. Those there are: ${known?.join(', ')}`,
    )
  }
  return value as Readonly<Record<string, unknown>>
}

/** @throws {AshlarError} `invalid-argument` */
export function asText(value: unknown, path: string): string {
  if (typeof value === 'string' && value !== '') return value
  throw wrong(path, 'a text')
}

function wrong(path: string, what: string): AshlarError {
  return new AshlarError('invalid-argument', `Cannot use ${path}: it must be ${what}`)
}
