import assert from 'node:assert/strict'
import { test } from 'node:test'
import { issue } from '../../../test/certificates.ts'
import { type Control, example, refused, startControl } from '../../../test/control.ts'
import { signingKey } from '../../../test/support/issuer.ts'
import type { ClientFragment, VerifyFragment } from '../../snapshot/fragments.ts'

const KEY = signingKey('one').jwk
const OTHER = signingKey('two', 'EdDSA').jwk

function published(control: Control, slug: string): VerifyFragment | null {
  const client = control.published.at(-1)!.put.find((one) => one.fragment.kind === 'client')
  return (client!.fragment as ClientFragment).profiles.find((profile) => profile.slug === slug)!.verify
}

async function started(): Promise<Control> {
  const control = await startControl()
  await example(control)
  return control
}

const make = (control: Control, auth: object, slug = 'signed') =>
  control.run('profiles.create', { client: 'acme', name: slug, slug, auth })

async function states(control: Control): Promise<string[]> {
  const { output } = await control.run('profiles.state', { id: 'signed' })
  return (output['credentials'] as { id: string; state: string }[]).map((one) => one.state)
}

test('a jwt profile answers with its secret once, threads get it sealed, and it rotates like a token', async () => {
  const control = await started()
  const { output } = await make(control, { type: 'jwt' })
  const secret = String(output['signing_secret'])
  assert.match(secret, /^pst_js_[0-9A-Za-z]{57}$/)
  assert.match(String(output['credential_id']), /^sec_/)
  const verify = published(control, 'signed')!
  assert.equal(verify.issuer, 'acme')
  assert.ok(verify.keys.from === 'secrets')
  const [one] = verify.keys.secrets
  assert.equal(one?.lookup, output['kid'])
  assert.ok(!JSON.stringify(control.published).includes(secret))
  assert.equal(control.vault.open(one!.sealed, String(output['id']), one!.id).reveal(), secret)
  const rotated = await control.run('profiles.rotate', { id: 'signed', overlap: '1h' })
  assert.notEqual(rotated.output['signing_secret'], secret)
  assert.deepEqual(await states(control), ['retiring', 'valid'])
  await refused(control.run('profiles.rotate', { id: 'signed' }), 'configuration_invalid')
  control.move(3_600_001)
  assert.deepEqual(await states(control), ['expired', 'valid'])
  await control.run('profiles.revoke', { id: 'signed' })
  assert.deepEqual(await states(control), ['revoked', 'revoked'])
  const none = published(control, 'signed')!
  assert.ok(none.keys.from === 'secrets' && none.keys.secrets.length === 0)
  const stored = await control.store.read.secretsOf([String(output['id'])])
  assert.deepEqual(stored, [], 'a revoked secret is not even kept')
  await control.close()
})

test('a dry run makes no secret, and tokens of an earlier type are neither used nor counted', async () => {
  const control = await started()
  const dry = await control.run(
    'profiles.create',
    { client: 'acme', name: 'Dry', slug: 'dry', auth: { type: 'jwt' } },
    { dryRun: true },
  )
  assert.equal('signing_secret' in dry.output, false)
  await control.run('profiles.update', { id: 'sandbox', auth: { type: 'jwt' } })
  assert.ok(published(control, 'sandbox')!.keys.from === 'secrets')
  for (let i = 0; i < 2; i++) await control.run('profiles.rotate', { id: 'sandbox' })
  const { keys } = published(control, 'sandbox')!
  assert.ok(keys.from === 'secrets')
  assert.equal(keys.secrets.length, 2)
  await control.close()
})

test('settings that would prove nothing, or too much, are refused and named', async () => {
  const control = await started()
  const jwks = { type: 'jwt', mode: 'jwks_url', jwks_url: 'https://id.test/keys', audience: 'orders' }
  const keys = { type: 'jwt', mode: 'keys', audience: 'orders', keys: [KEY] }
  const oidc = { type: 'oidc', issuer: 'https://id.test', audience: 'orders' }
  const { alg: _, ...bare } = KEY
  for (const [auth, pointer] of [
    [{ ...jwks, audience: null }, '/auth/audience'],
    [{ ...jwks, algs: ['HS256'] }, '/auth/algs/0'],
    [{ type: 'jwt', algs: ['RS256'] }, '/auth/algs/0'],
    [{ type: 'jwt', algs: ['none'] }, '/auth/algs/0'],
    [{ ...jwks, jwks_url: null }, '/auth/jwks_url'],
    [{ ...jwks, jwks_url: 'http://id.test/keys' }, '/auth/jwks_url'],
    [{ ...jwks, jwks_url: 'https://169.254.169.254/keys' }, '/auth/jwks_url'],
    [{ ...jwks, jwks_url: 'https://user:pass@id.test/keys' }, '/auth/jwks_url'],
    [{ type: 'jwt', keys: [KEY] }, '/auth/keys'],
    [{ ...keys, keys: [] }, '/auth/keys'],
    [{ ...keys, keys: [{ ...bare, d: 'AAAA' }] }, '/auth/keys/0/d'],
    [{ ...keys, keys: [{ kty: 'oct', k: 'AAAA' }] }, '/auth/keys/0/kty'],
    [{ ...keys, keys: [{ ...KEY, x: 'AAAA' }] }, '/auth/keys/0'],
    [{ ...keys, keys: [KEY, KEY] }, '/auth/keys/1'],
    [{ ...keys, algs: ['ES384'] }, '/auth/keys/0'],
    [{ ...keys, skew: '10m' }, '/auth/skew'],
    [{ ...keys, max_lifetime: '400d' }, '/auth/max_lifetime'],
    [{ ...oidc, audience: undefined }, '/auth/audience'],
    [{ ...oidc, issuer: 'http://id.test' }, '/auth/issuer'],
    [{ ...oidc, issuer: 'https://[fe80::1]' }, '/auth/issuer'],
    [{ ...oidc, introspection_url: 'https://100.100.100.200/i' }, '/auth/introspection_url'],
    [{ ...oidc, match: [{ claim: 'a' }] }, '/auth/match/0'],
    [{ ...oidc, match: [{ claim: 'a', equals: 1, glob: '*' }] }, '/auth/match/0'],
    [{ ...oidc, introspection_url: 'https://id.test/i' }, '/auth/introspection_url'],
    [{ ...oidc, introspection_credential: 'nobody' }, '/auth/introspection_credential'],
  ] as const) {
    const { facts } = await refused(make(control, auth), 'input_invalid')
    assert.equal(facts.errors?.[0]?.pointer, pointer, JSON.stringify(auth))
  }
  await control.close()
})

test('keys of a profile show their state, and are rotated by giving the old one its end', async () => {
  const control = await started()
  const auth = { type: 'jwt', mode: 'keys', audience: 'orders', keys: [KEY] }
  await make(control, auth)
  assert.deepEqual(await states(control), ['valid'])
  const error = await refused(control.run('profiles.rotate', { id: 'signed' }), 'configuration_invalid')
  assert.match(error.message, /in the profile with an update/)
  const retires_at = new Date(Date.now() + 60_000).toISOString()
  await control.run('profiles.update', { id: 'signed', auth: { keys: [{ ...KEY, retires_at }, OTHER] } })
  assert.deepEqual(await states(control), ['retiring', 'valid'])
  control.move(61_000)
  assert.deepEqual(await states(control), ['expired', 'valid'])
  const verify = published(control, 'signed')!
  assert.ok(verify.keys.from === 'profile' && !('retires_at' in verify.keys.keys[0]!.jwk))
  await control.close()
})

test('keys and bindings are revoked like tokens, and a profile that holds nothing says so', async () => {
  const control = await started()
  await make(control, { type: 'jwt', mode: 'keys', audience: 'orders', keys: [KEY, OTHER] })
  const revoke = (id: string, more: object = {}) => control.run('profiles.revoke', { id, ...more })
  const one = await revoke('signed', { credential_id: 'two' })
  assert.equal(one.output['revoked'], 1)
  assert.deepEqual(await states(control), ['valid', 'expired'])
  assert.equal((await revoke('signed')).output['revoked'], 1)
  const again = await revoke('signed')
  assert.deepEqual([again.output['revoked'], again.configRevision], [0, null])
  const { keys } = published(control, 'signed')!
  assert.ok(
    keys.from === 'profile' &&
      keys.keys.every(({ retires_at }) => retires_at !== null && retires_at <= Date.now()),
  )

  const { certificate } = issue({ name: 'Root' })
  const bindings = [{ ca: certificate, san_dns: 'a.test' }]
  await make(control, { type: 'mtls', bindings }, 'certified')
  const bound = await revoke('certified')
  const [binding] = bound.output['credentials'] as Record<string, unknown>[]
  assert.deepEqual([bound.output['revoked'], binding?.['state']], [1, 'expired'])
  await refused(revoke('certified', { credential_id: 'crt_x' }), 'not_found')

  await make(control, { type: 'oidc', issuer: 'https://id.test', audience: 'orders' }, 'people')
  for (const id of ['people', 'open']) {
    const error = await refused(revoke(id), 'configuration_invalid')
    assert.match(error.message, /Deactivate the profile with toggle/)
  }
  await control.run('profiles.update', {
    id: 'sandbox',
    auth: { type: 'jwt', mode: 'keys', audience: 'a', keys: [KEY] },
  })
  assert.equal((await revoke('sandbox')).output['revoked'], 2, 'the token of the earlier type too')
  await control.close()
})

test('the credential for introspection is a reference: shown by its slug, kept from deletion, of a fitting type', async () => {
  const control = await started()
  const basic = { type: 'basic', username: 'gate', password: 'way' }
  await control.run('credentials.create', { name: 'Asker', slug: 'asker', auth: basic })
  const key = { type: 'api_key', key: 'secret' }
  await control.run('credentials.create', { name: 'Key', slug: 'key', auth: key })
  const oidc = { type: 'oidc', issuer: 'https://id.test', audience: 'orders' }
  const { output } = await make(control, { ...oidc, introspection_credential: 'asker' })
  assert.equal((output['auth'] as { introspection_credential: string }).introspection_credential, 'asker')
  assert.match(published(control, 'signed')!.introspection!.credential, /^crd_/)
  await refused(control.run('credentials.delete', { id: 'asker' }, { confirm: 'asker' }), 'in_use')
  await refused(make(control, { ...oidc, introspection_credential: 'key' }, 'other'), 'input_invalid')
  await control.run('profiles.update', { id: 'signed', auth: { skew: '5s' } })
  assert.equal(published(control, 'signed')!.skew_ms, 5000)
  await control.close()
})

test('of one authority a save warns from the moment on at which its state says that it ends soon', async () => {
  const control = await started()
  const day = 86_400_000
  for (const [slug, days, state, pointers] of [
    ['later', 8, 'valid', []],
    ['sooner', 6, 'expiring_soon', ['/auth/bindings/0/ca']],
  ] as const) {
    const { certificate } = issue({ name: slug, until: Date.now() + days * day })
    const bindings = [{ ca: certificate, san_dns: `${slug}.test` }]
    const { output } = await make(control, { type: 'mtls', bindings }, slug)
    const warnings = (output['warnings'] ?? []) as { pointer: string }[]
    assert.deepEqual(
      warnings.map(({ pointer }) => pointer),
      pointers,
    )
    const told = await control.run('profiles.state', { id: slug })
    assert.equal((told.output['credentials'] as { state: string }[])[0]?.state, state)
  }
  await control.close()
})

test('a profile that proves nothing, or tokens that never end, are stored and told', async () => {
  const control = await started()
  const warned = async (slug: string, given: object): Promise<unknown> => {
    const { output } = await control.run('profiles.create', { client: 'acme', name: slug, slug, ...given })
    return ((output['warnings'] ?? []) as { pointer: string }[]).map((one) => one.pointer)
  }
  const none = { type: 'none' }
  assert.deepEqual(await warned('open-to-all', { auth: none }), ['/ip_allowlist'])
  assert.deepEqual(await warned('office', { auth: none, ip_allowlist: ['10.0.0.0/8'] }), [])
  assert.deepEqual(await warned('forever', { auth: { type: 'token', expires_in: null } }), [
    '/auth/expires_in',
  ])
  await control.close()
})

test('a save warns of an OIDC profile that every token of its issuer fits, and of one that makes tokens ambiguous', async () => {
  const control = await started()
  const oidc = { type: 'oidc', issuer: 'https://id.test', audience: 'orders' }
  const match = [{ claim: 'azp', equals: 'app' }]
  const warned = async (slug: string, auth: object): Promise<{ pointer: string; reason: string }[]> => {
    const { output } = await make(control, { ...oidc, ...auth }, slug)
    return (output['warnings'] ?? []) as { pointer: string; reason: string }[]
  }
  assert.deepEqual(await warned('app', { match }), [])
  const [all, ...more] = await warned('all', {})
  assert.equal(all?.pointer, '/auth/match')
  assert.match(all.reason, /every token of the issuer/)
  assert.deepEqual(more, [])
  assert.deepEqual(await warned('scoped', { required_scopes: ['a'] }), [])
  const [twin] = await warned('twin', { match })
  assert.match(twin!.reason, /same tokens as acme:app: .*profile_ambiguous/)
  const { output } = await control.run('profiles.update', { id: 'all', auth: { skew: '5s' } })
  assert.equal((output['warnings'] as object[]).length, 1, 'an update warns too')
  await control.run('credentials.create', {
    name: 'Asker',
    auth: { type: 'basic', username: 'a', password: 'b' },
  })
  const introspection_credential = 'asker'
  const other = { audience: 'billing', match, introspection_credential }
  assert.deepEqual(await warned('opaque', other), [])
  const [second] = await warned('opaque-too', { ...other, audience: 'stock' })
  assert.equal(second?.pointer, '/auth/introspection_credential')
  assert.match(second.reason, /acme:opaque too/)
  await control.close()
})
