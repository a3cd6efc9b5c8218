/**
 * XML of answers. Quotes stay as they are in text: some clients count each entity against a limit, and ETags have two.
 * @module
 */

/** Finished XML; made by the functions of this file only. */
export type Xml = string & { readonly xml: unique symbol }

const namespace = 'http://s3.amazonaws.com/doc/2006-03-01/'

/** An element with children; absent ones are left out. */
export function element(name: string, ...children: readonly (Xml | undefined)[]): Xml {
  return `<${name}>${xmlList(children)}</${name}>` as Xml
}

/** An element with text; undefined: no element at all. */
export function leaf(name: string, value: string | number | boolean | undefined): Xml | undefined {
  if (value === undefined) return undefined
  return `<${name}>${typeof value === 'string' ? escapeXml(value) : value}</${name}>` as Xml
}

/** Elements one after the other, as one flat text: put together by `+`, it would keep every part of every element as long as it lives. */
export function xmlList(items: readonly (Xml | undefined)[]): Xml {
  return items.join('') as Xml
}

/** A whole document in S3's namespace. */
export function xmlDocument(name: string, ...children: readonly (Xml | undefined)[]): string {
  return `${xmlDeclaration}<${name} xmlns="${namespace}">${xmlList(children)}</${name}>`
}

export const xmlDeclaration = '<?xml version="1.0" encoding="UTF-8"?>\n'

/** Control characters, which XML 1.0 has no place for, go out as references, as S3 sends them. */
export function escapeXml(text: string): string {
  if (!/[&<>\p{Cc}\ufffe\uffff]/u.test(text)) return text
  return text.replace(/[&<>\p{Cc}\ufffe\uffff]/gu, (character) => {
    const named = names[character]
    return named ?? `&#x${(character.codePointAt(0) as number).toString(16)};`
  })
}

const names: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '\n': '\n', '\t': '\t' }
