import assert from 'node:assert/strict'
import { once } from 'node:events'
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, test } from 'node:test'
import { issue } from '../../../test/certificates.ts'
import { cliPorts } from '../../../test/support/cli-ports.ts'
import { Issuer, signingKey } from '../../../test/support/issuer.ts'
import { server, startTestRunner, TOKEN } from '../../../test/support/runner.ts'
import { examine } from '../../../test/support/upkeep.ts'
import { openConfigStore } from '../../store/sqlite/config.ts'
import { SCHEMA_VERSIONS } from '../../store/sqlite/copy.ts'
import type { Finding } from '../../surfaces/cli/ports.ts'
import { runCli } from '../../surfaces/cli/program.ts'
import { openVault } from '../../vault/open.ts'
import { findReachable } from './instance.ts'
import { clockFinding, diskFinding, findNode, tlsFinding } from './machine.ts'
import { scratchFinding } from './store.ts'

const directory = mkdtempSync(join(tmpdir(), 'postern-doctor-test-'))
after(() => rmSync(directory, { recursive: true }))
const FREE = { POSTERN_LISTEN: '127.0.0.1:0', POSTERN_CONTROL_LISTEN: '127.0.0.1:0' }
let count = 0

/** A data directory as a first start leaves it. */
async function make(): Promise<string> {
  const data = join(directory, `data${count++}`)
  mkdirSync(data, { mode: 0o700 })
  const store = openConfigStore(join(data, 'config.db'))
  await openVault(store, join(data, 'vault.key'))
  await store.close()
  return data
}

const found = async (data: string, env: Record<string, string> = {}): Promise<Record<string, Finding>> => {
  const findings = await examine({ data, env: { ...FREE, ...env }, isNetworkAsked: true })
  return Object.fromEntries(findings.map((one) => [one.check, one]))
}

function change(data: string, statement: string): void {
  const database = new DatabaseSync(join(data, 'config.db'))
  database.exec(statement)
  database.close()
}

test('without a directory for its copy the store is a finding that says how much room it needs, and the rest is examined', async (t) => {
  const data = await make()
  const before = process.env['TMPDIR']
  t.after(() => {
    if (before === undefined) delete process.env['TMPDIR']
    else process.env['TMPDIR'] = before
  })
  process.env['TMPDIR'] = join(directory, 'missing')
  const { store, clock } = await found(data)
  assert.equal(store?.state, 'fail')
  assert.match(
    store!.found,
    /^not examined: doctor reads a copy of the store, and cannot write the copy \(ENOENT/,
  )
  assert.match(store!.fix!, /^Set TMPDIR to a directory with 1 MB of free space\./)
  assert.equal(clock?.state, 'ok')
  assert.match(scratchFinding('', 65 * 1024 ** 2 + 1).fix!, /with 66 MB/)
})

test('of a sound data directory all is well but where its key is, nothing is changed, and nothing is left behind', async () => {
  const data = await make()
  const before = readdirSync(data)
  const bytes = before.map((name) => readFileSync(join(data, name), 'base64'))
  const all = await found(data)
  assert.deepEqual(
    Object.entries(all).map(([check, { state }]) => `${check}: ${state}`),
    [
      'Node.js',
      'settings',
      'data directory',
      'disk space',
      'key file',
      'instance',
      'gateway port',
      'control port',
      'schema',
      'vault',
      'configuration',
      'audit trail',
      'clock',
    ].map((check) => `${check}: ${check === 'key file' ? 'warn' : 'ok'}`),
  )
  assert.deepEqual(
    readdirSync(data).filter((name) => !/-(wal|shm)$/.test(name)),
    before,
  )
  assert.deepEqual(
    before.map((name) => readFileSync(join(data, name), 'base64')),
    bytes,
  )
  const keyFile = join(directory, 'elsewhere.key')
  copyFileSync(join(data, 'vault.key'), keyFile)
  chmodSync(keyFile, 0o600)
  assert.equal((await found(data, { POSTERN_KEY_FILE: keyFile }))['key file']!.state, 'ok')
  assert.match(all['key file']!.found, /is in the data directory/)
  const none = await found(join(directory, 'none'))
  assert.equal(none['data directory']!.state, 'warn')
  assert.ok(!readdirSync(directory).includes('none'))
})

test('what is wrong with the directory, the key, the schema, the store or the trail is found, with what to do', async () => {
  const wrong = async (check: string, breaks: (data: string) => void, told: RegExp, state = 'fail') => {
    const data = await make()
    breaks(data)
    const finding = (await found(data))[check]!
    assert.equal(finding.state, state, `${check}: ${finding.found}`)
    assert.match(finding.found, told)
    assert.notEqual(finding.fix, null)
  }
  await wrong(
    'data directory',
    (data) => chmodSync(data, 0o755),
    /accessible to other users \(mode 755\)/,
    'warn',
  )
  await wrong('key file', (data) => chmodSync(join(data, 'vault.key'), 0o644), /can be read by others/)
  await wrong('key file', (data) => rmSync(join(data, 'vault.key')), /is missing/)
  const other = `k1 ${Buffer.alloc(32, 1).toString('base64')}\n`
  await wrong('vault', (data) => writeFileSync(join(data, 'vault.key'), other), /does not contain the key/)
  const newer = `insert into schema_versions (version, name, applied_at) values (${SCHEMA_VERSIONS.newest + 1}, 'of tomorrow', '')`
  await wrong('schema', (data) => change(data, newer), /supports versions up to/)
  const older = 'update schema_versions set version = 25, compatible_from = 21'
  await wrong('schema', (data) => change(data, older), /version 25, of a development version/)
  const allowing = await make()
  change(
    allowing,
    `insert into schema_versions values (${SCHEMA_VERSIONS.newest + 1}, 'of tomorrow', '', ${SCHEMA_VERSIONS.newest})`,
  )
  const { state, found: told } = (await found(allowing))['schema']!
  assert.equal(state, 'ok')
  assert.match(told, /supports versions up to \d+; version \d+ allows it/)
  await wrong('store', (data) => truncateSync(join(data, 'config.db'), 5000), /cannot be read/)
  const planted = `insert into audit_chain (seq, hash) values (1, 'x')`
  await wrong('audit trail', (data) => change(data, planted), /entry 1: an entry was removed/)
})

test('settings that are not understood, and ports that are taken, are found', async () => {
  const unknown = await found(join(directory, 'none'), { POSTERN_LISTN: ':1' })
  assert.match(unknown['settings']!.found, /POSTERN_LISTN is not a setting\. Did you mean POSTERN_LISTEN\?/)
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  const { port } = taken.address() as AddressInfo
  const busy = await found(join(directory, 'none'), { POSTERN_LISTEN: `127.0.0.1:${port}` })
  assert.match(busy['gateway port']!.found, /EADDRINUSE/)
  assert.equal((await findReachable('upstream', `http://127.0.0.1:${port}/x`)).state, 'ok')
  taken.close()
  await once(taken, 'close')
  assert.equal((await findReachable('upstream', `http://127.0.0.1:${port}`)).state, 'warn')
})

test('what depends on the machine is judged by its numbers', () => {
  const MIB = 1024 ** 2
  assert.deepEqual(
    [50, 500, 5000].map((free) => diskFinding(free * MIB).state),
    ['fail', 'warn', 'ok'],
  )
  assert.deepEqual(
    ['20.19.0', '24.10.1', '24.11.0', '26.0.0'].map((one) => findNode(one).state),
    ['fail', 'fail', 'ok', 'ok'],
  )
  assert.deepEqual([clockFinding(0).state, clockFinding(Date.UTC(2027, 1)).state], ['fail', 'ok'])
})

test('a certificate is told of before it ends, and with a key that is not its own', () => {
  const files = (name: string) => {
    const made = issue({ name, until: Date.UTC(2036, 0), from: Date.UTC(2026, 0) })
    const [certificate, key] = [join(directory, `${name}.pem`), join(directory, `${name}.key`)]
    writeFileSync(certificate, made.certificate)
    writeFileSync(key, made.key)
    return { certificate, key }
  }
  const [own, other] = [files('a.example'), files('b.example')]
  const states = [Date.UTC(2025, 0), Date.UTC(2030, 0), Date.UTC(2035, 11, 25), Date.UTC(2036, 1)].map(
    (now) => tlsFinding(own, now).state,
  )
  assert.deepEqual(states, ['fail', 'ok', 'warn', 'fail'])
  assert.match(
    tlsFinding({ ...own, key: other.key }, Date.UTC(2030, 0)).found,
    /is not the key of the certificate/,
  )
  assert.match(tlsFinding({ ...own, certificate: join(directory, 'none.pem') }, 0).found, /ENOENT/)
})

test('postern doctor prints what it found, and ends with 1 where something fails', async () => {
  const data = await make()
  const run = async (...args: string[]) => {
    const ports = cliPorts({ operations: [], env: FREE, examine })
    return { code: await runCli(ports, ['doctor', '--data', data, ...args]), ...ports.printed }
  }
  const sound = await run()
  assert.equal(sound.code, 0)
  assert.match(sound.out, /^ok {4}vault: the key decrypts the stored secrets$/m)
  chmodSync(join(data, 'vault.key'), 0o644)
  const broken = await run()
  assert.equal(broken.code, 1)
  assert.match(broken.out, /^fail {2}key file: .*\n {6}See docs\/keys\.md\.$/m)
  const json = JSON.parse((await run('-o', 'json')).out) as { ok: boolean; findings: Finding[] }
  assert.equal(json.ok, false)
  assert.ok(json.findings.length > 10)
})

test('with --network the client authentication at the identity provider is tried, and what would work is named', async () => {
  const issuer = await new Issuer(signingKey('k1')).listen()
  const data = await make()
  const oidc = {
    POSTERN_OIDC_ISSUER: issuer.url,
    POSTERN_OIDC_CLIENT_ID: 'postern',
    POSTERN_OIDC_CLIENT_SECRET: 'a+b',
    POSTERN_OIDC_ROLE_MAP: '*=viewer',
  }
  issuer.client = 'postern:a+b'
  issuer.clientAuth = 'basic_raw'
  const check = 'identity provider'
  const { [check]: refused } = await found(data, oidc)
  assert.equal(refused!.state, 'fail')
  assert.match(refused!.found, /refuses the client by client_secret_basic: it answered 401 invalid_client/)
  assert.match(refused!.fix!, /accepts client_secret_basic_raw: set POSTERN_OIDC_CLIENT_AUTH/)
  assert.ok(!JSON.stringify(refused).includes('a+b'))
  const raw = { ...oidc, POSTERN_OIDC_CLIENT_AUTH: 'client_secret_basic_raw' }
  assert.deepEqual((await found(data, raw))[check]!.state, 'ok')
  const asked = issuer.asked.length
  const [alone] = (await examine({ data, env: { ...FREE, ...raw }, isNetworkAsked: false })).filter(
    (one) => one.check === check,
  )
  assert.deepEqual([alone?.state, issuer.asked.length], ['ok', asked], 'nothing is asked without --network')
  const mapped = await found(data, { ...raw, POSTERN_OIDC_ROLE_MAP: '*=publisher' })
  assert.equal(mapped['roles of claims']!.state, 'fail')
  assert.match(mapped['roles of claims']!.found, /there is no role "publisher"/)
  await issuer[Symbol.asyncDispose]()
  assert.equal((await found(data, raw))[check]!.state, 'fail')
})

test('the runner of the settings is asked, with its token', async () => {
  const data = await make()
  assert.equal((await found(data))['runner'], undefined)
  const nobody = (await found(data, { POSTERN_RUNNER: `unix:${join(directory, 'none.sock')}` }))['runner']
  assert.equal(nobody?.state, 'warn')
  assert.match(nobody?.found ?? '', /does not answer as a runner: .*ENOENT/)
  await using started = await startTestRunner({ old: server('legacy') })
  const token = join(directory, 'token')
  const settings = {
    POSTERN_RUNNER: `http://127.0.0.1:${started.runner.port}`,
    POSTERN_RUNNER_TOKEN_FILE: token,
  }
  writeFileSync(token, TOKEN)
  const well = (await found(data, settings))['runner']
  assert.deepEqual(
    [well?.state, well?.found],
    ['ok', `${settings.POSTERN_RUNNER} answers; number of entries: 1`],
  )
  writeFileSync(token, 'another')
  assert.equal((await found(data, settings))['runner']?.state, 'fail')
  writeFileSync(token, 'two words')
  const faulty = (await found(data, settings))['runner']
  assert.equal(faulty?.state, 'fail')
  assert.match(faulty?.found ?? '', /must contain one token/)
})
