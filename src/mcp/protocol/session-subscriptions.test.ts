import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createThreadEvents, type ThreadEvents } from '../../shared-state/memory/shared-cells.ts'
import { createSessionSubscriptions, type SessionSubscriptions } from './subscription.ts'

/** The memories of two threads. */
function two(): readonly SessionSubscriptions[] {
  const threads: ThreadEvents[] = [0, 1].map((at) =>
    createThreadEvents((event) => threads[1 - at]!.deliver(event)),
  )
  return threads.map(createSessionSubscriptions)
}

const session = (holder: string, sessionId: string) => ({ holder, sessionId })

test('all threads remember what a session has subscribed to, until it ends', () => {
  const [one, other] = two()
  const own = session('acme', 's1')
  let told = 0
  const ended: string[] = []
  const tell = (name: string) => ({ changed: () => void told++, ended: () => void ended.push(name) })
  one!.watch('s2', tell('another session'))
  one!.watch('s1', { ...tell('one'), changed() {} })
  other!.watch('s1', tell('other'))
  assert.equal(one!.add(own, 'test://a'), true)
  assert.equal(one!.add(own, 'test://a'), true)
  assert.equal(one!.add(own, 'test://b'), true)
  other!.remove(own, 'test://a')
  assert.deepEqual([...one!.of('s1')], ['test://b'])
  assert.equal(told, 3)
  one!.end('s1')
  assert.deepEqual([one!.of('s1').size, other!.of('s1').size, told], [0, 0, 3])
  assert.deepEqual(ended, ['one', 'other'])
})

test('a session has 100 subscriptions', () => {
  const [one] = two()
  const all = Array.from({ length: 101 }, (_, at) => one!.add(session('acme', 's1'), `test://${at}`))
  assert.deepEqual([all[99], all[100]], [true, false])
})

test('a client with ever new sessions loses its own subscriptions, and those of another client stay', () => {
  const [one, other] = two()
  one!.add(session('acme', 'acme-1'), 'test://a')
  let lost = 0
  one!.watch('greedy-0', { changed: () => void lost++, ended: () => assert.fail('no session ends') })
  const long = 'x'.repeat(2000)
  for (let at = 0; at < 120; at++)
    for (let uri = 0; uri < 100; uri++)
      assert.equal(one!.add(session('greedy', `greedy-${at}`), `test://${at}/${uri}/${long}`), true)
  for (const memory of [one, other]) {
    assert.deepEqual([...memory!.of('acme-1')], ['test://a'])
    assert.deepEqual([memory!.of('greedy-0').size, memory!.of('greedy-119').size], [0, 100])
  }
  assert.equal(lost, 101)
})
