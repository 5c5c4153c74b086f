import assert from 'node:assert/strict'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type Control, example, startControl } from '../../../test/control.ts'
import { unpacked } from '../../../test/gateway/fragments.ts'
import { createClock } from '../../base/clock.ts'
import { fullSnapshot } from '../../operations/engine/fragments.ts'
import { openVaultAlone } from '../../vault/open.ts'
import { createSecretSources } from '../../vault/sources.ts'
import { createOpener, type Vault } from '../../vault/vault.ts'
import type { CredentialFragment } from '../fragments.ts'
import type { SnapshotDelta } from '../packed-fragments.ts'
import { createReferences } from './references.ts'

/** Secrets of all kinds: in the store, in the environment and in headers, of credentials, profiles, collections and proxies. */
async function starting(context: TestContext) {
  const control = await startControl()
  context.after(() => control.close())
  await example(control)
  const run = control.run
  const env = (name: string) => ({ env: name })
  await run('credentials.create', { name: 'Kept', auth: { type: 'bearer', token: 'kept-secret' } })
  await run('credentials.create', { name: 'Read', auth: { type: 'bearer', token: env('READ') } })
  await run('credentials.create', { name: 'Same', auth: { type: 'bearer', token: env('READ') } })
  await run('credentials.create', { name: 'Missing', auth: { type: 'bearer', token: env('MISSING') } })
  await run('profiles.create', { client: 'acme', name: 'Signs', auth: { type: 'jwt', algs: ['HS256'] } })
  await run('collections.update', {
    id: 'orders',
    headers: [
      { name: 'X-Kept', secret: 'kept-header' },
      { name: 'X-Read', secret: env('HEADER') },
    ],
  })
  return control
}

const ENV = { READ: 'read-secret', HEADER: 'read-header' }

/** All fragments as the threads of one process get them, by key; with what opens their secrets. */
async function compiled(control: Control, vault: Vault, env: Readonly<Record<string, string>> = ENV) {
  const sources = createSecretSources(
    { envAllow: ['*'], directory: null, vault: null },
    createClock(),
    () => assert.fail('no vault is asked'),
    env,
  )
  const references = createReferences(vault, sources, () => assert.fail('nothing follows'))
  return unpacked(await references.whole(await fullSnapshot(control.store)))
}

const hashes = ({ put }: SnapshotDelta): Map<string, string> =>
  new Map(put.map(({ key, hash }) => [key, hash]))

/** Slugs of what differs between the two. */
function changed(before: SnapshotDelta, after: SnapshotDelta): string[] {
  const known = hashes(before)
  assert.equal(after.put.length, before.put.length)
  return after.put
    .filter(({ key, hash }) => known.get(key) !== hash)
    .map(({ fragment }) => ('slug' in fragment ? fragment.slug : fragment.id))
    .sort()
}

test('two processes with the same key and the same state give each fragment the same hash', async (context) => {
  const control = await starting(context)
  const one = await compiled(control, control.vault)
  const two = await compiled(control, openVaultAlone(join(control.directory, 'vault.key')))
  assert.ok(one.put.length >= 8)
  assert.deepEqual(hashes(two), hashes(one))
  assert.notDeepEqual(two.put, one.put, 'the ciphertexts differ')
  const distinct = new Set(hashes(one).values())
  assert.equal(distinct.size, one.put.length, 'the same secret in two credentials gives two hashes')
})

test('a changed secret changes the hashes of the fragments that hold it, and no other', async (context) => {
  const control = await starting(context)
  const { vault } = control
  const before = await compiled(control, vault)
  const withEnv = (part: object) => compiled(control, vault, { ...ENV, ...part })
  assert.deepEqual(changed(before, await withEnv({ READ: 'another' })), ['read', 'same'])
  assert.deepEqual(changed(before, await withEnv({ HEADER: 'another' })), ['orders'])
  assert.deepEqual(changed(before, await withEnv({ MISSING: 'there-now' })), ['missing'])
  assert.deepEqual(changed(before, await withEnv({ READ: '' })), ['read', 'same'])
  assert.deepEqual(changed(before, await withEnv({ READ: ENV.HEADER, HEADER: ENV.READ })), [
    'orders',
    'read',
    'same',
  ])
  await control.run('credentials.update', { id: 'kept', auth: { token: 'another' } })
  assert.deepEqual(changed(before, await compiled(control, vault)), ['kept'])
})

test('a rotation of the key changes the hash of each fragment with a secret, so that threads take what they can open after it', async (context) => {
  const control = await starting(context)
  const { vault } = control
  const before = await compiled(control, vault)
  await control.run('keys.rotate', {})
  const after = await compiled(control, vault)
  assert.deepEqual(changed(before, after), ['acme', 'kept', 'missing', 'orders', 'read', 'same'])
  const read = after.put.map(({ fragment }) => fragment).find((one) => 'slug' in one && one.slug === 'read')
  const { id, sealed } = read as CredentialFragment
  assert.equal(vault.keys().length, 1)
  assert.equal(createOpener(vault.gatewayKey())(sealed['token']!, id, 'token').reveal(), ENV.READ)
})

test('an old key behind the first changes no hash, and leaving the file changes none', async (context) => {
  const control = await starting(context)
  await control.run('keys.rotate', { keep_old: true })
  const file = join(control.directory, 'vault.key')
  const both = await compiled(control, openVaultAlone(file))
  control.vault.dropKeys(control.vault.keys().map(({ id }) => id))
  const alone = openVaultAlone(file)
  assert.equal(alone.keys().length, 1)
  assert.deepEqual(hashes(await compiled(control, alone)), hashes(both))
})
