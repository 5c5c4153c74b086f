import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createEgress, NO_LISTENER } from '../../base/egress.ts'
import { convertDocument } from '../config/convert-document.ts'
import { takeDocuments } from '../config/take.ts'
import { type Job, runApartFor } from './apart.ts'

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

test('a caller has one place and a line of bounded length, and another caller does not wait behind it', async () => {
  const ended: string[] = []
  const ask = (caller: string, name: string, count: number) =>
    runApartFor(caller)(takeDocuments, asked(count)).then(() => void ended.push(name))
  const mine = Array.from({ length: 9 }, (_, at) => ask('alice', `alice ${at}`, 3000))
  const others = ask('bob', 'bob', 200)
  // The inputs are cut into pieces before they are in line
  await new Promise((resolve) => setImmediate(resolve))
  await assert.rejects(ask('alice', 'alice 9', 3000), {
    code: 'overloaded',
    message: /8 of your requests wait/,
  })
  await Promise.all([...mine, others])
  assert.deepEqual(
    ended.filter((name) => name !== 'bob'),
    Array.from({ length: 9 }, (_, at) => `alice ${at}`),
  )
  assert.ok(ended.indexOf('bob') < 2, ended.join())
})

test('the further thread stays for urgent jobs, also once one has opened it', async () => {
  const ended: string[] = []
  const ask = (caller: string, count: number, isUrgent = false) =>
    runApartFor(caller, { isUrgent })(takeDocuments, asked(count)).then(() => void ended.push(caller))
  const others = ['alice', 'bob', 'carol', 'dave'].map((caller) => ask(caller, 6000))
  await ask('erin', 200, true)
  await ask('frank', 200, true)
  assert.deepEqual(ended, ['erin', 'frank'])
  await Promise.all(others)
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
