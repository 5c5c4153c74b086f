import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { test } from 'node:test'
import { type Control, example, startControl } from '../../../test/control.ts'
import { unpacked } from '../../../test/gateway/fragments.ts'
import { openTamper } from '../../../test/support/tamper.ts'
import { applyDelta, EMPTY_SNAPSHOT } from '../../snapshot/link/link.ts'
import { digestOf, fromSent, type PackedSnapshot } from '../../snapshot/packed-fragments.ts'
import { createOpener } from '../../vault/vault.ts'
import { firstSnapshot, fullSnapshot } from './fragments.ts'

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
  const delta = unpacked(await fullSnapshot(control.store))
  const snapshot = applyDelta(
    EMPTY_SNAPSHOT,
    fromSent(structuredClone(delta)),
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
  await control.close(true)
})

test('a thread that is registered when the whole is made misses no later change', async () => {
  const control = await startControl()
  const seen: number[] = []
  const full = fullSnapshot(control.store, (delta) => seen.push(delta.revision, control.published.length))
  const later = control.run('policies.create', { name: 'P' })
  await Promise.all([full, later])
  assert.deepEqual(seen, [0, 0])
  assert.equal(control.published[0]?.revision, 1)
  await control.close()
})

test('more resources than are read at once are compiled and read whole, each with its own parts', async () => {
  const control = await startControl()
  await example(control)
  for (let n = 0; n < 120; n++) {
    await control.run('clients.create', { name: `C${n}`, slug: `c${n}`, collections: ['orders'] })
    const profile = { client: `c${n}`, name: 'P', slug: 'p', auth: { type: 'token' } }
    await control.run('profiles.create', profile)
  }
  const compiled = unpacked(await firstSnapshot(control.store, '1'))
  const clients = compiled.put.map(({ fragment }) => fragment).filter((one) => one.kind === 'client')
  assert.equal(clients.length, 121)
  const lookups = clients.flatMap(({ profiles }) => profiles.flatMap(({ tokens }) => tokens))
  assert.ok(lookups.length >= 121)
  assert.equal(new Set(lookups.map(({ lookup }) => lookup)).size, lookups.length)
  assert.deepEqual(unpacked(await firstSnapshot(control.store, '1')), compiled)
  await control.close()
})

/** A statement of another program, on the file of the store. */
async function alter(control: Control, statement: string): Promise<void> {
  await using tamper = await openTamper(control.directory)
  await tamper.execute(statement)
}

/** Another program changes members of the policy `gold`. */
async function alterSpec(control: Control, members: object): Promise<void> {
  await using tamper = await openTamper(control.directory)
  const [row] = await tamper.rows("select spec from resources where slug = 'gold'")
  const spec = { ...JSON.parse(String(row!['spec'])), ...members }
  await tamper.execute("update resources set spec = ? where slug = 'gold'", JSON.stringify(spec))
}

const goldOf = ({ fragments }: PackedSnapshot) => [...fragments.ofKind('policy')][0]!.fragment

test('a start takes the stored fragments, and compiles anew for another version', async () => {
  const control = await startControl()
  await example(control)
  const first = await firstSnapshot(control.store, '1')
  assert.deepEqual(unpacked(first), unpacked(await fullSnapshot(control.store)))
  // Shows which of the two is read
  await alterSpec(control, { x_ratelimit: true })
  const again = await firstSnapshot(control.store, '1')
  assert.deepEqual([again.revision, goldOf(again)], [first.revision, goldOf(first)])
  assert.deepEqual(unpacked(again), unpacked(first))
  const compiled = { ...goldOf(first), x_ratelimit: true }
  assert.deepEqual(goldOf(await firstSnapshot(control.store, '2')), compiled)
  assert.deepEqual(goldOf(await firstSnapshot(control.store, '2')), compiled)
  await control.close()
})

test('a copy with the stored fragments is taken in their place; another revision, compiler or content is not', async () => {
  const control = await startControl()
  await example(control)
  const { revision, fragments } = await firstSnapshot(control.store, '1')
  const all = [...fragments]
  const copy = { revision, fragments, digest: digestOf(all.toReversed()) }
  assert.equal(await firstSnapshot(control.store, '1', copy), copy)
  for (const other of [
    { ...copy, revision: revision - 1 },
    { ...copy, digest: digestOf(all.slice(1)) },
    { ...copy, digest: digestOf(all.map((one, at) => (at > 0 ? one : { key: one.key, hash: 'x' }))) },
  ])
    assert.deepEqual(
      unpacked(await firstSnapshot(control.store, '1', other)),
      unpacked({ revision, fragments }),
    )
  await alter(control, `update fragments set form = 2 where key like 'client:%'`)
  assert.notEqual(await firstSnapshot(control.store, '1', copy), copy)
  assert.notEqual(await firstSnapshot(control.store, '2', copy), copy)
  assert.equal(await firstSnapshot(control.store, '2', copy), copy)
  await control.close()
})

test('stored fragments that were changed, lost a member, are of another form or in doubt are compiled anew', async () => {
  const control = await startControl()
  await example(control)
  const { put } = unpacked(await firstSnapshot(control.store, '1'))
  const whole = await fullSnapshot(control.store)
  const hashes = ({ fragments }: PackedSnapshot) => [...fragments].map(({ key, hash }) => `${key} ${hash}`)
  for (const statement of [
    `update fragments set json = replace(json, '1000', '9999')`,
    `update fragments set form = 2 where key like 'client:%'`,
    `update meta set value = '' where name = 'fragments_compiler'`,
  ]) {
    await alter(control, statement)
    const first = await firstSnapshot(control.store, '1')
    assert.deepEqual(hashes(first), hashes(whole), statement)
    assert.equal([...first.fragments].length, put.length)
  }
  await control.close()
})

test('a configuration that does not compile whole is compiled at each start, until it does', async () => {
  const control = await startControl()
  await example(control)
  await alterSpec(control, { limits: 7 })
  assert.equal('limits' in goldOf(await firstSnapshot(control.store, '1')), false)
  await alterSpec(control, { limits: [] })
  assert.equal('limits' in goldOf(await firstSnapshot(control.store, '1')), true)
  await control.close()
})

test('a rotation that a start finishes leaves no fragment that the old key has sealed', async () => {
  const control = await startControl()
  await control.run('credentials.create', { name: 'A', auth: { type: 'bearer', token: 'secret' } })
  await firstSnapshot(control.store, '1')
  control.vault.addKey()
  const [current, old] = control.vault.keys().map(({ id }) => id)
  await control.store.close()
  const again = await startControl({ directory: control.directory })
  const { put } = unpacked(await firstSnapshot(again.store, '1'))
  const text = JSON.stringify(put)
  assert.deepEqual([text.includes(`v1.${current}.`), text.includes(`v1.${old}.`)], [true, false])
  await again.close()
  rmSync(control.directory, { recursive: true })
})
