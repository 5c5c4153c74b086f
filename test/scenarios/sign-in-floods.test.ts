/** Anonymous callers who flood the pages and endpoints of sign-ins, from many addresses, over real sockets. */
import assert from 'node:assert/strict'
import { Agent, type IncomingMessage, request } from 'node:http'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, test } from 'node:test'
import { choose, postJson } from '../support/authorization.ts'
import { Browser } from '../support/browser.ts'
import { connect, signedInBrowser } from '../support/connect.ts'
import { type GuardedOrigin, startGuardedOrigin } from '../support/guarded-origin.ts'
import { Issuer, signingKey } from '../support/issuer.ts'
import { message, REDIRECT, signIn } from '../support/sign-in.ts'
import { startTestServer, type TestServer } from './server.ts'

/** Addresses of the flood; Linux answers for the whole of 127.0.0.0/8. */
const SOURCES = Array.from({ length: 25 }, (_, n) => `127.0.1.${n + 1}`)
const EACH = 40
/** Characters of the longest answer that is plain. */
const PLAIN_MAX = 6000

let server: TestServer
let notes: GuardedOrigin
let issuer: Issuer
let base: string
let desk: string
let token: string

async function make(path: string, body: object): Promise<void> {
  const made = await server.manage('POST', path, body)
  assert.equal(made.status, 201, made.text)
}

before(async () => {
  notes = await startGuardedOrigin()
  issuer = await new Issuer(signingKey('corporate')).listen()
  const provider = { issuer: issuer.url, 'client-id': 'postern', 'client-secret': 'secret' }
  server = await startTestServer({
    workers: 2,
    flags: Object.entries(provider).flatMap(([name, value]) => [`--oidc-${name}`, value]),
  })
  base = server.running.gatewayUrl.replace('127.0.0.1', 'localhost')
  desk = `${base}/mcp/desk`
  await choose(new Browser(server.running.origin), (await server.running.firstLink())!.url, {
    name: 'ann',
    email: 'ann@example.com',
  })
  await make('/origins', { name: 'Notes', slug: 'notes', url: notes.url, auth_mode: 'user_oauth' })
  await make('/virtual_mcps', {
    ...{ name: 'Desk', slug: 'desk', status: 'published', all_users: true },
    members: [{ origin: 'notes' }],
  })
  token = (await signIn(desk, 'ann')).accessToken
})
after(async () => {
  await server?.stop()
  await Promise.all([notes, issuer].map((one) => one?.[Symbol.asyncDispose]()))
})

interface Sent {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly body?: string
}
interface Answer {
  readonly status: number
  readonly type: string
  readonly text: string
}

/** One request from an address, on connections that the address keeps. */
function send(agent: Agent, localAddress: string, { method, path, body }: Sent): Promise<Answer> {
  const { hostname, port, host } = new URL(server.running.gatewayUrl)
  const headers = {
    host: host.replace('127.0.0.1', 'localhost'),
    ...(body === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
  }
  return new Promise((done, fail) => {
    const asked = request(
      { hostname, port, localAddress, agent, method, path, headers },
      (answer: IncomingMessage) => {
        answer.toArray().then(
          (pieces) =>
            done({
              status: answer.statusCode!,
              type: answer.headers['content-type'] ?? '',
              text: Buffer.concat(pieces as Buffer[]).toString(),
            }),
          fail,
        )
      },
    )
    asked.on('error', fail)
    asked.end(body)
  })
}

/** Each source sends these in turn, all sources at once. */
async function flood(requestOf: (n: number) => Sent): Promise<readonly Answer[]> {
  const answers = await Promise.all(
    SOURCES.map(async (source) => {
      const agent = new Agent({ keepAlive: true, maxSockets: 2 })
      const own: Answer[] = []
      for (let n = 0; n < EACH; n++) own.push(await send(agent, source, requestOf(n)))
      agent.destroy()
      return own
    }),
  )
  return answers.flat()
}

function stored(query: string): readonly Record<string, unknown>[] {
  const database = new DatabaseSync(join(server.data, 'config.db'), { readOnly: true })
  try {
    return database.prepare(query).all()
  } finally {
    database.close()
  }
}

/** Rows of the authorization server, by kind. */
function rows(): Readonly<Record<string, number>> {
  const kinds = stored('select kind, count(*) as rows from oauth_artifacts group by kind')
  return Object.fromEntries(kinds.map(({ kind, rows: count }) => [String(kind), Number(count)]))
}

/** The trail counts refused callers: one entry for each source, reason and minute, written when the minute is over. */
function assertCounted(): void {
  const refused = stored("select entry from audit where operation = 'access.authenticate'").map(
    ({ entry }) => {
      const { time, surface, ip, detail, resource } = JSON.parse(String(entry)) as Record<string, unknown>
      return JSON.stringify([time, surface, ip, detail, resource])
    },
  )
  assert.deepEqual(
    refused.filter((one, at) => refused.indexOf(one) !== at),
    [],
  )
}

const isPlain = ({ status, text }: Answer): boolean =>
  status < 500 && text.length <= PLAIN_MAX && !/ at .*\.[jt]s:|node_modules|Error:/.test(text)

const STATE = 'x'.repeat(43)
const FLOODS: Readonly<Record<string, (n: number) => Sent>> = {
  'GET /connect': () => ({ method: 'GET', path: '/connect' }),
  'the page of an origin': (n) => ({ method: 'GET', path: `/connect/notes?for=${n.toString(36)}.${STATE}` }),
  'forms of /connect': (n) => ({ method: 'POST', path: '/connect/notes', body: `do=connect&csrf=${n}` }),
  'callbacks of origins with made-up states': (n) => ({
    method: 'GET',
    path: `/connect/callback?code=${n}&state=${STATE}${n}`,
  }),
  'callbacks of the identity provider with made-up states': (n) => ({
    method: 'GET',
    path: `/oauth/callback?code=${n}&state=${STATE}${n}`,
  }),
  'made-up pages of sign-ins': (n) => ({
    method: 'POST',
    path: `/oauth/interaction/${STATE}${n}`,
    body: 'do=allow',
  }),
  'token requests of unknown clients': (n) => ({
    method: 'POST',
    path: '/oauth/token',
    body: `grant_type=authorization_code&client_id=made-up-${n}&code=${STATE}&code_verifier=${STATE}&redirect_uri=${REDIRECT}`,
  }),
  'token requests in the name of agents': (n) => ({
    method: 'POST',
    path: '/oauth/token',
    body: `grant_type=client_credentials&client_id=bnd_${n}&client_secret=pst_ht_${STATE}`,
  }),
  'token requests with forged assertions': (n) => ({
    method: 'POST',
    path: '/oauth/token',
    body: `grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer&client_id=made-up&assertion=eyJhbGciOiJub25lIn0.e30.${n}`,
  }),
}

for (const [what, requestOf] of Object.entries(FLOODS))
  test(`a flood of ${what} stores nothing and gets plain answers, and a person is served meanwhile`, async () => {
    const before = rows()
    const [{ last }] = stored('select max(seq) as last from audit') as [{ last: number }]
    let isOver = false
    const flooding = flood(requestOf).finally(() => {
      isOver = true
    })
    let served = 0
    while (!isOver || served < 5) {
      const { status, text } = await message(desk, token, 'tools/list')
      assert.equal(status, 200, text)
      served++
    }
    const answers = await flooding
    assert.equal(answers.length, SOURCES.length * EACH)
    const odd = answers.find((answer) => !isPlain(answer))
    assert.equal(odd, undefined, JSON.stringify(odd))
    const since = rows()
    for (const [kind, count] of Object.entries(since))
      assert.ok(count <= (before[kind] ?? 0), `${kind}: ${before[kind]} to ${count}`)
    const others = stored(
      `select operation from audit where seq > ${last} and operation != 'access.authenticate'`,
    )
    assert.deepEqual(others, [])
    assertCounted()
  })

test('requests for authorization are bounded for each source: beyond the bound browsers get a page that says how long to wait', async () => {
  const { body: client } = await postJson(`${base}/oauth/register`, {
    ...{ client_name: 'Flood', redirect_uris: [REDIRECT], token_endpoint_auth_method: 'none' },
  })
  const before = rows()
  const query = new URLSearchParams({
    ...{ response_type: 'code', client_id: client.client_id, redirect_uri: REDIRECT, resource: desk },
    ...{ code_challenge: STATE, code_challenge_method: 'S256', state: 's' },
  })
  const path = `/oauth/authorize?${query}`
  const agent = new Agent({ keepAlive: true })
  const answers: Answer[] = []
  for (let n = 0; n < 200; n++) answers.push(await send(agent, '127.0.2.1', { method: 'GET', path }))
  agent.destroy()
  const refused = answers.filter(({ status }) => status === 429)
  // A minute may end in between
  assert.ok(refused.length > 0, 'of 200 requests in less than two minutes, some are refused')
  for (const { type, text } of refused) {
    assert.match(type, /^text\/html/)
    assert.match(text, /Too many requests have come from your network/)
  }
  assert.ok(answers.every(isPlain))
  const since = rows()
  const admitted = answers.length - refused.length
  assert.ok((since['Interaction'] ?? 0) - (before['Interaction'] ?? 0) <= admitted)
  // Other sources are not concerned
  notes.account = 'ann-at-notes'
  await connect(await signedInBrowser(server.running.origin, 'ann'), 'notes')
})
