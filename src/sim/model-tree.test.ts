import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ModelTree, type StepContext } from './model-tree.ts'
import type { Step } from './steps.ts'

const context: StepContext = { invokedMs: 0, settledMs: 1, version: undefined, trashLastsMs: 1000 }
const write = (path: string, seed: number, more: object = {}): Step => ({
  kind: 'write',
  path,
  content: { seed, length: 10 },
  ...more,
})
const makeDirectory = (path: string): Step => ({ kind: 'make-directory', path, recursive: true })

/** The tree after steps that all succeed. */
function treeOf(...steps: readonly Step[]): ModelTree {
  return steps.reduce((tree, step) => {
    const [foreseen] = tree.after(step, context)
    assert.equal(foreseen?.kind, 'ok', JSON.stringify(step))
    return foreseen?.tree as ModelTree
  }, ModelTree.empty)
}

/** What a step would be told. */
function told(tree: ModelTree, step: Step, at: Partial<StepContext> = {}): unknown[] {
  return tree.after(step, { ...context, ...at }).map((one) => (one.kind === 'ok' ? one.answer : one.code))
}

const tree = treeOf(makeDirectory('/d'), write('/d/a', 1), write('/d/b', 2), makeDirectory('/d/a b'))

test('ModelTree.after() refuses as the store does', () => {
  assert.deepEqual(told(tree, write('/x/a', 3)), ['not-found'])
  assert.deepEqual(told(tree, write('/d/a/x', 3)), ['not-a-directory'])
  assert.deepEqual(told(tree, write('/d', 3)), ['is-a-directory', 'is-a-directory'])
  assert.deepEqual(told(tree, write('/d/a', 3, { ifAbsent: true })), ['already-exists'])
  assert.deepEqual(told(tree, { kind: 'remove', path: '/d', recursive: false }), ['is-a-directory'])
  assert.deepEqual(told(tree, { kind: 'rename', from: '/d', to: '/d/a b/c', replace: true }), ['invalid-argument'])
  assert.deepEqual(told(tree, { kind: 'rename', from: '/d/a b', to: '/d/a', replace: true }), ['not-a-directory'])
  assert.deepEqual(told(tree, { kind: 'truncate', path: '/d/a', length: 11 }), ['invalid-argument'])
  assert.deepEqual(told(tree, { kind: 'undelete', path: '/d/a' }), ['not-found'])
})

test('ModelTree.after() lists by bytes, directories with a slash, page after page', () => {
  const list = (after: string, limit: number): Step => ({ kind: 'list-page', path: '/d', after, limit })
  assert.deepEqual(told(tree, list('', 9)), [{ names: ['a', 'a b/', 'b'] }])
  assert.deepEqual(told(tree, list('a', 1)), [{ names: ['a b/'] }])
  assert.deepEqual(told(tree, list('b', 9)), [{ names: [] }])
})

test('ModelTree.after() moves a whole directory, and brings it back from trash', () => {
  const moved = treeOf(
    makeDirectory('/d'),
    write('/d/a', 1),
    { kind: 'rename', from: '/d', to: '/e', replace: true },
    { kind: 'remove', path: '/e', recursive: true },
  )
  assert.deepEqual(told(moved, { kind: 'read', path: '/e/a' }), ['not-found'])
  assert.deepEqual(told(moved, { kind: 'list-trash', path: '/' }), [{ trash: ['/e 0'] }])
  const [back] = moved.after({ kind: 'undelete', path: '/e' }, context)
  assert.deepEqual(told(back?.tree as ModelTree, { kind: 'stat', path: '/e/a' }), [
    { kind: 'file', size: 10, version: undefined },
  ])
})

test('ModelTree.after() leaves open what time decides: trash that may be over', () => {
  const removed = treeOf(write('/a', 1), { kind: 'remove', path: '/a', recursive: false })
  assert.equal(told(removed, { kind: 'undelete', path: '/a' }).length, 1)
  assert.deepEqual(told(removed, { kind: 'undelete', path: '/a' }, { settledMs: 1001 }), [
    { kind: 'file', size: 10, version: undefined },
    'not-found',
  ])
  assert.deepEqual(told(removed, { kind: 'list-trash', path: '/' }, { settledMs: 1001 }), [{}])
})

test('ModelTree.after() leaves open whether a version that nobody was told is the expected one', () => {
  const expecting = write('/a', 2, { ifVersion: 7 })
  assert.deepEqual(told(treeOf(write('/a', 1)), expecting), [{ size: 10 }, 'changed'])
  const [known] = ModelTree.empty.after(write('/a', 1), { ...context, version: 8 })
  assert.deepEqual(told(known?.tree as ModelTree, expecting), ['changed'])
})
