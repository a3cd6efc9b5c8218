import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { disconnected, elapsed, expected, heard, registered, type Watch, WatchTime } from './failure-detector.ts'

const options = { heartbeatIntervalMs: 1000, deadAfterMs: 30_000 }

test('elapsed() turns a silent server suspect after three heartbeats and dead after deadAfterMs', () => {
  const watch = registered(0)
  assert.equal(elapsed(watch, 2999, options).health, 'up')
  assert.equal(elapsed(watch, 3000, options).health, 'suspect')
  assert.equal(elapsed(watch, 29_999, options).health, 'suspect')
  assert.equal(elapsed(watch, 30_000, options).health, 'dead')
})

test('heard() brings a late server back to up on the same connection', () => {
  const late = elapsed(registered(0), 5000, options)
  assert.deepEqual(heard(late, 5001), { health: 'up', heardMs: 5001, connected: true })
})

test('disconnected() makes a server suspect at once, and a heartbeat of the old connection does not revive it', () => {
  const gone = disconnected(registered(0))
  assert.equal(gone.health, 'suspect')
  assert.equal(heard(gone, 1).health, 'suspect')
})

test('expected() gives a server that was a member before deadAfterMs to register', () => {
  assert.equal(elapsed(expected(100), 30_099, options).health, 'suspect')
  assert.equal(elapsed(expected(100), 30_100, options).health, 'dead')
})

test('a dead server comes back only by registering, whatever else arrives', () => {
  const events = fc.array(
    fc.constantFrom<(watch: Watch, nowMs: number) => Watch>(
      heard,
      (watch) => disconnected(watch),
      (watch, nowMs) => elapsed(watch, nowMs, options),
    ),
  )
  fc.assert(
    fc.property(events, (all) => {
      let watch = elapsed(registered(0), options.deadAfterMs, options)
      let nowMs = options.deadAfterMs
      for (const event of all) {
        nowMs += 10
        watch = event(watch, nowMs)
        assert.equal(watch.health, 'dead')
      }
      assert.equal(registered(nowMs).health, 'up')
    }),
  )
})

test('WatchTime is the clock itself while the watcher looks often, and leaves its pauses out', () => {
  const time = new WatchTime(500, options)
  assert.deepEqual(
    [500, 1000, 2999, 4999, 64_999, 65_500, 65_400, 65_500].map((nowMs) => time.look(nowMs)),
    [0, 500, 2499, 4499, 6499, 7000, 7000, 7000],
  )
})

// Whatever stops the watcher, and whenever: only silence that it listened to counts.
test('a server that answers whenever the watcher looks is never dead, and one that died is dead in time', () => {
  const gaps = fc.array(fc.oneof(fc.nat(1_000), fc.nat(100_000), fc.nat(10_000_000)), { maxLength: 100 })
  fc.assert(
    fc.property(gaps, fc.nat(99), (all, dies) => {
      const time = new WatchTime(0, options)
      let alive = registered(time.look(0))
      let dead = alive
      let nowMs = 0
      let listenedMs = 0
      all.forEach((gapMs, index) => {
        nowMs += gapMs
        // The look that ends a pause comes before anything that arrived meanwhile is read.
        alive = elapsed(alive, time.look(nowMs), options)
        assert.notEqual(alive.health, 'dead', `after ${gapMs} ms`)
        alive = heard(alive, time.look(nowMs))
        dead = elapsed(dead, time.look(nowMs), options)
        if (index < dies) {
          dead = heard(dead, time.look(nowMs))
          listenedMs = 0
        } else listenedMs += Math.min(gapMs, 2 * options.heartbeatIntervalMs)
        assert.equal(dead.health === 'dead', listenedMs >= options.deadAfterMs)
      })
    }),
  )
})
