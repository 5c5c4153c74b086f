import assert from 'node:assert/strict'
import { once } from 'node:events'
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { get } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text as textOf } from 'node:stream/consumers'
import { after, before, test } from 'node:test'
import { connect } from 'node:tls'
import { PLACES } from '../../src/serve/places.ts'
import { readSettings } from '../../src/settings.ts'
import { findInstance } from '../../src/upkeep/doctor/instance.ts'
import { choose, register, tokensFor } from '../support/authorization.ts'
import { Browser } from '../support/browser.ts'
import { CERTIFICATE, OTHER_CERTIFICATE, OTHER_PRIVATE_KEY, PRIVATE_KEY } from '../wire/certificate.ts'
import { runCommand } from './cli.ts'
import { call, startTestServer, type TestServer, until } from './server.ts'

const RESOURCE = '/.well-known/oauth-protected-resource'

let directory = ''
const file = (name: string): string => join(directory, name)

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'postern-listeners-'))
  await writeFile(file('a.pem'), CERTIFICATE)
  await writeFile(file('a.key'), PRIVATE_KEY)
  await writeFile(file('b.pem'), OTHER_CERTIFICATE)
  await writeFile(file('b.key'), OTHER_PRIVATE_KEY)
})
after(() => rm(directory, { recursive: true, force: true }))

/** A GET with a Host of its own. */
async function getAs(base: string, path: string, host: string): Promise<Record<string, unknown>> {
  const asked = request(`${base}${path}`, { headers: { host } }).end()
  const [answer] = await once(asked, 'response')
  const body: Record<string, unknown> = JSON.parse(await textOf(answer))
  return { ...body, challenge: answer.headers['www-authenticate'] }
}

/** The SHA-256 fingerprint of the certificate that a listener shows. */
async function shownAt(base: string): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port: Number(new URL(base).port), rejectUnauthorized: false })
  await once(socket, 'secureConnect')
  const { fingerprint256 } = socket.getPeerCertificate()
  socket.destroy()
  return fingerprint256
}

test('without management on the gateway listener, its callers get 404 and everything is on the control listener', async () => {
  await using server = await startTestServer({ flags: ['--expose', 'oauth,registry,portal'] })
  const { gatewayUrl, controlUrl, origin } = server.running
  for (const path of [
    '/management/v1/collections',
    '/management/mcp',
    '/api/v1/mcp',
    '/management/openapi.json',
  ]) {
    const outside = await server.gateway('GET', path, { token: server.adminToken })
    assert.deepEqual([outside.status, outside.json.code], [404, 'not_available'], path)
    assert.notEqual((await call('GET', `${controlUrl}${path}`)).status, 404, path)
  }
  // The metadata names the address at which management is
  const metadata = await call('GET', `${gatewayUrl}${RESOURCE}/management/mcp`)
  assert.equal(metadata.json.resource, `${controlUrl}/management/mcp`)
  assert.deepEqual(metadata.json.authorization_servers, [origin])
  const gatewayMcp = await getAs(gatewayUrl, `${RESOURCE}/mcp`, new URL(gatewayUrl).host)
  assert.equal(gatewayMcp['resource'], `${gatewayUrl}/mcp`)
})

test('metadata and challenges name the configured address of the listener, and no Host that is not listed', async () => {
  const flags = ['--origin', 'https://api.example.com', '--control-origin', 'https://admin.example.com:8443']
  await using server = await startTestServer({ flags })
  const { gatewayUrl, controlUrl } = server.running
  const named = async (base: string, host: string) => {
    const { resource, authorization_servers: servers } = await getAs(base, `${RESOURCE}/management/mcp`, host)
    const { challenge } = await getAs(base, '/management/v1/collections', host)
    const { issuer, token_endpoint: token } = await getAs(
      base,
      '/.well-known/oauth-authorization-server',
      host,
    )
    return {
      resource,
      servers,
      challenge: /resource_metadata="([^"]+)"/.exec(String(challenge))?.[1],
      issuer,
      token,
    }
  }
  const as = (origin: string) => ({
    resource: `${origin}/management/mcp`,
    servers: ['https://api.example.com'],
    challenge: `${origin}${RESOURCE}/management/v1`,
    issuer: 'https://api.example.com',
    token: 'https://api.example.com/oauth/token',
  })
  for (const base of [gatewayUrl, controlUrl]) {
    assert.deepEqual(await named(base, 'api.example.com'), as('https://api.example.com'))
    assert.deepEqual(await named(base, 'admin.example.com:8443'), as('https://admin.example.com:8443'))
    for (const host of ['evil.example', 'admin.example.com', 'api.example.com:444', 'localhost'])
      assert.deepEqual(await named(base, host), as('https://api.example.com'), host)
  }
})

test('without oauth on the gateway listener the issuer is the address of the control listener', async () => {
  await using server = await startTestServer({ flags: ['--expose', ''] })
  const { controlUrl } = server.running
  const metadata = await call('GET', `${controlUrl}/.well-known/oauth-authorization-server`)
  assert.equal(metadata.json.issuer, controlUrl)
  assert.equal((await server.gateway('GET', '/.well-known/oauth-authorization-server')).status, 404)
  const token = await signedIn(server, controlUrl)
  const reply = await server.manage('GET', '/collections', undefined, { token })
  assert.equal(reply.status, 200, reply.text)
})

test('a token that was asked for at the address of one listener is good at both', async () => {
  await using server = await startTestServer()
  const { gatewayUrl, controlUrl, origin } = server.running
  const resource = `${controlUrl}/management/v1`
  const metadata = await call('GET', `${controlUrl}${RESOURCE}/management/v1`)
  assert.equal(metadata.json.resource, resource)
  const token = await signedIn(server, origin, resource)
  for (const base of [gatewayUrl, controlUrl])
    assert.equal((await call('GET', `${base}/management/v1/collections`, { token })).status, 200, base)
})

/** Sets up the administrator and gives an access token for management REST. */
async function signedIn(server: TestServer, issuer: string, resource?: string): Promise<string> {
  const browser = new Browser(issuer)
  await choose(browser, (await server.running.firstLink())!.url, { name: 'ann', email: 'ann@example.com' })
  const more = { resource: resource ?? `${issuer}/management/v1` }
  const { access_token } = await tokensFor(issuer, browser, await register(issuer), more)
  return access_token
}

test('the control listener speaks TLS, and the command line of this machine knows its certificate', async () => {
  await using server = await startTestServer({
    flags: [
      ...['--control-tls-cert', file('a.pem'), '--control-tls-key', file('a.key')],
      ...['--control-origin', 'https://admin.example.com'],
    ],
  })
  const { controlUrl, gatewayUrl } = server.running
  assert.match(controlUrl, /^https:/)
  const whoami = await runCommand(server.data, ['whoami', '-o', 'json'])
  assert.equal(whoami.code, 0, whoami.err)
  assert.equal(JSON.parse(whoami.out).url, controlUrl)
  const made = await runCommand(server.data, [
    ...['collections', 'create', '--name', 'Orders', '--base-path', '/orders', '-o', 'json'],
  ])
  assert.equal(made.code, 0, made.err)
  const [found] = await findInstance(PLACES, readSettings(['--data', server.data], {}))
  assert.deepEqual([found!.state, found!.fix], ['ok', null], found!.found)

  const asked = get(`${controlUrl}/readyz`, { ca: CERTIFICATE, servername: 'origin.test' })
  const [ready] = await once(asked, 'response')
  assert.equal(ready.statusCode, 200)
  ready.resume()
  // The gateway listener stays plain
  assert.equal((await call('GET', `${gatewayUrl}/healthz`)).status, 200)
})

test('each listener has certificates of its own, and a replaced one is in force on its listener alone', async () => {
  await copyFile(file('a.pem'), file('gateway.pem'))
  await copyFile(file('a.key'), file('gateway.key'))
  await copyFile(file('b.pem'), file('control.pem'))
  await copyFile(file('b.key'), file('control.key'))
  await using server = await startTestServer({
    flags: [
      ...['--tls-cert', file('gateway.pem'), '--tls-key', file('gateway.key')],
      ...['--control-tls-cert', file('control.pem'), '--control-tls-key', file('control.key')],
    ],
  })
  const { gatewayUrl, controlUrl } = server.running
  const [gateway, control] = [await shownAt(gatewayUrl), await shownAt(controlUrl)]
  assert.notEqual(gateway, control)
  await copyFile(file('a.pem'), file('control.pem'))
  await copyFile(file('a.key'), file('control.key'))
  server.running.reload()
  await until(
    () => shownAt(controlUrl),
    (shown) => shown === gateway,
  )
  assert.equal(await shownAt(gatewayUrl), gateway)
  const whoami = await runCommand(server.data, ['whoami'])
  assert.equal(whoami.code, 0, whoami.err)
})
