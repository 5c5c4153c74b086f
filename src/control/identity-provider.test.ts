import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { startControl } from '../../test/control.ts'
import { CannotStart } from '../base/refusal.ts'
import { readSettings } from '../settings.ts'
import { faultOfRoles, issuedBy, toIdentityProviders } from './identity-provider.ts'

const firstOf = (more: Record<string, string> = {}) =>
  readSettings([], {
    POSTERN_OIDC_ISSUER: 'https://id.example.com',
    POSTERN_OIDC_CLIENT_ID: 'postern',
    ...more,
  }).oidc!
const given = (more: Record<string, string> = {}) => toIdentityProviders([firstOf(more)])[0]!

test('the settings that docs/identity.md and the pages of providers show are understood, down to their grants', () => {
  const docs = resolve(import.meta.dirname, '../../docs')
  const paths = ['identity.md', ...globSync('identity/*.md', { cwd: docs })]
  const pages = paths.map((path) => readFileSync(resolve(docs, path), 'utf8')).join('\n')
  const examples = [...pages.matchAll(/```env\n(POSTERN_[\s\S]*?)\n```/g)].map((match) =>
    Object.fromEntries(match[1]!.split('\n').map((line) => line.split(/=(.*)/).slice(0, 2))),
  )
  assert.equal(examples.length, 9)
  for (const example of examples) {
    const { oidc } = readSettings([], example)
    assert.ok(toIdentityProviders([oidc!])[0]!.roleMap.length > 0)
  }
})

test('a rule that grants nothing refuses the start and names the setting', () => {
  assert.throws(
    () => given({ POSTERN_OIDC_ROLE_MAP: '*=viewer; group:x=Emperor' }),
    (error: Error) =>
      error instanceof CannotStart &&
      /^POSTERN_OIDC_ROLE_MAP .*"Emperor" is not a valid grant/.test(error.message),
  )
})

test('a role of the map that is not there is a fault that says what to do', async () => {
  const control = await startControl()
  await control.run('roles.create', { name: 'Publisher', permissions: ['proxies:read'] })
  const fault = (map: string) => faultOfRoles([firstOf({ POSTERN_OIDC_ROLE_MAP: map })], control.store.read)
  assert.equal(await fault('*=viewer; group:a=publisher@x'), null)
  assert.match(
    (await fault('*=viewer; group:b=vewer:proxies; group:c=other'))!,
    /^POSTERN_OIDC_ROLE_MAP \(--oidc-role-map\): there is no role "vewer", which "vewer:proxies" names\. Correct/,
  )
  await control.close()
})

test('a secret in a file is read each time, without the line end', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'postern-test-'))
  t.after(() => rm(directory, { recursive: true }))
  const file = join(directory, 'secret')
  const { proof } = given({ POSTERN_OIDC_CLIENT_SECRET_FILE: file })
  await writeFile(file, 'one\n')
  assert.equal((await proof()).secret, 'one')
  await writeFile(file, 'two')
  assert.equal((await proof()).secret, 'two')
  assert.deepEqual(await given().proof(), { secret: null, key: null })
})

test('clients are told of our own issuer, of both, or of the provider alone', () => {
  const origin = 'https://gateway.example'
  const servers = (direct: string) =>
    issuedBy(origin, [given({ POSTERN_OIDC_DIRECT: direct })]).authorizationServers
  assert.deepEqual(issuedBy(origin, []).authorizationServers, [origin])
  assert.deepEqual(servers('off'), [origin])
  assert.deepEqual(servers('on'), [origin, 'https://id.example.com'])
  assert.deepEqual(servers('only'), ['https://id.example.com'])
})

const further = (slug: string, direct: 'on' | 'only' | null) => ({
  ...firstOf(),
  ...{ slug, file: '/etc/providers.yaml', name: slug, issuer: `https://${slug}.example`, direct },
})

test('of several providers those that are direct are named, and ours is not where one of them is named alone', () => {
  const origin = 'https://gateway.example'
  const servers = (...modes: readonly ('on' | 'only' | null)[]) => {
    const all = modes.map((direct, index) => further(`p${index}`, direct))
    const { authorizationServers, scope } = issuedBy(origin, toIdentityProviders(all))
    assert.equal(scope === null, modes.includes('only'))
    return authorizationServers.map((url) => url.replace(/^https:\/\/|\.example$/g, ''))
  }
  assert.deepEqual(servers(null, null), ['gateway'])
  assert.deepEqual(servers('on', null, 'on'), ['gateway', 'p0', 'p2'])
  assert.deepEqual(servers(null, 'only'), ['p1'])
  assert.deepEqual(servers('on', 'only', null), ['p0', 'p1'])
})

test('a fault of a further provider names its entry and the file', async () => {
  const withRule = (grant: string) => ({
    ...further('partner', null),
    roleMap: [{ claim: '*', value: null, grant }],
  })
  assert.throws(
    () => toIdentityProviders([firstOf(), withRule('Emperor')]),
    /^CannotStart: role_map of "partner" in \/etc\/providers\.yaml: "Emperor" is not a valid grant/,
  )
  assert.throws(
    () => toIdentityProviders([{ ...further('partner', null), clientKeyFile: '/none' }]),
    /^CannotStart: client_key_file of "partner" in \/etc\/providers\.yaml: \/none cannot be used/,
  )
  const control = await startControl()
  assert.match(
    (await faultOfRoles([firstOf(), withRule('publisher')], control.store.read))!,
    /^role_map of "partner" in \/etc\/providers\.yaml: there is no role "publisher"/,
  )
  await control.close()
})
