import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { NotificationRule } from '../../../base/notification-rule.ts'
import { S3Error } from '../rules/s3-error.ts'
import { parseXml } from '../xml/parse-xml.ts'
import { notificationXml, parseNotificationRules } from './notification-rules.ts'

function parse(xml: string): readonly NotificationRule[] {
  let ids = 0
  const text = `<NotificationConfiguration>${xml}</NotificationConfiguration>`
  return parseNotificationRules(parseXml(Buffer.from(text)), () => `made-${++ids}`)
}

function queue(more: string): string {
  return `<QueueConfiguration><Queue>arn:ashlar:webhook:::hook</Queue>${more}</QueueConfiguration>`
}

const put = '<Event>s3:ObjectCreated:Put</Event>'

function filter(...rules: readonly (readonly [string, string])[]): string {
  const list = rules.map(([name, value]) => `<FilterRule><Name>${name}</Name><Value>${value}</Value></FilterRule>`)
  return `<Filter><S3Key>${list.join('')}</S3Key></Filter>`
}

test('parseNotificationRules() reads what it wrote, and names rules without an id', () => {
  const rules = parse(
    queue(`<Id>one</Id>${put}<Event>s3:ObjectRemoved:*</Event>${filter(['Prefix', 'in/'], ['suffix', '.csv'])}`) +
      queue(put),
  )
  assert.deepEqual(rules, [
    {
      id: 'one',
      webhook: 'hook',
      events: ['s3:ObjectCreated:Put', 's3:ObjectRemoved:*'],
      prefix: 'in/',
      suffix: '.csv',
    },
    { id: 'made-1', webhook: 'hook', events: ['s3:ObjectCreated:Put'], prefix: '', suffix: '' },
  ])
  assert.deepEqual(
    parseNotificationRules(parseXml(Buffer.from(notificationXml(rules))), () => 'none'),
    rules,
  )
  assert.deepEqual(parse(''), [])
})

test('parseNotificationRules() refuses what it cannot do', () => {
  const refuses = (xml: string, code: string) =>
    assert.throws(
      () => parse(xml),
      (error) => error instanceof S3Error && error.code === code,
      xml,
    )
  refuses(queue(''), 'MalformedXML')
  refuses(queue('<Event>s3:ObjectRestore:Post</Event>'), 'InvalidArgument')
  refuses(queue(put + filter(['middle', 'x'])), 'InvalidArgument')
  refuses(queue(put + filter(['prefix', 'x'], ['prefix', 'y'])), 'InvalidArgument')
  refuses(queue(`<Id>a</Id>${put}`) + queue(`<Id>a</Id>${put}`), 'InvalidArgument')
  refuses(queue(put).replace('arn:ashlar:webhook:::', 'arn:aws:sqs:::'), 'InvalidArgument')
  refuses('<TopicConfiguration/>', 'InvalidArgument')
  refuses(queue(put).repeat(101), 'InvalidArgument')
})
