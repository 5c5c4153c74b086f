import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asTexts, client, delta as deltaOf, packed } from '../../../test/gateway/fragments.ts'
import type { SnapshotDelta } from '../../snapshot/packed-fragments.ts'
import type { FromGateway } from '../shared/messages.ts'
import { createOrders, type OrdersParts } from './main-thread-orders.ts'

const delta = (revision: number): SnapshotDelta => deltaOf(revision, [], { full: true })

/** A thread that notes what it does, in order. Its listeners open when `open` is called. */
function thread(own: Partial<OrdersParts> = {}) {
  const done: string[] = []
  const { promise, resolve: open } = Promise.withResolvers<void>()
  const gateway = {
    load: ({ put }: SnapshotDelta) => done.push(`load ${put.map(({ fragment }) => fragment.id).join(' ')}`),
    apply: ({ revision }: SnapshotDelta) => {
      done.push(`apply ${revision}`)
      return revision === 2 ? ['a fragment fails closed'] : []
    },
    credentialUses: () => new Map([['crd_a', 7]]),
  }
  const order = createOrders({
    // Nothing else of it is asked
    gateway: gateway as unknown as OrdersParts['gateway'],
    probe: () => assert.fail(),
    say: (message: FromGateway) =>
      done.push(message.kind === 'applied' ? `applied ${message.faults.length}` : message.kind),
    listen: () => {
      done.push('listen')
      return promise
    },
    drain: async (deadlineMs) => void done.push(`drain ${deadlineMs}`),
    recordTo: () => assert.fail(),
    keySets: { answered: () => assert.fail() },
    signIns: { answered: () => true },
    verifiedTokens: { answered: () => assert.fail() },
    connections: { answered: () => assert.fail() },
    consoleCallers: { answered: () => assert.fail() },
    keys: { claimed: () => assert.fail() },
    once: { answered: () => assert.fail() },
    originSessions: { heard: () => assert.fail() },
    deliver: () => assert.fail(),
    watch: { share: () => assert.fail(), want: () => assert.fail(), down: () => assert.fail() },
    sharedWatch: { updated: () => assert.fail() },
    heldCalls: { deliver: () => assert.fail(), ended: () => assert.fail() },
    setCredentialKey: () => done.push('key'),
    setTls: (_, listener) => done.push(`tls ${listener}`),
    ...own,
  })
  return { done, order, open }
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('a change is acknowledged after it is in force, and the first one opens the listeners, once', async () => {
  const { done, order, open } = thread()
  const [piece] = packed(deltaOf(1, [client('b'), client('a')])).fragments.pieces
  order({ kind: 'snapshot_part', piece: piece!, full: true })
  order({ kind: 'snapshot', delta: asTexts(delta(1)) })
  order({ kind: 'snapshot', delta: asTexts(delta(2)) })
  await settled()
  assert.deepEqual(done, ['load cli_a cli_b', 'apply 1', 'applied 0', 'listen', 'apply 2', 'applied 1'])
  open()
  await settled()
  assert.equal(done.at(-1), 'listening')
})

test('a question is answered under its number, also while nothing is served', async () => {
  const said: FromGateway[] = []
  const { order } = thread({ say: (message) => said.push(message) })
  order({ kind: 'ask', id: 3, question: { about: 'uses' } })
  await settled()
  assert.deepEqual(said, [{ kind: 'answered', id: 3, answer: new Map([['crd_a', 7]]) }])
})

test('a thread says that it is drained when the last request has ended, and not before', async () => {
  const { promise, resolve: end } = Promise.withResolvers<void>()
  const { done, order } = thread({ drain: () => promise })
  order({ kind: 'drain', deadlineMs: 50 })
  await settled()
  assert.deepEqual(done, [])
  end()
  await settled()
  assert.deepEqual(done, ['drained'])
})
