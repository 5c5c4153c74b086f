import assert from 'node:assert/strict'
import { test } from 'node:test'
import { example, refused, startControl } from '../../../test/control.ts'
import type { SnapshotDelta } from '../../snapshot/packed-fragments.ts'
import type { ConfigReader } from '../../store/ports/config.ts'
import { StoreUnavailable } from '../../store/ports/unavailable.ts'
import { createFragmentPublisher } from './fragments.ts'

/** A publisher that keeps what it sends. */
function publisherOf(reader: ConfigReader) {
  const sent: SnapshotDelta[] = []
  const send = async (delta: SnapshotDelta) => {
    sent.push(delta)
    return { pending: false }
  }
  return { sent, publisher: createFragmentPublisher({ reader, revision: 0, send }) }
}

/** What holds after some deltas: hashes by key. */
function held(deltas: readonly SnapshotDelta[]): ReadonlyMap<string, string> {
  const all = new Map<string, string>()
  for (const { full, put, drop } of deltas) {
    if (full) all.clear()
    for (const { key, hash } of put) all.set(key, hash)
    for (const key of drop) all.delete(key)
  }
  return all
}

test('a publisher that shares the store sends what another has compiled, in the order of revisions', async () => {
  const control = await startControl()
  const { sent, publisher } = publisherOf(control.store.read)
  await example(control)
  await publisher.catchUp()
  assert.equal(sent.length, 1)
  assert.equal(sent[0]!.revision, await control.store.read.revision())
  assert.deepEqual(held(sent), held(control.published))
  await control.run('policies.update', { id: 'gold', active: false })
  await publisher.catchUp()
  assert.deepEqual(
    sent[1]!.put.map(({ key }) => key.split(':')[0]),
    ['policy'],
  )
  await control.run('clients.delete', { id: 'acme' }, { confirm: 'acme' })
  await control.run('collections.delete', { id: 'orders' }, { confirm: 'orders' })
  await publisher.catchUp()
  assert.deepEqual(held(sent), held(control.published))
  assert.equal(held(sent).size, 1, 'the policy is left')
  await publisher.catchUp()
  assert.equal(sent.length, 3, 'nothing is sent twice')
  await control.close()
})

test('a delta that cannot be sent while catching up rejects, and the next one is sent', async () => {
  const control = await startControl()
  await example(control)
  const sent: number[] = []
  const publisher = createFragmentPublisher({
    reader: control.store.read,
    revision: 0,
    async send({ revision }) {
      sent.push(revision)
      if (sent.length === 1) throw new Error('no thread takes it')
      return { pending: false }
    },
  })
  await assert.rejects(publisher.catchUp(), /no thread takes it/)
  await control.run('policies.update', { id: 'gold', active: false })
  await publisher.catchUp()
  assert.equal(sent.length, 2)
  await control.close()
})

test('a change that leaves all fragments as they were is published with its revision alone', async () => {
  const control = await startControl()
  await example(control)
  await control.run('policies.update', { id: 'gold', description: 'told to nobody' })
  const { put, drop, revision } = control.published.at(-1)!
  assert.deepEqual([put, drop, revision], [[], [], await control.store.read.revision()])
  await control.close()
})

test('a dry run, a refused change and a rolled back one leave no fragments', async () => {
  const control = await startControl()
  await example(control)
  const revision = await control.store.read.revision()
  await control.run('policies.update', { id: 'gold', active: false }, { dryRun: true })
  await refused(control.run('collections.update', { id: 'orders', upstream: null }), 'configuration_invalid')
  const changes = await control.store.read.fragmentsSince(revision)
  assert.deepEqual([changes?.revision, changes?.put, changes?.drop], [revision, [], []])
  await control.close()
})

test('what could not be read when it was committed is sent with the next change, or soon', async () => {
  const faults: unknown[] = []
  let isBroken = false
  const sent: SnapshotDelta[] = []
  const control = await startControl({
    deps: {
      fault: (error) => faults.push(error),
      publisher: { publish: (revision) => publisher.publish(revision) },
    },
  })
  const { read } = control.store
  const demand = (): void => {
    if (isBroken) throw new StoreUnavailable('io_error', 'the disk')
  }
  const reader: ConfigReader = {
    ...read,
    revision: async () => {
      demand()
      return read.revision()
    },
    fragmentsSince: async (after) => {
      demand()
      return read.fragmentsSince(after)
    },
  }
  const publisher = createFragmentPublisher({
    reader,
    revision: 0,
    send: async (delta) => {
      sent.push(delta)
      return { pending: false }
    },
  })
  const revisions = (): number[] => sent.map((delta) => delta.revision)
  isBroken = true
  assert.equal((await control.run('policies.create', { name: 'A' })).pending, true)
  assert.deepEqual([faults.length, revisions()], [1, []])
  await publisher.catchUp()
  isBroken = false
  assert.equal((await control.run('policies.create', { name: 'B' })).pending, false)
  assert.deepEqual([revisions(), sent[0]!.put.length], [[2], 2])
  isBroken = true
  assert.equal((await control.run('policies.create', { name: 'C' })).pending, true)
  isBroken = false
  await publisher.catchUp()
  assert.deepEqual([revisions(), sent[1]!.put.length], [[2, 3], 1])
  await control.close()
})

test('changes of two callers and looks between them are sent once, in order', async () => {
  const sent: SnapshotDelta[] = []
  const control = await startControl({
    deps: { publisher: { publish: (revision) => publisher.publish(revision) } },
  })
  const publisher = createFragmentPublisher({
    reader: control.store.read,
    revision: 0,
    send: async (delta) => {
      sent.push(delta)
      return { pending: false }
    },
  })
  const work = Array.from({ length: 12 }, (_, n) => [
    control.run('policies.create', { name: `P${n}` }),
    publisher.catchUp(),
  ])
  await Promise.all(work.flat())
  assert.deepEqual(
    sent.map(({ revision }) => revision),
    Array.from({ length: 12 }, (_, n) => n + 1),
  )
  assert.equal(held(sent).size, 12)
  await control.close()
})

test('a change is read and on its way before the mark of the trail moves and the next change begins', async () => {
  const order: string[] = []
  const control = await startControl({
    deps: {
      publisher: {
        publish: async (revision) => {
          await control.store.read.fragmentsSince(revision - 1)
          order.push(`sent ${revision}, marked ${control.mark.place.revision}`)
          return { acknowledged: Promise.resolve({ pending: false }) }
        },
      },
    },
  })
  await Promise.all([
    control.run('policies.create', { name: 'A' }),
    control.run('policies.create', { name: 'B' }),
  ])
  assert.equal(order[0], 'sent 1, marked 0')
  assert.match(order[1]!, /^sent 2, marked [01]$/)
  assert.equal(control.mark.place.revision, 2)
  await control.close()
})

test('a process that missed tombstones takes everything anew', async () => {
  const control = await startControl()
  await example(control)
  const { sent, publisher } = publisherOf({
    ...control.store.read,
    fragmentsSince: async () => null,
  })
  await publisher.catchUp()
  assert.equal(sent[0]!.full, true)
  assert.deepEqual(held(sent), held(control.published))
  await control.close()
})

test('a change is sent, kept while threads take it on, and then published; its answer waits for the threads', async () => {
  const control = await startControl()
  await example(control)
  const done: string[] = []
  const { promise, resolve } = Promise.withResolvers<{ pending: boolean }>()
  const revision = await control.store.read.revision()
  const publisher = createFragmentPublisher({
    reader: control.store.read,
    revision: revision - 1,
    send: (delta) => {
      done.push(`send ${delta.revision - revision}`)
      return promise
    },
    keep: async (delta) => void done.push(`keep ${delta.revision - revision}`),
  })
  const { acknowledged } = await publisher.publish(revision)
  assert.deepEqual(done, ['send 0', 'keep 0'])
  resolve({ pending: true })
  assert.deepEqual(await acknowledged, { pending: true })
  await control.close()
})
