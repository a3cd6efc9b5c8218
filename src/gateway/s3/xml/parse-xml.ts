/**
 * XML of requests as a small tree, strictly and bounded: no DOCTYPE, no entity but XML's own five, so many elements, so deep.
 * Text is kept character for character, since it holds keys.
 * @module
 */
import { SaxesParser } from 'saxes'
import { S3Error } from '../rules/s3-error.ts'

const maxDepth = 16
/** 10,000 parts of an upload, with number, tag and checksums, and room to spare. */
const maxElements = 100_000

export class XmlElement {
  /** Without its namespace prefix. */
  readonly name: string
  readonly attributes: ReadonlyMap<string, string>
  readonly children: XmlElement[] = []
  /** Of the element itself: not what its children hold. */
  text = ''

  constructor(name: string, attributes: ReadonlyMap<string, string> = noAttributes) {
    this.name = name
    this.attributes = attributes
  }

  child(name: string): XmlElement | undefined {
    return this.children.find((child) => child.name === name)
  }

  all(name: string): XmlElement[] {
    return this.children.filter((child) => child.name === name)
  }

  textOf(name: string): string | undefined {
    return this.child(name)?.text
  }
}

const noAttributes: ReadonlyMap<string, string> = new Map()

/**
 * @returns the root
 * @throws {S3Error} `MalformedXML`
 */
export function parseXml(bytes: Uint8Array): XmlElement {
  const parser = new SaxesParser()
  const open: XmlElement[] = []
  let root: XmlElement | undefined
  let count = 0
  const onText = (text: string) => {
    const element = open.at(-1)
    if (element !== undefined) element.text += text
  }
  parser.on('error', (error) => {
    throw error
  })
  parser.on('doctype', () => {
    throw new Error('a document type is not taken')
  })
  parser.on('text', onText)
  parser.on('cdata', onText)
  parser.on('opentag', ({ name, attributes }) => {
    const element = new XmlElement(localName(name), attributesOf(attributes))
    if (++count > maxElements || open.length >= maxDepth) throw new Error('there are too many elements')
    open.at(-1)?.children.push(element)
    root ??= element
    open.push(element)
  })
  parser.on('closetag', () => void open.pop())
  try {
    parser.write(utf8.decode(bytes)).close()
  } catch (cause) {
    throw malformedXml(cause)
  }
  if (root === undefined) throw malformedXml()
  return root
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

export function malformedXml(cause?: unknown): S3Error {
  return new S3Error(
    'MalformedXML',
    'The XML you provided was not well-formed or did not validate against our published schema',
    { cause },
  )
}

function localName(name: string): string {
  return name.slice(name.indexOf(':') + 1)
}

function attributesOf(attributes: Readonly<Record<string, string | { readonly value: string }>>) {
  const entries = Object.entries(attributes)
  if (entries.length === 0) return noAttributes
  return new Map(entries.map(([name, value]) => [localName(name), typeof value === 'string' ? value : value.value]))
}
