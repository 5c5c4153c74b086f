import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { type CodePoolOptions, createCodePool } from './pool.ts'
import { type CodeResult, type CodeTask, READY } from './port.ts'

const ENTRY = new URL('../threads/code.ts', import.meta.url)

/** A thread whose answers the test gives. */
class FakeThread extends EventEmitter {
  readonly tasks: CodeTask[] = []
  isEnded = false
  postMessage(task: CodeTask): void {
    this.tasks.push(task)
  }
  unref(): void {}
  terminate(): Promise<number> {
    this.isEnded = true
    return Promise.resolve(0)
  }
  begin(): void {
    this.emit('message', READY)
  }
  answer(output: string): void {
    this.emit('message', { ok: true, output } satisfies CodeResult)
  }
}

function start(options: Omit<CodePoolOptions, 'start'> = {}) {
  const threads: FakeThread[] = []
  const pool = createCodePool({
    start() {
      threads.push(new FakeThread())
      return threads.at(-1)! as never
    },
    ...options,
  })
  const results: (readonly [string, CodeResult])[] = []
  const askAs =
    (holder: string) =>
    (code: string): (() => void) =>
      pool.run({ code, input: 'null' }, holder, (result) => results.push([code, result]))
  return { threads, pool, results, ask: askAs(''), askAs }
}
const told = (results: readonly (readonly [string, CodeResult])[]): readonly string[] =>
  results.map(([code, result]) => `${code} ${result.ok ? result.output : result.fault}`)

test('each thread has one task at a time, and the others wait in their order', () => {
  const { threads, results, ask } = start({ threads: 2 })
  for (const code of ['a', 'b', 'c', 'd']) ask(code)
  assert.deepEqual(
    threads.map(({ tasks }) => tasks.map(({ code }) => code)),
    [['a'], ['b']],
  )
  threads[1]!.answer('1')
  threads[1]!.answer('2')
  threads[0]!.answer('3')
  threads[1]!.answer('4')
  assert.deepEqual(told(results), ['b 1', 'c 2', 'a 3', 'd 4'])
})

test('too many tasks are refused, and one that was given up waits no longer and is told nothing', async () => {
  const { threads, results, ask } = start({ threads: 1, waiting: 2 })
  const giveUp = ['a', 'b', 'c', 'd'].map(ask)
  await Promise.resolve()
  assert.deepEqual(told(results), ['d overloaded'])
  giveUp[0]!()
  giveUp[1]!()
  threads[0]!.answer('1')
  threads[0]!.answer('2')
  assert.deepEqual(told(results), ['d overloaded', 'c 2'])
})

test('holders take turns, and one that asks again and again leaves half of the line to others', async () => {
  const { threads, results, askAs } = start({ threads: 1, waiting: 4 })
  const [greedy, other] = [askAs('greedy'), askAs('other')]
  for (const code of ['a', 'b', 'c', 'd']) greedy(code)
  other('x')
  await Promise.resolve()
  assert.deepEqual(told(results), ['d overloaded'])
  for (const output of ['1', '2', '3', '4']) threads[0]!.answer(output)
  assert.deepEqual(told(results).slice(1), ['a 1', 'b 2', 'x 3', 'c 4'])
})

test('a thread that does not answer in time, or ends, is replaced, and its task fails', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { threads, results, ask } = start({ threads: 1, answerMs: 100, idleMs: 1000 })
  for (const code of ['a', 'b', 'c']) ask(code)
  t.mock.timers.tick(10_000)
  assert.equal(threads.length, 1, 'the time for an answer begins when the thread has started')
  threads[0]!.begin()
  t.mock.timers.tick(99)
  assert.equal(threads.length, 1)
  t.mock.timers.tick(1)
  assert.deepEqual([threads.length, threads[0]!.isEnded], [2, true])
  threads[1]!.begin()
  threads[1]!.emit('exit', 1)
  assert.equal(threads.length, 3)
  threads[0]!.answer('late')
  threads[2]!.answer('1')
  assert.deepEqual(told(results), ['a time', 'b lost', 'c 1'])
  t.mock.timers.tick(1000)
  assert.equal(threads[2]!.isEnded, true, 'it has had nothing to do')
})

test('a thread that does not start in time is replaced, and its task is lost', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { threads, results, ask } = start({ threads: 1, startMs: 200, answerMs: 100 })
  for (const code of ['a', 'b']) ask(code)
  t.mock.timers.tick(200)
  assert.deepEqual([threads.length, threads[0]!.isEnded], [2, true])
  threads[1]!.begin()
  threads[1]!.answer('1')
  assert.deepEqual(told(results), ['a lost', 'b 1'])
})

test('while code runs until it is ended, this thread goes on, and other code gets its value', async () => {
  const pool = createCodePool({ start: () => new Worker(ENTRY, { name: 'code' }) })
  const run = (code: string): Promise<CodeResult> =>
    new Promise((done) => pool.run({ code, input: '{"a":1}' }, '', done))
  try {
    let turns = 0
    const turn = (): void => {
      turns++
      timer = setImmediate(turn)
    }
    let timer = setImmediate(turn)
    const ended = await Promise.all([
      run('() => { for (;;) {} }'),
      run('({ a }) => a + 1'),
      run('() => { for (;;) {} }'),
    ])
    clearImmediate(timer)
    assert.deepEqual(
      ended.map((one) => (one.ok ? one.output : one.fault)),
      ['time', '2', 'time'],
    )
    assert.ok(turns > 100, `${turns}`)
  } finally {
    pool.close()
  }
})
