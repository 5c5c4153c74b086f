/** People whose clients come back all at once after a restart of the process. */
import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { after, before, test } from 'node:test'
import { type Fixture, startFixture } from '../mcp/fixture/fixture.ts'
import { postJson } from '../support/authorization.ts'
import { Browser } from '../support/browser.ts'
import { connect } from '../support/connect.ts'
import { eventually } from '../support/eventually.ts'
import { type GuardedOrigin, startGuardedOrigin } from '../support/guarded-origin.ts'
import { Issuer, signingKey } from '../support/issuer.ts'
import { REDIRECT, signInAtProvider } from '../support/sign-in.ts'
import { killNow, runPostern, startUp, temporaryDirectory, type UpProcess } from './process.ts'
import { call } from './server.ts'

const PEOPLE = Array.from({ length: 100 }, (_, n) => `person-${n}`)
let data: string
let up: UpProcess
let issuer: Issuer
let notes: GuardedOrigin
let mail: GuardedOrigin
let tools: Fixture
let endpoint: string
let admin: string
/** Access tokens of people. */
const tokens = new Map<string, string>()

async function start(args: readonly string[] = []): Promise<void> {
  const provider = [
    '--oidc-issuer',
    issuer.url,
    '--oidc-client-id',
    'postern',
    '--oidc-client-secret',
    'secret',
  ]
  up = await startUp(data, ['--workers', '2', ...provider, ...args])
  endpoint = `${up.gatewayUrl.replace('127.0.0.1', 'localhost')}/mcp/desk`
}

async function make(path: string, body: object): Promise<void> {
  const made = await call('POST', `${up.controlUrl}/management/v1${path}`, { token: admin, body })
  assert.equal(made.status, 201, made.text)
}

before(async () => {
  data = await temporaryDirectory()
  issuer = await new Issuer(signingKey('corporate')).listen()
  notes = await startGuardedOrigin()
  mail = await startGuardedOrigin({ modern: true })
  tools = await startFixture({ eras: 'modern' })
  await start()
  const issued = await runPostern(['token', '--role', 'admin', '--ttl', '1h', '--data', data])
  assert.equal(issued.code, 0, issued.stderr)
  admin = issued.stdout.trim()
  for (const [slug, { url }] of Object.entries({ notes, mail }))
    await make('/origins', { name: slug, slug, url, auth_mode: 'user_oauth' })
  await make('/origins', { name: 'tools', slug: 'tools', url: tools.url })
  await make('/virtual_mcps', {
    ...{ name: 'Desk', slug: 'desk', status: 'published', all_users: true, prefix: 'always' },
    members: ['notes', 'mail', 'tools'].map((origin) => ({ origin })),
  })
})
after(async () => {
  await killNow(up)
  for (const one of [issuer, notes, mail, tools]) await one?.[Symbol.asyncDispose]()
  await rm(data, { recursive: true, force: true })
})

interface Answer {
  readonly status: number
  readonly session: string | null
  // biome-ignore lint/suspicious/noExplicitAny: results of many shapes; a test reads the members it asserts on
  readonly result: any
}

async function ask(
  token: string,
  method: string,
  params: object,
  session: string | null = null,
): Promise<Answer> {
  const response = await fetch(endpoint, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2025-11-25',
      ...(session === null ? {} : { 'mcp-session-id': session }),
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
  })
  const text = await response.text()
  const message = JSON.parse(/^data: (\{.*)$/m.exec(text)?.[1] ?? text) as { readonly result?: unknown }
  return { status: response.status, session: response.headers.get('mcp-session-id'), result: message.result }
}

/** A session as clients of 2025-11-25 open it. */
async function open(token: string): Promise<string | null> {
  const clientInfo = { name: 'desk app', version: '1' }
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo }
  const { status, session } = await ask(token, 'initialize', params)
  assert.equal(status, 200)
  return session
}

async function list(token: string, session: string | null): Promise<readonly string[]> {
  const { status, result } = await ask(token, 'tools/list', {}, session)
  assert.equal(status, 200)
  return result.tools.map(({ name }: { readonly name: string }) => name).toSorted()
}

/** Requests for the list of tools that have reached the origins. */
const listed = (): number[] => [
  ...[notes, mail].map(({ calls }) => calls.filter((one) => one.startsWith('tools/list')).length),
  tools.requests.filter(({ headers }) => headers['mcp-method'] === 'tools/list').length,
]

test('after a restart the first 100 sessions list every tool, and origins are asked once at most', async () => {
  const { body: client } = await postJson(new URL('/oauth/register', endpoint).href, {
    ...{ client_name: 'Desk app', redirect_uris: [REDIRECT], token_endpoint_auth_method: 'none' },
  })
  for (const person of PEOPLE) {
    issuer.person = { sub: person, name: person, email: `${person}@example.com` }
    for (const origin of [notes, mail]) origin.account = `${person} there`
    const browser = new Browser(new URL(endpoint).origin)
    const { accessToken } = await signInAtProvider(endpoint, { browser, clientId: client.client_id })
    tokens.set(person, accessToken)
    await connect(browser, 'notes')
    // Half of the people have no account at one member
    if (Number(person.slice(7)) % 2 === 0) await connect(browser, 'mail')
  }
  let whole: readonly string[] = []
  const first = tokens.get(PEOPLE[0]!)!
  const session = await open(first)
  await eventually(async () => {
    whole = await list(first, session)
    return ['mail', 'notes', 'tools'].every((slug) => whole.some((name) => name.startsWith(slug)))
  })

  const { host } = new URL(up.gatewayUrl)
  const { host: control } = new URL(up.controlUrl)
  up.child.kill('SIGTERM')
  await up.ended
  const before = listed()
  assert.ok(
    before.every((count) => count > 0),
    `${before}`,
  )
  await start(['--listen', host, '--control-listen', control])

  const lists = await Promise.all(
    PEOPLE.map(async (person) => {
      const token = tokens.get(person)!
      return list(token, await open(token))
    }),
  )
  for (const [n, one] of lists.entries()) assert.deepEqual(one, whole, PEOPLE[n])
  const asked = listed().map((count, n) => count - before[n]!)
  assert.ok(
    asked.every((count) => count <= 1),
    `lists of tools that the origins were asked for: ${asked}`,
  )
  const accounts = await Promise.all(
    PEOPLE.map(async (person) => {
      const { result } = await ask(tokens.get(person)!, 'tools/call', { name: 'notes_whoami', arguments: {} })
      return result.content[0].text as string
    }),
  )
  assert.deepEqual(
    accounts,
    PEOPLE.map((person) => `${person} there`),
  )
})
