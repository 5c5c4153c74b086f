import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { example, refused, startControl } from '../../../test/control.ts'
import { CERTIFICATE, PRIVATE_KEY } from '../../../test/wire/certificate.ts'
import type { CredentialFragment } from '../../snapshot/fragments.ts'
import { createOpener } from '../../vault/vault.ts'

const PLANTED = 'planted-s3cret-value-0042'

test('a planted secret is in no answer, entry, difference, kept answer, error, delta or file', async () => {
  const control = await startControl()
  await example(control)
  const seen: unknown[] = []
  const keep = async (name: string, input: object, options: object = {}) => {
    try {
      seen.push(await control.run(name, input, options))
    } catch (error) {
      seen.push(error, inspect(error, { depth: 10 }))
    }
  }
  const basic = { type: 'basic', username: 'u', password: PLANTED }
  await keep('credentials.create', { name: 'A', auth: basic }, { idempotencyKey: 'k' })
  await keep('credentials.create', { name: 'A', auth: basic }, { idempotencyKey: 'k' })
  await keep('credentials.create', { name: 'B', auth: basic }, { idempotencyKey: 'k' })
  await keep('credentials.create', { name: 'A', auth: basic })
  await keep('credentials.create', { name: 'C', auth: { ...basic, more: PLANTED } })
  await keep('credentials.create', { name: 'C', auth: { type: 'x', token: PLANTED } })
  await keep('credentials.create', { name: 'C', auth: { type: 'bearer', token: `${PLANTED}\n` } })
  await keep(
    'credentials.create',
    { name: 'D', auth: { type: 'bearer', token: { value: PLANTED } } },
    { dryRun: true },
  )
  await keep('credentials.put', { id: 'e', name: 'E', auth: { type: 'api_key', key: PLANTED } })
  await keep('credentials.update', { id: 'a', auth: { password: `${PLANTED}-2` } })
  await keep('credentials.update', { id: 'a', auth: { type: 'bearer', token: PLANTED } })
  await keep('collections.update', { id: 'orders', credential: 'a' })
  for (const name of ['credentials.list', 'audit.list']) await keep(name, {})
  await keep('credentials.get', { id: 'a' })
  seen.push(control.published)
  const text = JSON.stringify(seen) + inspect(seen, { depth: 20, maxStringLength: null })
  assert.equal(text.includes('planted-s3cret'), false)
  assert.match(text, /"last4":"0042"/)
  await control.store.close()
  for (const file of readdirSync(control.directory))
    assert.equal(readFileSync(join(control.directory, file)).includes('planted-s3cret'), false, file)
  const again = await startControl({ directory: control.directory })
  await again.close()
})

test('a short secret shows nothing of itself, a long one its last four characters', async () => {
  const control = await startControl()
  const stateOf = async (token: string) => {
    const made = await control.run('credentials.put', { id: 'a', name: 'A', auth: { type: 'bearer', token } })
    return (made.output['auth'] as { token: { last4?: string } }).token
  }
  assert.equal('last4' in (await stateOf('fifteen-chars-x')), false)
  assert.equal((await stateOf('sixteen-chars-xy')).last4, 's-xy')
  await control.close()
})

test('a change keeps the secrets that it does not name, and a new type forgets the old ones', async () => {
  const control = await startControl()
  const open = createOpener(control.vault.gatewayKey())
  const last = (): CredentialFragment => control.published.at(-1)!.put[0]!.fragment as CredentialFragment
  const secretOf = (field: string): string => open(last().sealed[field]!, last().id, field).reveal()
  await control.run('credentials.create', {
    name: 'A',
    auth: { type: 'basic', username: 'u', password: 'p1' },
  })
  assert.equal(secretOf('password'), 'p1')
  assert.deepEqual(last().settings, { username: 'u' })
  await control.run('credentials.update', { id: 'a', auth: { username: 'v' } })
  assert.deepEqual([secretOf('password'), last().settings['username']], ['p1', 'v'])
  const changed = await control.run(
    'credentials.update',
    { id: 'a', auth: { password: 'p2' } },
    { dryRun: true },
  )
  assert.deepEqual(changed.diff, [{ op: 'replace', path: '/auth/password', value: 'changed' }])
  await control.run('credentials.update', { id: 'a', auth: { password: 'p2' } })
  assert.equal(secretOf('password'), 'p2')
  await refused(control.run('credentials.update', { id: 'a', auth: { type: 'bearer' } }), 'input_invalid')
  const bearer = await control.run('credentials.update', { id: 'a', auth: { type: 'bearer', token: 't' } })
  assert.deepEqual(Object.keys(last().sealed), ['token'])
  assert.equal(bearer.revision, 4)
  const key = { type: 'api_key', key: 'k', in: 'query', name: 'api_key' }
  await control.run('credentials.put', { id: 'a', name: 'A', auth: key })
  assert.deepEqual(last().settings, { in: 'query', name: 'api_key', prefix: '' })
  await refused(
    control.run('credentials.update', { id: 'a', auth: { in: 'header', name: 'Host' } }),
    'input_invalid',
  )
  await control.run('credentials.delete', { id: 'a' }, { confirm: 'a' })
  assert.deepEqual(control.published.at(-1)!.drop, [`credential:${bearer.output['id']}`])
  await control.close()
})

test('a key goes into Authorization as bearer unless it is said otherwise', async () => {
  const control = await startControl()
  const made = async (auth: object) => {
    await control.run('credentials.put', { id: 'a', name: 'A', auth: { type: 'api_key', key: 'k', ...auth } })
    return (control.published.at(-1)!.put[0]!.fragment as CredentialFragment).settings
  }
  const bare = { in: 'header', name: 'Authorization', prefix: 'Bearer ' }
  assert.deepEqual(await made({}), bare)
  assert.deepEqual(await made({ prefix: '' }), { ...bare, prefix: '' })
  assert.deepEqual(await made({ name: 'authorization' }), { ...bare, name: 'authorization' })
  assert.deepEqual(await made({ name: 'X-API-Key' }), { in: 'header', name: 'X-API-Key', prefix: '' })
  assert.deepEqual(await made({ in: 'query', name: 'key' }), { in: 'query', name: 'key', prefix: '' })
  const refusal = await refused(made({ in: 'query' }), 'input_invalid')
  assert.deepEqual(refusal.facts.errors, [{ pointer: '/auth/name', reason: 'required in a query' }])
  await control.close()
})

test('a credential that is attached is not deleted', async () => {
  const control = await startControl()
  await example(control)
  await control.run('credentials.create', { name: 'A', auth: { type: 'bearer', token: 't' } })
  await control.run('proxies.update', { id: 'get-order', credential: 'a' })
  const refusal = await refused(control.run('credentials.delete', { id: 'a' }, { confirm: 'a' }), 'in_use')
  assert.deepEqual(refusal.facts.members?.['used_by'], ['proxies/get-order'])
  await control.run('proxies.update', { id: 'get-order', credential: 'none' })
  await control.run('credentials.delete', { id: 'a' }, { confirm: 'a' })
  await control.close()
})

test('a secret that is read from an external source leaves none in the store, and a method of another secret forgets the first', async () => {
  const control = await startControl()
  // A change that leaves the fragment as it was publishes none
  const fragment = () => control.published.flatMap(({ put }) => put).at(-1)!.fragment as CredentialFragment
  const stored = async () => (await control.store.read.secretsOf([fragment().id])).map(({ field }) => field)
  const auth = { type: 'bearer', token: 't' }
  await control.run('credentials.create', { name: 'A', auth })
  assert.deepEqual(await stored(), ['token'])
  const read = await control.run('credentials.update', { id: 'a', auth: { token: { env: 'SECRET_A' } } })
  assert.deepEqual([await stored(), fragment().references], [[], { token: { env: 'SECRET_A' } }])
  assert.deepEqual(read.output['auth'], {
    type: 'bearer',
    token: { set: true, source: 'env', reference: 'SECRET_A', updated_at: read.output['updated_at'] },
  })
  // What a change does not name stays as it is
  await control.run('credentials.update', { id: 'a', description: 'b' })
  assert.deepEqual(fragment().references, { token: { env: 'SECRET_A' } })
  await control.run('credentials.update', { id: 'a', auth: { token: 'u' } })
  assert.deepEqual([await stored(), fragment().references], [['token'], undefined])

  const client = { type: 'oauth2_client_credentials', token_url: 'https://id.example/t', client_id: 'c' }
  await control.run('credentials.put', { id: 'a', name: 'A', auth: { ...client, client_secret: 's' } })
  const key = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' })
  const signing = { auth_method: 'private_key_jwt', private_key: key }
  await control.run('credentials.update', { id: 'a', auth: signing })
  assert.deepEqual(await stored(), ['private_key'])
  await control.run('credentials.update', { id: 'a', auth: { scopes: ['x'] } })
  assert.deepEqual([await stored(), fragment().settings['scopes']], [['private_key'], 'x'])
  await control.close()
})

test('a rotation without the new secret is refused by its form', async () => {
  const control = await startControl()
  await control.run('credentials.create', { name: 'A', auth: { type: 'bearer', token: PLANTED } })
  for (const more of [{}, { auth: null }, { auth: [] }])
    await refused(control.run('credentials.rotate', { id: 'a', ...more }), 'input_invalid')
  await control.close()
})

test('who may not use a credential lets it trust no other authorities, to which secrets would be shown', async () => {
  const control = await startControl()
  const auth = { type: 'mtls', client_cert_pem: CERTIFICATE, client_key_pem: PRIVATE_KEY }
  await control.run('credentials.create', { name: 'A', auth })
  const permissions = new Set(['credentials:read', 'credentials:update'])
  const as = { grants: [{ role: { permissions } }] }
  const update = { id: 'a', auth: { ca_cert_pem: CERTIFICATE } }
  await refused(control.run('credentials.update', update, as), 'permission_denied')
  await control.run('credentials.update', { id: 'a', description: 'b' }, as)
  await control.run('credentials.update', update)
  await control.close()
})
