import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { inspect } from 'node:util'
import { createClock, createClockCell, moveClock } from '../../src/base/clock.ts'
import { createFetchJson } from '../../src/base/net/fetch-json.ts'
import { readSettings } from '../../src/settings.ts'
import { createSecretSources } from '../../src/vault/sources.ts'
import { EGRESS } from '../support/egress.ts'
import { SecretVault } from '../support/secret-vault.ts'

const directory = mkdtempSync(join(tmpdir(), 'postern-vault-logins-'))
after(() => rmSync(directory, { recursive: true }))

const PATH = 'secret/data/orders'
const ORDERS = { vault: { path: PATH, field: 'key' } }
const PROOF = 'planted-proof-of-a-login'
const LOGIN = 'auth/approle/login'
const RENEWAL = 'auth/token/renew-self'

/** A vault that knows one login, and what a start with these flags asks it with. */
async function starting(mount: string, wanted: object, flags: readonly string[]) {
  const file = join(directory, mount.replace('/', '-'))
  writeFileSync(file, `${PROOF}\n`)
  const vault = await new SecretVault().listen()
  vault.token = 'of-nobody'
  vault.logins.set(mount, { ...wanted })
  vault.secrets.set(PATH, { key: 'the-secret' })
  const { secrets } = readSettings(
    ['--vault-url', vault.url, ...flags.map((flag) => flag.replace('FILE', file))],
    {},
  )
  const cell = createClockCell()
  const sources = createSecretSources(secrets, createClock(cell), createFetchJson(EGRESS), {})
  return {
    vault,
    file,
    /** What is known of a secret after that time. */
    after: async (ms: number, reference = ORDERS) => {
      moveClock(cell, ms)
      await sources.refresh([reference])
      const found = sources.peek(reference)
      assert.ok(!inspect([found, sources], { depth: 9 }).includes('planted'))
      return found === null ? null : found.ok ? found.text : found.reason
    },
    /** What was asked since the last look. */
    asked: () => vault.asked.splice(0),
    [Symbol.asyncDispose]: () => vault[Symbol.asyncDispose](),
  }
}

const approle = () =>
  starting('approle', { role_id: 'gateway', secret_id: PROOF }, [
    '--vault-role-id=gateway',
    '--vault-secret-id-file=FILE',
  ])

for (const [method, mount, wanted, flags] of [
  [
    'AppRole',
    'approle',
    { role_id: 'gateway', secret_id: PROOF },
    ['--vault-role-id=gateway', '--vault-secret-id-file=FILE'],
  ],
  [
    'Kubernetes',
    'clusters/west',
    { role: 'gateway', jwt: PROOF },
    [
      '--vault-kubernetes-role=gateway',
      '--vault-kubernetes-token-file=FILE',
      '--vault-auth-mount=clusters/west',
    ],
  ],
] as const)
  test(`a secret is read with the token of a login by ${method}, which is held`, async () => {
    await using one = await starting(mount, wanted, flags)
    assert.equal(await one.after(0), 'the-secret')
    assert.equal(await one.after(6 * 60_000), 'the-secret')
    assert.deepEqual(one.asked(), [`auth/${mount}/login`, PATH, PATH])
  })

test('the token is renewed before its lease ends, and had anew where that cannot be', async () => {
  await using one = await approle()
  one.vault.leaseSeconds = 90
  await one.after(0)
  assert.deepEqual(one.asked(), [LOGIN, PATH])
  await one.after(59_000)
  assert.deepEqual(one.asked(), [])
  await one.after(2000)
  assert.deepEqual(one.asked(), [RENEWAL])
  await one.after(59_000)
  assert.deepEqual(one.asked(), [])
  one.vault.renewable = false
  await one.after(2000)
  assert.deepEqual(one.asked(), [RENEWAL])
  await one.after(5000)
  assert.deepEqual(one.asked(), [LOGIN])
  // Nobody was there to renew it
  await one.after(300_000)
  assert.deepEqual(one.asked(), [LOGIN, PATH])
  assert.equal(one.vault.issued.size, 3)
})

test('a lease that renewals no longer make as long ends in a login', async () => {
  await using one = await approle()
  await one.after(0)
  one.vault.leaseSeconds = 1200
  one.asked()
  await one.after(2_500_000)
  assert.deepEqual(new Set(one.asked()), new Set([RENEWAL, PATH]))
  await one.after(900_000)
  assert.deepEqual(new Set(one.asked()), new Set([LOGIN, PATH]))
})

test('a token that is revoked is replaced by the question that is denied, once for all', async () => {
  await using one = await approle()
  await one.after(0)
  one.vault.issued.clear()
  one.vault.issued.add('of-another')
  one.asked()
  assert.equal(await one.after(301_000), 'the-secret')
  assert.deepEqual(one.asked(), [PATH, 'auth/token/lookup-self', LOGIN, PATH])
})

test('a path that the role may not read costs no logins', async () => {
  await using one = await approle()
  const denied = { vault: { path: 'secret/data/denied', field: 'key' } }
  assert.equal(await one.after(0, denied), 'the vault: secret/data/denied: answered 403')
  await one.after(61_000, denied)
  await one.after(5000, denied)
  assert.equal(one.vault.issued.size, 1)
})

test('a refused login is not repeated with the same proof, and another one is tried at once', async () => {
  await using one = await approle()
  writeFileSync(one.file, 'planted-of-yesterday')
  assert.equal(await one.after(0), 'the vault: secret/data/orders: the login: answered 400')
  for (let n = 0; n < 6; n++) await one.after(10_000)
  assert.deepEqual(one.asked(), [LOGIN])
  writeFileSync(one.file, PROOF)
  assert.equal(await one.after(10_000), 'the-secret')
  assert.deepEqual(one.asked(), [LOGIN, PATH])
})

test('through an outage what was read is used, and the login comes back with the vault', async () => {
  await using one = await approle()
  one.vault.leaseSeconds = 60
  await one.after(0)
  one.vault.status = 503
  assert.equal(await one.after(301_000), 'the-secret')
  assert.equal(await one.after(601_000), 'the vault: secret/data/orders: the login: answered 503')
  one.vault.status = 200
  assert.equal(await one.after(6000), 'the-secret')
})

test('a login at a mount that is not there is no secret that was deleted', async () => {
  await using one = await approle()
  one.vault.leaseSeconds = 60
  await one.after(0)
  one.vault.logins.clear()
  assert.equal(await one.after(301_000), 'the-secret')
})

test('a file that cannot be read says so', async () => {
  await using one = await approle()
  rmSync(one.file)
  const said = 'the vault: secret/data/orders: the file with the proof of the login cannot be read'
  assert.equal(await one.after(0), said)
})
