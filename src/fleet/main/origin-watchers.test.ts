import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ToGateway, watcherOf } from '../shared/messages.ts'
import { createOriginWatchers } from './thread-requests.ts'

const ORIGINS = Array.from({ length: 1000 }, (_, index) => `ori_${index}`)

test('each origin has one thread, all threads have about as many, and few origins move when a thread goes', () => {
  const shares = new Map<number | null, number>()
  let moved = 0
  for (const origin of ORIGINS) {
    const watcher = watcherOf([0, 1, 2, 3], origin)
    assert.equal(watcherOf([3, 1, 0, 2], origin), watcher)
    shares.set(watcher, (shares.get(watcher) ?? 0) + 1)
    const without = watcherOf([0, 1, 3], origin)
    assert.notEqual(without, 2)
    if (watcher !== 2 && without !== watcher) moved++
  }
  assert.equal(moved, 0)
  for (const count of shares.values()) assert.ok(count > 150 && count < 350, `${[...shares]}`)
  assert.equal(watcherOf([], 'ori_1'), null)
})

test('resources are watched by the thread of the origin for all that want them, and told to those alone', () => {
  const told: [number, ToGateway][] = []
  const last = () => told.at(-1)
  const watchers = createOriginWatchers((slot, message) => told.push([slot, message]))
  watchers.want(0, 'ori_1', ['a:1'])
  assert.equal(told.length, 0)
  watchers.share([0, 1])
  const watcher = watcherOf([0, 1], 'ori_1')!
  const order = (uris: readonly string[]) => ({ kind: 'watch_resources', origin: 'ori_1', uris })
  assert.deepEqual(told, [
    [0, { kind: 'watchers', slots: [0, 1] }],
    [1, { kind: 'watchers', slots: [0, 1] }],
    [watcher, order(['a:1'])],
  ])
  watchers.want(1, 'ori_1', ['a:1', 'a:2'])
  assert.deepEqual(last(), [watcher, order(['a:1', 'a:2'])])
  told.length = 0
  watchers.updated('ori_1', ['a:2', 'a:3'])
  const updated = { kind: 'resources_updated', origin: 'ori_1' }
  assert.deepEqual(told, [[1, { ...updated, uris: ['a:2'] }]])
  told.length = 0
  watchers.updated('ori_1', ['a:1'])
  assert.deepEqual(told.map(([slot]) => slot).sort(), [0, 1])
  watchers.gone(1)
  assert.deepEqual(last(), [watcher, order(['a:1'])])
  watchers.share([1])
  assert.deepEqual(last(), [1, order(['a:1'])])
  watchers.want(0, 'ori_1', [])
  assert.deepEqual(last(), [1, order([])])
})
