/** Nodes of different versions on one store, as during a rolling upgrade. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Control, operationOf, principalOf, startControl, UNSERVED, VIA } from '../../../test/control.ts'
import { createClock } from '../../base/clock.ts'
import type { SnapshotDelta } from '../../snapshot/packed-fragments.ts'
import { compilerOf, createFragmentPublisher, firstSnapshot } from './fragments.ts'
import { createInvoke } from './invoke.ts'

/** A node of a version: what it publishes to its threads, and the changes that it takes. */
async function startNode({ store, vault }: Control, version: string) {
  const { revision } = await firstSnapshot(store, version)
  const sent: SnapshotDelta[] = []
  const compiler = compilerOf(version)
  const publisher = createFragmentPublisher({
    reader: store.read,
    revision,
    compiler,
    send: async (delta) => {
      sent.push(delta)
      return { pending: false }
    },
  })
  const invoke = createInvoke({ store, vault, clock: createClock(), ...UNSERVED, publisher, compiler })
  return {
    async change(name: string, input: object, confirm?: string): Promise<void> {
      await invoke(
        operationOf(name),
        input,
        confirm === undefined ? {} : { confirm },
        principalOf('admin'),
        VIA,
      )
    },
    /** What it has published since it was asked last. */
    async news(): Promise<string[]> {
      await publisher.catchUp()
      const news = sent.splice(0)
      return news.map(
        ({ full, put, drop }) => `${full ? 'all of' : 'some'} ${put.length}, ${drop.length} gone`,
      )
    },
  }
}

test('during a rolling upgrade, each version serves what it has compiled itself', async () => {
  const control = await startControl()
  const old = await startNode(control, '1')
  await old.change('policies.create', { name: 'A' })
  const mate = await startNode(control, '1')
  await old.change('policies.create', { name: 'B' })
  // Of its own version: what the other has compiled
  assert.deepEqual(await mate.news(), ['some 1, 0 gone'])
  assert.deepEqual(await old.news(), ['some 1, 0 gone', 'some 1, 0 gone'])

  // A start compiles everything, and tells the others nothing
  const next = await startNode(control, '2')
  for (const node of [old, mate, next]) assert.deepEqual(await node.news(), [])
  await next.change('policies.update', { id: 'a', active: false })
  assert.deepEqual(await next.news(), ['some 1, 0 gone'])
  for (const node of [old, mate]) assert.deepEqual(await node.news(), ['all of 2, 0 gone'])
  // It sends only its own change
  await old.change('policies.delete', { id: 'b' }, 'b')
  assert.deepEqual(await old.news(), ['some 0, 1 gone'])
  assert.deepEqual(await mate.news(), ['some 0, 1 gone'])
  assert.deepEqual(await next.news(), ['all of 1, 0 gone'])
  // The fragments are not compiled a second time
  for (const node of [old, mate, next]) assert.deepEqual(await node.news(), [])

  // The last old node has gone
  const last = await startNode(control, '2')
  await next.change('policies.update', { id: 'a', active: true })
  assert.deepEqual(await last.news(), ['some 1, 0 gone'])
  assert.deepEqual(await next.news(), ['some 1, 0 gone'])
  await control.close()
})
