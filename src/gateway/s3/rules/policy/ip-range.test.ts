import assert from 'node:assert/strict'
import { BlockList } from 'node:net'
import { test } from 'node:test'
import fc from 'fast-check'
import { contains, parseIpRange } from './ip-range.ts'

function isIn(range: string, address: string): boolean {
  const outer = parseIpRange(range)
  const inner = parseIpRange(address)
  assert.ok(outer !== undefined && inner !== undefined)
  return contains(outer, inner)
}

test('contains() agrees with the block list of Node', () => {
  const prefix = { ipv4: fc.nat(32), ipv6: fc.nat(128) }
  const near = fc.nat(300).map((low) => `10.1.${low >> 8}.${low & 255}`)
  const near6 = fc.nat(0xffff).map((low) => `2001:db8::${low.toString(16)}`)
  const v4 = fc.tuple(fc.constant('ipv4' as const), near, near, prefix.ipv4)
  const v6 = fc.tuple(fc.constant('ipv6' as const), fc.oneof(near6, fc.ipV6()), fc.oneof(near6, fc.ipV6()), prefix.ipv6)
  fc.assert(
    fc.property(fc.oneof(v4, v6), ([family, network, address, length]) => {
      const outer = parseIpRange(`${network}/${length}`)
      const inner = parseIpRange(address)
      if (family === 'ipv6' && (outer?.version !== 6 || inner?.version !== 6)) return
      const list = new BlockList()
      list.addSubnet(network, length, family)
      assert.equal(isIn(`${network}/${length}`, address), list.check(address, family))
    }),
    { numRuns: 500 },
  )
})

test('parseIpRange() refuses what is neither an address nor a range', () => {
  const texts = [
    '',
    '1.2.3',
    '1.2.3.4.5',
    '256.1.1.1',
    '1.2.3.4/33',
    '1.2.3.4/',
    '1.2.3.4/-1',
    '1.2.3.4/8/8',
    ':::',
    '1::2::3',
  ]
  texts.push(
    'g::',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '::/129',
    '*',
    '10.0.0.0/0x8',
    '1:2:3:4:5:6:7::8:9',
    '::1.2.3',
  )
  for (const text of texts) assert.equal(parseIpRange(text), undefined, text)
})

test('parseIpRange() takes IPv4 inside IPv6 for what it is', () => {
  assert.ok(isIn('10.0.0.0/8', '::ffff:10.1.2.3'))
  assert.ok(isIn('::ffff:10.0.0.0/104', '10.1.2.3'))
  assert.ok(!isIn('::/0', '10.1.2.3'))
  assert.ok(isIn('::1/128', '0:0:0:0:0:0:0:1'))
  assert.ok(isIn('10.0.0.0/8', '10.1.0.0/16'))
  assert.ok(!isIn('10.1.0.0/16', '10.0.0.0/8'))
})
