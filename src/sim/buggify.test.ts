import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '../env/seeded-random.ts'
import { Buggify } from './buggify.ts'

const strikes = (buggify: Buggify, site: string): string =>
  Array.from({ length: 40 }, () => (buggify.happens(site) ? 'x' : '-')).join('')

test('happens() arms about a quarter of the sites, of which each strikes about one time in four', () => {
  let armed = 0
  let struck = 0
  for (let seed = 1; seed <= 400; seed++) {
    const count = strikes(new Buggify(seededRandom(seed), { enabled: true }), 'site').split('x').length - 1
    if (count > 0) armed++
    struck += count
  }
  assert.ok(armed > 70 && armed < 130, `${armed} of 400 armed`)
  assert.ok(struck / armed > 8 && struck / armed < 12, `${struck / armed} of 40 strikes`)
})

test('happens() of one site does not depend on whether another one is asked', () => {
  const seed = 5
  const alone = strikes(new Buggify(seededRandom(seed), { enabled: true }), 'a site')
  const buggify = new Buggify(seededRandom(seed), { enabled: true })
  const together = Array.from({ length: 40 }, () => {
    buggify.happens('another site')
    return buggify.happens('a site') ? 'x' : '-'
  }).join('')
  assert.equal(together, alone)
})

test('happens() never does where it is not enabled, or after stop()', () => {
  for (let seed = 1; seed <= 20; seed++) {
    assert.ok(!strikes(new Buggify(seededRandom(seed), { enabled: false }), 'site').includes('x'))
    const stopped = new Buggify(seededRandom(seed), { enabled: true })
    stopped.stop()
    assert.ok(!strikes(stopped, 'site').includes('x'))
  }
})
