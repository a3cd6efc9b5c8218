import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { S3Error } from '../rules/s3-error.ts'
import { parseXml } from './parse-xml.ts'
import { element, leaf, xmlDocument } from './write-xml.ts'

const isMalformed = (error: unknown) =>
  error instanceof S3Error && error.code === 'MalformedXML' && error.status === 400

describe('parseXml()', () => {
  test('keeps text to the character', () => {
    const root = parseXml(
      Buffer.from(
        '<?xml version="1.0"?>\n<d:Delete xmlns:d="u" xmlns="v"><Object><Key> a&#10;b &amp;amp; <![CDATA[<x>]]>0012 </Key></Object>\n<Object/></d:Delete>',
      ),
    )
    assert.equal(root.name, 'Delete')
    assert.deepEqual(
      root.all('Object').map((object) => object.textOf('Key')),
      [' a\nb &amp; <x>0012 ', undefined],
    )
  })

  test('reads attributes, as grants have them', () => {
    const grantee = parseXml(Buffer.from('<g xmlns:xsi="u" xsi:type="Group"/>'))
    assert.equal(grantee.attributes.get('type'), 'Group')
  })

  test('refuses document types, foreign entities, depth, and what is not well-formed', () => {
    for (const text of [
      '',
      'x',
      '<a>',
      '<a></b>',
      '<a/><b/>',
      '<a>&foo;</a>',
      '<a>&#0;</a>',
      '<!DOCTYPE a><a/>',
      '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
      '<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
      `${'<a>'.repeat(17)}${'</a>'.repeat(17)}`,
      `<a>${'<b/>'.repeat(100_001)}</a>`,
    ]) {
      assert.throws(() => parseXml(Buffer.from(text)), isMalformed, text.slice(0, 60))
    }
    assert.throws(() => parseXml(Buffer.from([0x3c, 0x61, 0x3e, 0xff, 0x3c, 0x2f, 0x61, 0x3e])), isMalformed)
  })
})

describe('xmlDocument()', () => {
  test('leaves quotes alone, and sends control characters as references', () => {
    assert.equal(
      xmlDocument(
        'R',
        element('E', leaf('ETag', '"a"'), leaf('Key', '<&>\r\n\u0001'), leaf('No', undefined), leaf('N', 0)),
      ),
      '<?xml version="1.0" encoding="UTF-8"?>\n<R xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><E><ETag>"a"</ETag><Key>&lt;&amp;&gt;&#xd;\n&#x1;</Key><N>0</N></E></R>',
    )
  })

  test('is read back as it was written, whatever the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        fc.pre(text.isWellFormed() && !/[\p{Cc}\ufffe\uffff]/u.test(text))
        assert.equal(parseXml(Buffer.from(xmlDocument('R', leaf('K', text)))).textOf('K'), text)
      }),
    )
  })
})
