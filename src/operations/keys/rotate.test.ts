import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { refused, startControl, UNSERVED } from '../../../test/control.ts'
import type { NodeRow } from '../../store/ports/nodes.ts'

test('a rotation says that keys leave while a thread has not confirmed it, and that they have left when they have', async () => {
  let pending = true
  const faults: unknown[] = []
  const control = await startControl({
    deps: {
      publisher: { publish: async () => ({ acknowledged: Promise.resolve({ pending }) }) },
      fault: (error) => faults.push(error),
    },
  })
  const keys = (): string[] => control.vault.keys().map(({ id }) => id)
  const rotate = async (dryRun = false) => {
    const { output } = await control.run('keys.rotate', {}, { dryRun })
    return [output['dropped'], output['leaving']]
  }
  const auth = { type: 'bearer', token: 'a-secret' }
  await control.run('credentials.create', { name: 'Backend', auth })
  const [first] = keys()
  assert.deepEqual(await rotate(true), [[], [first]])
  assert.deepEqual(await rotate(), [[], [first]])
  assert.equal(keys().length, 2, 'the old key still opens what threads hold')
  pending = false
  const before = keys()
  assert.deepEqual(await rotate(), [before, []])
  assert.equal(keys().length, 1)

  const deps = {
    publisher: {
      publish: async () => {
        rmSync(join(control.directory, 'vault.key'))
        return { acknowledged: Promise.resolve({ pending: false }) }
      },
    },
    fault: (error: unknown) => faults.push(error),
  }
  const [now] = keys()
  await control.store.close()
  const again = await startControl({ directory: control.directory, deps })
  const { output } = await again.run('keys.rotate', {})
  assert.deepEqual([output['dropped'], output['leaving'], faults.length], [[], [now], 1])
  await again.close()
  rmSync(control.directory, { recursive: true })
})

/** A node as others see it. */
const rowOf = (name: string): NodeRow => ({
  id: name,
  epoch: 1,
  name,
  facts: { version: '1', recordsWaiting: 0, skewMs: 0, staleMaxMs: null },
  held: { revision: 0, ended: 0 },
  isDraining: false,
  silentMs: 0,
  joinedAt: 0,
  counted: [],
})

test('keys are not rotated while other nodes use the database, also not in a dry run', async () => {
  let others: readonly string[] = ['node-b', 'node-c']
  const control = await startControl({
    deps: {
      nodes: {
        ...UNSERVED.nodes,
        read: async () => ({ rows: others.map(rowOf), self: 'here', now: Date.now() }),
      },
    },
  })
  const before = control.vault.keys()
  for (const dryRun of [true, false]) {
    const { message } = await refused(control.run('keys.rotate', {}, { dryRun }), 'nodes_running')
    assert.match(message, /node-b, node-c/)
  }
  assert.deepEqual(control.vault.keys(), before)
  others = []
  await control.run('keys.rotate', {})
  assert.notDeepEqual(control.vault.keys(), before)
  await control.close()
})
