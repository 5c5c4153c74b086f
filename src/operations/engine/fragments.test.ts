import assert from 'node:assert/strict'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { example, startControl } from '../../../test/control.ts'
import { applyDelta, EMPTY_SNAPSHOT } from '../../snapshot/link/link.ts'
import { createOpener } from '../../vault/opener.ts'
import { fullDelta } from './fragments.ts'

test('damaged rows start closed and are named, and the rest starts', async () => {
  const control = await startControl()
  await example(control)
  await control.run('clients.create', { name: 'Fine', slug: 'fine' })
  await control.run('policies.create', { name: 'Fine', slug: 'fine' })
  await control.run('credentials.create', { name: 'C', auth: { type: 'bearer', token: 't' } })
  const database = new DatabaseSync(join(control.directory, 'config.db'))
  database.exec(
    `update resources set spec = json_set(spec, '$.upstream', json('{"targets":7}')) where slug = 'orders'`,
  )
  database.exec(`update resources set spec = json_set(spec, '$.limits', 7) where slug = 'gold'`)
  database.exec(`update resources set spec = json_remove(spec, '$.auth') where slug in ('sandbox', 'c')`)
  database.close()
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
