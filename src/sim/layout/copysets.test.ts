import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '../../env/seeded-random.ts'
import { Copysets, chanceOfAny, chanceOfSet, estimateRandomLoss, setsAcross } from './copysets.ts'

const sets = [
  { members: [2, 0, 1], fraction: 0.25 },
  { members: [1, 0, 2], fraction: 0.25 },
  { members: [4, 3, 1], fraction: 0.5 },
]

test('Copysets counts sets whatever their order, and the partners of each server', () => {
  const copysets = new Copysets(sets, 7)
  assert.equal(copysets.count, 2)
  assert.equal(copysets.partners, (2 + 4 + 2 + 2 + 2 + 0 + 0) / 7)
})

test('estimateLoss() finds each lost set once, with what lay on it', () => {
  const all = new Copysets(sets, 5).estimateLoss({ deaths: 5, trials: 3 }, seededRandom(1))
  assert.deepEqual(all, { probability: 1, standardError: 0, lostFraction: 1 })
  const few = new Copysets(sets, 5).estimateLoss({ deaths: 2, trials: 100 }, seededRandom(1))
  assert.deepEqual(few, { probability: 0, standardError: 0, lostFraction: 0 })
  // One of ten triples of five servers each, and never both.
  const three = new Copysets(sets, 5).estimateLoss({ deaths: 3, trials: 20_000 }, seededRandom(1))
  assert.ok(Math.abs(three.probability - 0.2) < 5 * three.standardError, `${three.probability}`)
  assert.ok(Math.abs(three.lostFraction - 0.5) < 1e-9)
})

test('estimates agree with the closed form', () => {
  const random = seededRandom(3)
  const servers = 60
  const drawn = Array.from({ length: 400 }, () => ({
    members: random.shuffled(Array.from({ length: servers }, (_, index) => index)).slice(0, 3),
    fraction: 1 / 400,
  }))
  const copysets = new Copysets(drawn, servers)
  const { probability, standardError } = copysets.estimateLoss({ deaths: 6, trials: 20_000 }, seededRandom(4))
  const formula = chanceOfAny(chanceOfSet(3, { deaths: 6, servers }), copysets.count)
  assert.ok(Math.abs(probability - formula) < 5 * standardError + 0.01, `${probability} and ${formula}`)
})

test('chanceOfSet() and chanceOfAny() are exact where they can be told by hand', () => {
  assert.equal(chanceOfSet(3, { deaths: 2, servers: 10 }), 0)
  assert.ok(Math.abs(chanceOfSet(3, { deaths: 3, servers: 10 }) - 1 / 120) < 1e-15)
  assert.equal(chanceOfSet(2, { deaths: 10, servers: 10 }), 1)
  assert.ok(Math.abs(chanceOfAny(0.5, 2) - 0.75) < 1e-15)
  assert.ok(Math.abs(chanceOfAny(1e-18, 1e9) - 1e-9) < 1e-17)
})

test('setsAcross() counts the sets that share no domain', () => {
  assert.equal(setsAcross([1, 1, 2, 2, 3], 3), 4)
  assert.equal(setsAcross([1, 1, 1], 2), 0)
  assert.equal(setsAcross([1, 2, 3, 4], 2), 6)
})

test('estimateRandomLoss() knows that chunks on servers of one rack cannot be', () => {
  const domainOf = [0, 0, 0, 1, 1, 1, 2, 2, 2]
  const options = { domainOf, replicas: 3, chunks: 1e6 }
  const { probability, lostFraction } = estimateRandomLoss(options, { deaths: 3, trials: 20_000 }, seededRandom(1))
  // 27 of 84 triples lie in three racks; each of those holds a 27th.
  assert.ok(Math.abs(probability - 27 / 84) < 0.02)
  assert.ok(Math.abs(lostFraction - 1 / 27) < 1e-9)
})
