/** An instance with Valkey: where its state shows, and what its loss does not stop. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { examine } from '../support/upkeep.ts'
import { NO_VALKEY, startValkey } from '../support/valkey.ts'
import { startTestServer, type TestServer, until } from './server.ts'

const skip = NO_VALKEY
const PASSWORD = 'pass-of-valkey-8b20'
const directory = mkdtempSync(join(tmpdir(), 'postern-valkey-'))
after(() => rmSync(directory, { recursive: true }))
const file = join(directory, 'password')
writeFileSync(file, `${PASSWORD}\n`, { mode: 0o600 })

const urlOf = (...ports: readonly number[]): string =>
  `redis://${ports.map((port) => `127.0.0.1:${port}`).join(',')}?password_file=${file}`

interface Ready {
  readonly status: string
  readonly valkey: { readonly up: boolean; readonly since: string } | null
}

const ready = async ({ running }: TestServer) => {
  const answer = await fetch(`${running.controlUrl}/readyz`)
  return { code: answer.status, ...((await answer.json()) as Ready) }
}
const isUp = (server: TestServer, up: boolean) =>
  until(
    () => ready(server),
    ({ valkey }) => valkey?.up === up,
  )
const metrics = async ({ running }: TestServer) => (await fetch(`${running.controlUrl}/metrics`)).text()

test('health, metrics and the log tell whether Valkey can be used, and its loss leaves an instance ready', {
  skip,
}, async () => {
  await using valkey = await startValkey({ password: PASSWORD })
  await using server = await startTestServer({ flags: ['--valkey-url', urlOf(valkey.port)] })
  const before = await isUp(server, true)
  assert.deepEqual([before.code, before.status], [200, 'pass'])
  assert.ok(Math.abs(Date.parse(before.valkey!.since) - Date.now()) < 60_000)
  assert.match(await metrics(server), /^postern_valkey_up 1$/m)

  await valkey.kill()
  const lost = await isUp(server, false)
  assert.deepEqual([lost.code, lost.status], [200, 'warn'])
  assert.match(await metrics(server), /^postern_valkey_up 0$/m)
  assert.match(
    server.faults().join('\n'),
    /^error redis:\/\/127\.0\.0\.1:\d+ cannot be used: .*every second/m,
  )

  await valkey.start()
  assert.equal((await isUp(server, true)).status, 'pass')
  assert.ok(!server.log.some((line) => line.includes(PASSWORD)), server.log.join('\n'))
  const shown = await server.manage('GET', '/settings')
  assert.equal(shown.status, 200, shown.text)
  assert.ok(!shown.text.includes(PASSWORD))
})

test('an instance starts while nobody answers for Valkey, and without the setting nothing shows', async () => {
  await using server = await startTestServer({ flags: ['--valkey-url', 'redis://127.0.0.1:9'] })
  const found = await isUp(server, false)
  assert.deepEqual([found.code, found.status], [200, 'warn'])
  await using alone = await startTestServer()
  assert.equal((await ready(alone)).valkey, null)
  assert.doesNotMatch(await metrics(alone), /postern_valkey_up/)
})

test('a file of authorities that is not there refuses the start, and is named', async () => {
  const start = startTestServer({ flags: ['--valkey-url', 'rediss://127.0.0.1:9?sslrootcert=/none.pem'] })
  await assert.rejects(
    start,
    /The file of sslrootcert in POSTERN_VALKEY_URL cannot be read: ENOENT.*none\.pem/,
  )
})

async function doctorSays(url: string) {
  const env = {
    POSTERN_VALKEY_URL: url,
    POSTERN_LISTEN: '127.0.0.1:0',
    POSTERN_CONTROL_LISTEN: '127.0.0.1:0',
  }
  const findings = await examine({ data: join(directory, 'data'), env, isNetworkAsked: false })
  return findings.filter(({ check }) => check === 'valkey')
}

test('the doctor says of each server which one it is, or why it cannot be used', { skip }, async () => {
  await using first = await startValkey({ password: PASSWORD })
  await using second = await startValkey({
    password: PASSWORD,
    replicaOf: first.port,
    settings: { 'maxmemory-policy': 'allkeys-lru' },
  })
  const [ok, policy, gone] = await doctorSays(urlOf(first.port, second.port, 9))
  assert.equal(ok?.state, 'ok')
  assert.match(
    ok!.found,
    /^127\.0\.0\.1:\d+ is (Redis|Valkey) \d+\.\d+\.\d+, a primary, maxmemory-policy noeviction, its clock differs by -?\d+ ms$/,
  )
  assert.deepEqual([policy?.state, gone?.state], ['warn', 'warn'])
  assert.match(policy!.found, /a replica, maxmemory-policy allkeys-lru/)
  assert.match(policy!.fix!, /^Set maxmemory-policy to noeviction/)
  assert.match(gone!.found, /^cannot be used: 127\.0\.0\.1:9: .*ECONNREFUSED/)

  const alone = await doctorSays(urlOf(second.port))
  assert.ok(alone.some(({ found }) => found.startsWith('no server is a primary')))
  const [wrong] = await doctorSays(`redis://:wrong-${PASSWORD}@127.0.0.1:${first.port}`)
  assert.match(wrong!.found, /WRONGPASS/)
  assert.ok(!JSON.stringify(wrong).includes(PASSWORD))
})
