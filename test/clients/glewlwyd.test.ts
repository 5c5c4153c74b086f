/**
 * An authorization server that is written in C, as Debian has it (package glewlwyd, with sqlite3): its issuer has a path, and it says
 * nothing of resources (RFC 8707, RFC 9728).
 */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import { startTestServer, type TestServer } from '../scenarios/server.ts'
import { choose, PASSWORD } from '../support/authorization.ts'
import { Browser } from '../support/browser.ts'
import { leaveFrom, signedInBrowser } from '../support/connect.ts'
import { eventually } from '../support/eventually.ts'
import { IS_LONG } from '../support/long.ts'
import { Loopback } from '../support/loopback.ts'
import { ownPort } from '../support/ports.ts'
import { message, signIn } from '../support/sign-in.ts'

const SCHEMA = '/usr/share/doc/glewlwyd/database/init.sqlite3.sql.gz'
const skip = !IS_LONG
  ? 'it starts programs of other projects: npm run test:all'
  : existsSync('/usr/bin/glewlwyd') && existsSync('/usr/bin/sqlite3') && existsSync(SCHEMA)
    ? false
    : 'glewlwyd and sqlite3 of Debian are not installed'

/** An MCP server that takes tokens of Glewlwyd. */
class Desk extends Loopback {
  issuer = ''
  protected answer(
    incoming: Parameters<Loopback['answer']>[0],
    outgoing: Parameters<Loopback['answer']>[1],
    body: string,
  ) {
    const json = (status: number, value: object): void => {
      outgoing.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
    }
    if (incoming.url === '/.well-known/oauth-protected-resource/mcp')
      return json(200, { resource: `${this.url}/mcp`, authorization_servers: [this.issuer] })
    const token = /^Bearer (.+)$/.exec(incoming.headers.authorization ?? '')?.[1]
    if (token === undefined) return json(401, {})
    void this.#account(token).then((account) => {
      if (account === null) return json(401, {})
      const { id, method } = JSON.parse(body) as { id?: number; method: string }
      if (id === undefined) return json(202, {})
      const tools = [{ name: 'whoami', inputSchema: { type: 'object' } }]
      const results: Record<string, object> = {
        initialize: {
          protocolVersion: '2025-06-18',
          capabilities: { tools: {} },
          serverInfo: { name: 'desk', version: '1' },
        },
        'tools/list': { tools },
        'tools/call': { content: [{ type: 'text', text: account }] },
      }
      const result = results[method]
      const came = result === undefined ? { error: { code: -32601, message: 'no' } } : { result }
      return json(200, { jsonrpc: '2.0', id, ...came })
    })
  }

  /** Whom a token of the server is for; null for a token that it has not signed. */
  async #account(token: string): Promise<string | null> {
    const keys = createRemoteJWKSet(new URL(`${this.issuer}/jwks`))
    const verified = await jwtVerify(token, keys, { issuer: this.issuer }).catch(() => null)
    return verified?.payload.sub ?? null
  }
}

let directory: string
let program: ReturnType<typeof spawn>
let server: TestServer
const desk = new Desk()
let api: string

const asAdmin = new Map<string, string>()

/** Asks the API of Glewlwyd, with the cookies of a browser. */
async function ask(
  cookies: Map<string, string>,
  method: string,
  path: string,
  body?: object,
): Promise<Response> {
  const answer = await fetch(path.startsWith('http') ? path : api + path, {
    method,
    redirect: 'manual',
    headers: {
      cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; '),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  for (const line of answer.headers.getSetCookie()) {
    const [, name, value] = /^([^=]+)=([^;]*)/.exec(line)!
    cookies.set(name!, value!)
  }
  return answer
}

function configuration(port: number): string {
  const modules = ['user', 'client', 'scheme', 'plugin'].filter((one) =>
    readdirSync('/usr/lib/glewlwyd').includes(one),
  )
  assert.equal(modules.length, 4)
  return `port=${port}
bind_address="127.0.0.1"
external_url="http://localhost:${port}"
login_url="login.html"
api_prefix="api"
log_mode="console"
log_level="ERROR"
cookie_secure=0
session_expiration=3600
session_key="S"
admin_session_authentication="cookie"
profile_session_authentication="cookie"
login_api_enabled=true
max_post_size=1000000
admin_scope="g_admin"
profile_scope="g_profile"
user_module_path="/usr/lib/glewlwyd/user"
client_module_path="/usr/lib/glewlwyd/client"
user_auth_scheme_module_path="/usr/lib/glewlwyd/scheme"
plugin_module_path="/usr/lib/glewlwyd/plugin"
use_secure_connection=false
secure_connection_key_file="none"
secure_connection_pem_file="none"
secure_connection_ca_file="none"
hash_algorithm="SHA512"
database = { type = "sqlite3" path = "${directory}/g.db" };
`
}

function plugin(issuer: string): object {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  })
  const enabled = { code: true, refresh: true, implicit: false, password: false, client: false, token: false }
  return {
    module: 'oidc',
    name: 'oidc',
    display_name: 'OIDC',
    enabled: true,
    parameters: {
      iss: issuer,
      'jwt-type': 'rsa',
      'jwt-key-size': '256',
      key: privateKey,
      cert: publicKey,
      'access-token-duration': 600,
      'refresh-token-duration': 86_400,
      'code-duration': 60,
      'refresh-token-rolling': true,
      'allow-non-oidc': true,
      ...Object.fromEntries(Object.entries(enabled).map(([name, is]) => [`auth-type-${name}-enabled`, is])),
      'auth-type-id-token-enabled': false,
      'auth-type-none-enabled': false,
      'auth-type-device-enabled': false,
      'secret-type': 'public',
      'address-claim': { type: 'no' },
      'name-claim': 'no',
      'email-claim': 'no',
      'scope-claim': 'no',
      'allowed-scope': ['openid'],
      'pkce-allowed': true,
      'pkce-required': true,
      'pkce-method-plain-allowed': false,
      'introspection-revocation-allowed': true,
      'introspection-revocation-allow-target-client': true,
      'register-client-allowed': true,
      'register-client-auth-scope': [],
      'register-client-credentials-scope': ['openid'],
      'register-client-token-endpoint-auth-method': ['client_secret_basic'],
      'session-management-allowed': false,
    },
  }
}

before(async () => {
  if (skip !== false) return
  directory = mkdtempSync(join(tmpdir(), 'glewlwyd-'))
  const port = await ownPort()
  api = `http://localhost:${port}/api`
  execFileSync('/usr/bin/sqlite3', [join(directory, 'g.db')], { input: gunzipSync(readFileSync(SCHEMA)) })
  writeFileSync(join(directory, 'g.conf'), configuration(port))
  program = spawn('/usr/bin/glewlwyd', [`--config-file=${join(directory, 'g.conf')}`], { stdio: 'ignore' })
  await eventually(async () => (await fetch(`${api}/config`).catch(() => null)) !== null)
  const signedIn = await ask(asAdmin, 'POST', '/auth/', { username: 'admin', password: 'password' })
  assert.equal(signedIn.status, 200)
  const added = await ask(asAdmin, 'POST', '/mod/plugin/', plugin(`${api}/oidc`))
  assert.equal(added.status, 200, await added.text())
  const ann = { username: 'ann-there', password: PASSWORD, scope: ['openid', 'g_profile'], enabled: true }
  assert.equal((await ask(asAdmin, 'POST', '/user/', ann)).status, 200)
  desk.issuer = `${api}/oidc`
  await desk.listen()
  // Another host than that of the origin
  server = await startTestServer({ flags: ['--egress-allow', 'localhost'] })
  await choose(new Browser(server.running.origin), (await server.running.firstLink())!.url, {
    name: 'ann',
    email: 'ann@example.com',
  })
})
after(async () => {
  if (skip !== false) return
  await server?.stop()
  if (desk.isListening) await desk[Symbol.asyncDispose]()
  program?.kill()
  rmSync(directory, { recursive: true, force: true })
})

test('a person connects an account at Glewlwyd, and calls carry its token', { skip }, async () => {
  const made = await server.manage('POST', '/origins', {
    name: 'Desk',
    slug: 'desk',
    url: `${desk.url}/mcp`,
    auth_mode: 'user_oauth',
    oauth: { scopes: ['openid'] },
  })
  assert.equal(made.status, 201, made.text)
  const shared = { status: 'published', all_users: true, members: [{ origin: 'desk' }] }
  await server.manage('POST', '/virtual_mcps', { name: 'Desk', slug: 'desk', ...shared })
  const browser = await signedInBrowser(server.running.origin, 'ann')
  const leaving = await leaveFrom(browser, await browser.open('/connect/desk'))
  const link = /<a href="(https?:[^"]+)">Continue to /.exec(leaving.text)?.[1]
  assert.ok(link !== undefined, leaving.text)
  const url = new URL(link.replaceAll('&#38;', '&'))

  const person = new Map<string, string>()
  assert.equal(
    (await ask(person, 'POST', '/auth/', { username: 'ann-there', password: PASSWORD })).status,
    200,
  )
  const client = url.searchParams.get('client_id')!
  assert.equal((await ask(person, 'PUT', `/auth/grant/${client}`, { scope: 'openid' })).status, 200)
  url.searchParams.set('g_continue', '')
  const back = await ask(person, 'GET', url.href)
  const location = back.headers.get('location')
  assert.ok(
    location?.includes('/connect/callback') === true,
    `${back.status} ${location} ${await back.text()}`,
  )
  const connected = await browser.open(location)
  assert.match(connected.text, /Connected since|Connected as/, connected.text)

  const endpoint = `${server.running.gatewayUrl.replace('127.0.0.1', 'localhost')}/mcp/desk`
  const { accessToken } = await signIn(endpoint, 'ann')
  await eventually(async () => {
    const { json } = await message(endpoint, accessToken, 'tools/list')
    return json?.result?.tools?.length === 1
  })
  const before = await message(endpoint, accessToken, 'tools/call', { name: 'whoami' })
  assert.notEqual(before.json.result.isError, true, before.text)
  server.moveClock(590_000)
  const later = await message(endpoint, accessToken, 'tools/call', { name: 'whoami' })
  assert.deepEqual(later.json.result.content, before.json.result.content)
})
