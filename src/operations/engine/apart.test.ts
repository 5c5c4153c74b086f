import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { createEgress, NO_LISTENER } from '../../base/net/egress.ts'
import { convertDocument } from '../config/convert.ts'
import { takeDocuments } from '../config/take.ts'
import { type Answered, Apart, type Asked, type Job, runApartFor } from './apart.ts'

/** Documents in YAML, which take a while to read. */
const asked = (count: number) => ({
  documents: [
    Array.from({ length: count }, (_, at) => `kind: client\nslug: c${at}\nspec: {name: C${at}}\n`).join(
      '---\n',
    ),
  ],
  variables: {},
  managed_by: 'a',
  prune: false,
  take_over: false,
})

test('a small input is worked on by the main thread, and a larger one gives the same in a thread apart', async () => {
  let here = 0
  const counted: typeof takeDocuments = {
    ...takeDocuments,
    run: (input) => {
      here++
      return takeDocuments.run(input)
    },
  }
  const apart = runApartFor('alice')
  const small = await apart(counted, asked(2))
  assert.equal(here, 1)
  assert.deepEqual(
    small.desired.map(({ address }) => address),
    ['client/c0', 'client/c1'],
  )
  const large = await apart(counted, asked(1000))
  assert.equal(here, 1)
  assert.deepEqual(large, await takeDocuments.run(asked(1000)))
})

test('a refusal crosses with its code and its places', async () => {
  const broken = { ...asked(1000), documents: [`${asked(1000).documents[0]}---\nkind: nothing\n`] }
  await assert.rejects(runApartFor('alice')(takeDocuments, broken), {
    code: 'input_invalid',
    message: /\/documents\/0\/1000/,
  })
})

test('a job over its time is refused by its own refusal, and the next one is done', async () => {
  const apart = runApartFor('alice')
  await assert.rejects(apart({ ...takeDocuments, msMax: 1 }, asked(5000)), {
    code: 'document_invalid',
    message: /too much to read/,
  })
  assert.equal((await apart(takeDocuments, asked(1000))).desired.length, 1000)
})

test('a job that its thread does not know is a fault of its own, and so is one that throws', async () => {
  const unknown: Job<object, void> = { ...convertDocument, name: 'nothing', run: () => {} }
  await assert.rejects(
    runApartFor('alice')(unknown, { text: 'x'.repeat(10_000) }),
    /there is no job "nothing"/,
  )
  assert.equal((await runApartFor('alice')(takeDocuments, asked(1000))).desired.length, 1000)
})

test('a caller has one place and a line of bounded length, and another caller does not wait behind it', async (t) => {
  const { jobs, ask, end } = told(t)
  const mine = Array.from({ length: 9 }, (_, at) => ask('alice', `alice ${at}`))
  const others = ask('bob', 'bob')
  await begun()
  await assert.rejects(ask('alice', 'alice 9'), {
    code: 'overloaded',
    message: /8 of your requests are still being processed/,
  })
  assert.deepEqual(jobs(), ['alice 0', 'bob'])
  const order = ['alice 0', 'bob', ...Array.from({ length: 8 }, (_, at) => `alice ${at + 1}`)]
  for (const name of order) end(name)
  await Promise.all([...mine, others])
  assert.deepEqual(jobs(), order)
})

test('the further thread stays for urgent jobs, also once one has opened it', async (t) => {
  const { jobs, workers, ask, end } = told(t)
  const others = ['alice', 'bob', 'carol', 'dave'].map((caller) => ask(caller, caller))
  const erin = ask('erin', 'erin', true)
  await begun()
  assert.deepEqual(jobs(), ['alice', 'bob', 'erin'])
  end('erin')
  await erin
  assert.deepEqual(jobs(), ['alice', 'bob', 'erin'], 'carol and dave wait, though a thread has no job')
  const frank = ask('frank', 'frank', true)
  await begun()
  assert.deepEqual(jobs(), ['alice', 'bob', 'erin', 'frank'])
  assert.equal(workers.length, 3)
  for (const name of ['frank', 'alice', 'bob', 'carol', 'dave']) end(name)
  await Promise.all([...others, frank])
})

test('the main thread has its turns while a small file becomes very much', async () => {
  const hosts = Array.from({ length: 40 }, (_, at) => `h${at}.example.com`)
  const document = {
    _format_version: '3.0',
    services: [
      {
        name: 's',
        url: 'http://127.0.0.1',
        routes: Array.from({ length: 300 }, (_, at) => ({ name: `r${at}`, paths: [`/p${at}`], hosts })),
      },
    ],
  }
  let turns = 0
  const ticking = setInterval(() => turns++, 1)
  const converted = await runApartFor('alice')(convertDocument, {
    document,
    servers: 'origins',
    values: {},
    hasRunner: false,
    egress: createEgress(NO_LISTENER).settings,
  })
  clearInterval(ticking)
  assert.equal(converted.documents.length, 900)
  assert.ok(turns > 10, `${turns} turns of the event loop`)
})

/** Threads that begin a job and never end it. */
const IDLERS = new URL(
  'data:text/javascript,import{parentPort}from"node:worker_threads";parentPort.on("message",()=>{})',
)

/** Threads of a test, which knows them, and the jobs that they were asked for, in their order. */
function watched(t: TestContext) {
  const workers: Worker[] = []
  const asked: { readonly job: string; readonly worker: Worker }[] = []
  const apart = new Apart({
    open: (resourceLimits) => {
      const worker = new Worker(IDLERS, { resourceLimits })
      workers.push(worker)
      const { postMessage } = worker
      worker.postMessage = (message: Asked, ...more) => {
        asked.push({ job: message.job, worker })
        postMessage.call(worker, message, ...more)
      }
      return worker
    },
  })
  // Those of a test that fails would keep its process until the time of their jobs is over
  t.after(() => Promise.all(workers.map((worker) => worker.terminate())))
  return { apart, workers, asked }
}

/** Asks for jobs that end when the test says so. */
function told(t: TestContext) {
  const { apart, workers, asked } = watched(t)
  return {
    workers,
    /** Names of the jobs that have begun, in their order. */
    jobs: () => asked.map(({ job }) => job),
    /** Resolves when the job has ended. */
    ask: async (caller: string, name: string, isUrgent = false): Promise<void> => {
      const job: Job<object, void> = { ...convertDocument, name, isAlwaysApart: true, run: () => {} }
      await assert.rejects(runApartFor(caller, { isUrgent, apart })(job, {}), (error: Error) => {
        if (error.message !== ENDED) throw error
        return true
      })
    },
    end(name: string): void {
      const { worker } = asked.find(({ job }) => job === name)!
      worker.emit('message', {
        refusal: { code: 'input_invalid', facts: { detail: ENDED } },
      } satisfies Answered)
    },
  }
}

const ENDED = 'the test has ended the job'

/** After the inputs of jobs have been cut into pieces, the jobs have begun or wait. */
const begun = (): Promise<void> => new Promise((resolve) => setImmediate(() => setImmediate(resolve)))

test('a job over the memory of its thread is refused by its own refusal, the process goes on, and so does the next job', async () => {
  const apart = new Apart({ megabytesMax: 48 })
  const run = runApartFor('alice', { apart })
  await assert.rejects(run(takeDocuments, asked(60_000)), {
    code: 'document_invalid',
    message: /too much to read/,
  })
  assert.equal((await run(takeDocuments, asked(500))).desired.length, 500)
})

test('an answer that cannot be read fails its job, ends its thread, and leaves the place to the next job', async (t) => {
  const { apart, workers } = watched(t)
  const run = runApartFor('alice', { apart })
  const first = run(takeDocuments, asked(500))
  await begun()
  const [worker] = workers
  const ended = once(worker!, 'exit')
  // No program can make a thread post what its reader refuses: that takes a fault of Node
  worker!.emit('messageerror', new Error('cannot be read'))
  await assert.rejects(first, /cannot be read/)
  await ended
  const second = run(takeDocuments, asked(500))
  await begun()
  assert.equal(workers.length, 2)
  workers[1]!.emit('messageerror', new Error('again'))
  await assert.rejects(second, /again/)
})

test('the job of a caller who has left ends with its thread, and the next caller has the place', async (t) => {
  const { apart, workers } = watched(t)
  const left = new AbortController()
  const first = runApartFor('alice', { apart, left: left.signal })(takeDocuments, asked(500))
  const next = runApartFor('alice', { apart })(takeDocuments, asked(501))
  await begun()
  assert.equal(workers.length, 1)
  const ended = once(workers[0]!, 'exit')
  left.abort()
  await assert.rejects(first, { code: 'payload_rejected', message: /caller disconnected/ })
  await ended
  assert.equal(workers.length, 2)
  workers[1]!.emit('messageerror', new Error('done'))
  await assert.rejects(next, /done/)
})

test('the job of a caller who has left while it waited never begins, and its line is shorter by one', async (t) => {
  const { apart, workers } = watched(t)
  const ask = (left?: AbortSignal) => runApartFor('alice', { apart, left })(takeDocuments, asked(500))
  const first = ask()
  const leaving = new AbortController()
  const waiting = Array.from({ length: 7 }, () => ask(leaving.signal))
  const last = ask()
  await begun()
  await assert.rejects(ask(), { code: 'overloaded' })
  leaving.abort()
  for (const one of waiting) await assert.rejects(one, { code: 'payload_rejected' })
  await assert.rejects(ask(leaving.signal), { code: 'payload_rejected' })
  for (const [at, one] of [first, last].entries()) {
    assert.equal(workers.length, at + 1)
    workers[at]!.emit('messageerror', new Error(`done ${at}`))
    await assert.rejects(one, new RegExp(`done ${at}`))
  }
  assert.equal(workers.length, 2)
})

test('one caller never holds both threads, and a further caller waits for one running job at most', async (t) => {
  const { apart, workers } = watched(t)
  const failures: string[] = []
  const ask = (caller: string): void => {
    runApartFor(caller, { apart })(takeDocuments, asked(500)).catch((error: Error) =>
      failures.push(`${caller}: ${error.message}`),
    )
  }
  for (let count = 0; count < 8; count++) ask('alice')
  await begun()
  assert.equal(workers.length, 1)
  ask('bob')
  await begun()
  assert.equal(workers.length, 2)
  ask('carol')
  await begun()
  assert.equal(workers.length, 2)
  // The first that ends makes room for her, although alice has asked before her
  workers[0]!.emit('messageerror', new Error('first'))
  await begun()
  assert.equal(workers.length, 3)
  workers[2]!.emit('messageerror', new Error('third'))
  await begun()
  assert.deepEqual(failures, ['alice: first', 'carol: third'])
  // Then it is the turn of alice again
  assert.equal(workers.length, 4)
  workers[1]!.emit('messageerror', new Error('second'))
  for (let at = 3; at < 10; at++) {
    await begun()
    workers[at]!.emit('messageerror', new Error(`${at}`))
  }
  await begun()
  assert.equal(failures.length, 10)
})
