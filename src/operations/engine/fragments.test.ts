import assert from 'node:assert/strict'
import { test } from 'node:test'
import { example, startControl } from '../../../test/control.ts'
import { openTamper } from '../../../test/support/tamper.ts'
import { applyDelta, EMPTY_SNAPSHOT } from '../../snapshot/link/link.ts'
import { createOpener } from '../../vault/opener.ts'
import { fullDelta } from './fragments.ts'

test('damaged rows start closed and are named, and the rest starts', async () => {
  const control = await startControl()
  await example(control)
  await control.run('clients.create', { name: 'Fine', slug: 'fine' })
  await control.run('policies.create', { name: 'Fine', slug: 'fine' })
  await control.run('credentials.create', { name: 'C', auth: { type: 'bearer', token: 't' } })
  {
    await using tamper = await openTamper(control.directory)
    const spoil = async (slug: string, its: (spec: Record<string, unknown>) => unknown): Promise<void> => {
      for (const { id, spec } of await tamper.rows('select id, spec from resources where slug = ?', slug)) {
        const spoiled = its(JSON.parse(String(spec)))
        await tamper.execute(
          'update resources set spec = ? where id = ?',
          JSON.stringify(spoiled),
          String(id),
        )
      }
    }
    await spoil('orders', (spec) => ({ ...spec, upstream: { targets: 7 } }))
    await spoil('gold', (spec) => ({ ...spec, limits: 7 }))
    for (const slug of ['sandbox', 'c']) await spoil(slug, ({ auth: _auth, ...spec }) => spec)
  }
  const delta = await fullDelta(control.store)
  const snapshot = applyDelta(
    EMPTY_SNAPSHOT,
    structuredClone(delta),
    createOpener(control.vault.gatewayKey()),
  )
  assert.equal(snapshot.faults.length, 4, snapshot.faults.join('; '))
  for (const slug of ['orders', 'gold', 'acme', 'c'])
    assert.ok(
      snapshot.faults.some((fault) => fault.includes(` ${slug} cannot be used`)),
      slug,
    )
  assert.equal(snapshot.policies.size, 1)
  assert.notEqual(snapshot.clients.get('fine'), undefined)
  assert.equal(snapshot.clients.get('acme'), undefined)
  assert.equal(snapshot.credentials.size, 0)
  assert.notEqual(snapshot.mounts.find('/orders/v1/orders/7', 'h')?.fault ?? null, null)
  await control.close()
})

test('a thread that is registered when the whole is made misses no later change', async () => {
  const control = await startControl()
  const seen: number[] = []
  const full = fullDelta(control.store, (delta) => seen.push(delta.revision, control.published.length))
  const later = control.run('policies.create', { name: 'P' })
  await Promise.all([full, later])
  assert.deepEqual(seen, [0, 0])
  assert.equal(control.published[0]?.revision, 1)
  await control.close()
})
