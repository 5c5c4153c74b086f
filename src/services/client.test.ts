import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { createServiceClient } from './client.ts'
import type { FromServices, ServiceResult, ServiceTask, ToServices } from './port.ts'

const TASK: ServiceTask = {
  holder: '',
  to: { host: 'db', port: 1, tls: false, ca: null },
  login: null,
  work: { service: 'redis', database: 0, command: 'GET', args: ['a'], encoding: 'text' },
}

class Thread extends EventEmitter {
  readonly got: ToServices[] = []
  isEnded = false
  postMessage(message: ToServices): void {
    this.got.push(message)
  }
  unref(): void {}
  async terminate(): Promise<number> {
    this.isEnded = true
    return 0
  }
  answer(id: number, result: ServiceResult): void {
    this.emit('message', { id, result } satisfies FromServices)
  }
}

function start(questions?: number) {
  const threads: Thread[] = []
  const client = createServiceClient({
    start: () => {
      const thread = new Thread()
      threads.push(thread)
      return thread as never
    },
    ...(questions === undefined ? {} : { questions }),
  })
  const results: ServiceResult[] = []
  const run = (holder = '') => client.run({ ...TASK, holder }, (result) => results.push(result))
  return { threads, client, results, run }
}

test('a thread starts with the first question, and each question is told its own answer once', () => {
  const { threads, results, run, client } = start()
  assert.equal(threads.length, 0)
  run()
  run()
  const [thread] = threads
  thread!.answer(2, { ok: true, json: '2' })
  thread!.answer(2, { ok: true, json: 'again' })
  thread!.answer(1, { ok: true, json: '1' })
  assert.deepEqual(results, [
    { ok: true, json: '2' },
    { ok: true, json: '1' },
  ])
  assert.equal(threads.length, 1)
  client.close()
  assert.equal(thread!.isEnded, true)
})

test('a question that is given up is told to the thread, and its answer is not heard', () => {
  const { threads, results, run } = start()
  const giveUp = run()
  giveUp()
  giveUp()
  const [thread] = threads
  assert.deepEqual(thread!.got.slice(1), [{ id: 1, task: null }])
  thread!.answer(1, { ok: true, json: '1' })
  assert.deepEqual(results, [])
})

test('if the thread ends, its questions fail, and the next one starts another', () => {
  const { threads, results, run } = start()
  run()
  threads[0]!.emit('error', new Error('out of memory'))
  threads[0]!.emit('exit', 1)
  assert.deepEqual(
    results.map((result) => (result.ok ? null : result.kind)),
    ['lost'],
  )
  run()
  threads[0]!.answer(2, { ok: true, json: 'of the dead' })
  threads[1]!.answer(2, { ok: true, json: '2' })
  assert.deepEqual(results.slice(1), [{ ok: true, json: '2' }])
})

test('more questions than there may be are refused, later and not at once', async () => {
  const { results, run } = start(1)
  run()
  run()
  run()()
  assert.equal(results.length, 0)
  await Promise.resolve()
  assert.deepEqual(
    results.map((result) => (result.ok ? null : result.kind)),
    ['overloaded'],
  )
})

test('one holder takes half of the places for questions, and the next one still finds a place', async () => {
  const { threads, results, run } = start(8)
  for (let at = 0; at < 5; at++) run('greedy')
  await turn()
  assert.deepEqual(
    results.map((result) => !result.ok && result.kind),
    ['overloaded'],
  )
  run('other')
  threads[0]!.answer(1, { ok: true, json: '1' })
  run('greedy')
  await turn()
  assert.equal(results.length, 2)
  assert.equal(threads[0]!.got.length, 6)
})
