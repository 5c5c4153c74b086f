import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startControl } from '../../test/control.ts'
import { createReferences } from '../snapshot/compile/references.ts'
import { createCredentialProbe } from './credential-probe.ts'

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
