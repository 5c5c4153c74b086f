import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startControl } from '../../test/control.ts'
import { createReferences } from '../snapshot/compile/references.ts'
import { createCredentialProbe } from './credential-probe.ts'

test('two nodes that keep uses at the same time lose none, and the latest counts', async () => {
  const control = await startControl()
  const { store, vault } = control
  const sources = { peek: () => null, refresh: async () => {} }
  // Each has looked before the other has written
  const before = { ...store, read: { ...store.read, meta: async () => undefined } }
  const uses: ReadonlyMap<string, number>[] = [
    new Map([
      ['crd_a', 2_000_000],
      ['crd_b', 900_000],
    ]),
    new Map([
      ['crd_a', 1_000_000],
      ['crd_c', 800_000],
    ]),
  ]
  const probeOf = (its: typeof store, live: ReadonlyMap<string, number>) =>
    createCredentialProbe({
      vault,
      store: its,
      references: createReferences(vault, sources, async () => ({ pending: false })),
      gateways: Promise.resolve({ credentialUses: async () => live, tryCredential: () => assert.fail() }),
    })
  for (const live of uses) await probeOf(before, live).keepUses()
  assert.deepEqual(
    await probeOf(store, new Map()).uses(),
    new Map([
      ['crd_a', 2_000_000],
      ['crd_b', 900_000],
      ['crd_c', 800_000],
    ]),
  )
  await control.close()
})

test('when a credential was last used is kept, to the minute, and the latest that is known counts', async () => {
  const control = await startControl()
  const { store, vault } = control
  const live = new Map<string, number>()
  const sources = { peek: () => null, refresh: async () => {} }
  const probe = createCredentialProbe({
    vault,
    store,
    references: createReferences(vault, sources, async () => ({ pending: false })),
    gateways: Promise.resolve({ credentialUses: async () => live, tryCredential: () => assert.fail() }),
  })
  live.set('crd_a', 1_000_000)
  await probe.keepUses()
  live.clear()
  assert.deepEqual(await probe.uses(), new Map([['crd_a', 1_000_000]]))
  live.set('crd_a', 1_030_000).set('crd_b', 5)
  await probe.keepUses()
  assert.equal((await probe.uses()).get('crd_a'), 1_030_000)
  live.clear()
  assert.equal((await probe.uses()).get('crd_a'), 1_000_000)
  await control.close()
})
