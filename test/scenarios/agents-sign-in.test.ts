/** Clients that do what real AI clients were seen to do when they sign in, step by step, against a whole gateway. */

import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { after, test } from 'node:test'
import { choose, consent, postForm, postJson } from '../support/authorization.ts'
import { Browser, boxesOf, type Shown } from '../support/browser.ts'
import { startTestServer } from './server.ts'

const server = await startTestServer()
after(() => server.stop())
const { origin } = server.running
await choose(new Browser(origin), (await server.running.firstLink())!.url, {
  name: 'ann',
  email: 'ann@example.com',
})

const MCP = `${origin}/management/mcp`
const REDIRECT = 'http://127.0.0.1:9/callback'
/** Life of an access token, and a second. */
const LIFE_MS = 15 * 60_000 + 1000
const START = 'management:read management:write'

async function call(method: string, params: object, token?: string) {
  const response = await fetch(`${MCP}?view=full`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
  })
  // An unread body keeps its connection busy, and the server waits for that when it stops
  return { status: response.status, headers: response.headers, text: await response.text() }
}

const metadataAt = async (url: string): Promise<Record<string, unknown>> =>
  (await (await fetch(url)).json()) as Record<string, unknown>

/** What a client finds that knows one URL: from the challenge to both documents. */
async function discover() {
  const challenge = (await call('tools/list', {})).headers.get('www-authenticate')!
  const resource = await metadataAt(/resource_metadata="([^"]+)"/.exec(challenge)![1]!)
  const [issuer] = resource['authorization_servers'] as string[]
  const issued = await metadataAt(`${issuer}/.well-known/oauth-authorization-server`)
  return { challenge, resource, issued, endpoint: (name: string) => String(issued[`${name}_endpoint`]) }
}

interface Signed {
  readonly access_token: string
  readonly refresh_token?: string
  readonly scope: string
}

/** Registers, asks for the scope in a browser, and redeems the code; what the client gets, and the page that was shown. */
async function signIn(
  scope: string,
  agree: (browser: Browser, url: URL) => Promise<Shown>,
  client?: string,
): Promise<{ client: string; tokens: Signed }> {
  const { endpoint } = await discover()
  const registered =
    client ??
    (
      await postJson(endpoint('registration'), {
        client_name: 'Agent',
        redirect_uris: [REDIRECT],
        token_endpoint_auth_method: 'none',
        response_types: ['code'],
      })
    ).body.client_id
  const verifier = randomBytes(32).toString('base64url')
  const url = new URL(endpoint('authorization'))
  url.search = new URLSearchParams({
    response_type: 'code',
    client_id: registered,
    redirect_uri: REDIRECT,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    state: 's',
    scope,
    resource: MCP,
  }).toString()
  const { url: back } = await agree(new Browser(origin), url)
  const { body } = await postForm(endpoint('token'), {
    grant_type: 'authorization_code',
    client_id: registered,
    redirect_uri: REDIRECT,
    code: back.searchParams.get('code') ?? '',
    code_verifier: verifier,
    resource: MCP,
  })
  return { client: registered, tokens: body as Signed }
}

/** A person who signs in and changes nothing on the page. */
const asTicked = async (browser: Browser, url: URL): Promise<Shown> => {
  const page = await pageFor(browser, url)
  return browser.submit(page, { do: 'allow' })
}

async function pageFor(browser: Browser, url: URL): Promise<Shown> {
  const first = await browser.open(url)
  return browser.submit(first, { name: 'ann', password: 'correct horse battery staple', do: 'password' })
}

const refresh = (client: string, token: string, scope: string) =>
  postForm(`${origin}/oauth/token`, {
    grant_type: 'refresh_token',
    client_id: client,
    refresh_token: token,
    scope,
    resource: MCP,
  })

test('Codex: registered without grant types, it refreshes with offline_access when its token has ended, and keeps its tools', async () => {
  const { resource } = await discover()
  const scope = [...(resource['scopes_supported'] as string[]), 'offline_access'].join(' ')
  const { client, tokens } = await signIn(scope, asTicked)
  assert.equal(tokens.scope, START)
  let { access_token: accessToken, refresh_token: refreshToken = '' } = tokens
  for (let round = 0; round < 3; round++) {
    server.moveClock(LIFE_MS)
    assert.equal((await call('tools/list', {}, accessToken)).status, 401)
    // The engine dates new tokens by the clock of the system
    server.moveClock(-LIFE_MS)
    const { status, body } = await refresh(client, refreshToken, `${START} offline_access`)
    assert.equal(status, 200, JSON.stringify(body))
    assert.equal(body.scope, START)
    ;({ access_token: accessToken, refresh_token: refreshToken } = body)
    assert.equal((await call('tools/list', {}, accessToken)).status, 200)
  }
})

test('Gemini: it asks for every scope that is listed, and gets no administration', async () => {
  const { resource, issued } = await discover()
  for (const { scopes_supported: listed } of [
    resource,
    issued,
    await metadataAt(`${origin}/.well-known/openid-configuration`),
  ])
    assert.ok(!(listed as string[]).includes('management:admin'))
  for (const path of ['', '/management', '/management/v1', '/management/mcp', '/api/v1/mcp'])
    assert.deepEqual(
      (await metadataAt(`${origin}/.well-known/oauth-protected-resource${path}`))['scopes_supported'],
      START.split(' '),
    )
  const { tokens } = await signIn((issued['scopes_supported'] as string[]).join(' '), asTicked)
  assert.equal(tokens.scope, START)
  const denied = await call('tools/call', { name: 'create_role', arguments: ROLE }, tokens.access_token)
  assert.equal(denied.status, 403)
  assert.match(
    denied.headers.get('www-authenticate')!,
    /scope="management:read management:write management:admin"/,
  )
})

const ROLE = { name: 'Reader', permissions: ['proxies:read'] }
const ALL = `${START} management:admin`

test('administration that a client asks for by name is given only where the person ticks it', async () => {
  const { client, tokens } = await signIn(ALL, asTicked)
  assert.equal(tokens.scope, START)
  const byHand = await signIn(ALL, (browser, url) => consent(browser, url, 'ann', ALL.split(' ')), client)
  assert.equal(byHand.tokens.scope, ALL)
  const made = await call('tools/call', { name: 'create_role', arguments: ROLE }, byHand.tokens.access_token)
  assert.equal(made.status, 200)
  assert.ok(!/"isError":true/.test(made.text))
})

test('what the person unticks is not given, not by a refresh either, and the client keeps the rest', async () => {
  const onlyRead = (browser: Browser, url: URL) => consent(browser, url, 'ann', ['management:read'])
  const { client, tokens } = await signIn(ALL, onlyRead)
  assert.equal(tokens.scope, 'management:read')
  const again = await refresh(client, tokens.refresh_token!, `${ALL} offline_access openid profile`)
  assert.equal(again.status, 200, JSON.stringify(again.body))
  assert.equal(again.body.scope, 'management:read')
  const policy = { name: 'Gold', limits: [{ name: 'm', kind: 'rate', max: 5, window: '1m' }] }
  const denied = await call(
    'tools/call',
    { name: 'create_policy', arguments: policy },
    again.body.access_token,
  )
  assert.equal(denied.status, 403)
  const { json } = await server.manage('GET', '/audit?operation=oauth.consent')
  assert.match(JSON.stringify(json.items[0]), /declined.*management:write management:admin/)
})

test('a refresh never gives more than was agreed to', async () => {
  const { client, tokens } = await signIn('management:read', asTicked)
  const { status, body } = await refresh(client, tokens.refresh_token!, 'management:read management:admin')
  assert.deepEqual([status, body.error], [400, 'invalid_scope'])
  const same = await refresh(client, tokens.refresh_token!, 'offline_access')
  assert.deepEqual([same.status, same.body.scope], [200, 'management:read'])
})

test('a form that a script posts gives what it ticks among what was asked for, and nothing when it ticks nothing', async () => {
  const { tokens } = await signIn(START, async (browser, url) => {
    const page = await pageFor(browser, url)
    assert.deepEqual(
      boxesOf(page.text).map(({ value, isTicked }) => [value, isTicked]),
      START.split(' ').map((scope) => [scope, true]),
    )
    for (const ticked of [[], ['management:admin'], ['management:read management:write']]) {
      const shown = await browser.submit(page, { do: 'allow', scope: ticked[0] ?? '' }, true, [])
      assert.equal(shown.status, 400)
      assert.match(shown.text, /role="alert"/)
    }
    return browser.submit(page, { do: 'allow', scope: 'management:admin' }, true, ['management:read'])
  })
  assert.equal(tokens.scope, 'management:read')
})

test('every choice on the page for consent has a label, and administration alone is not ticked', async () => {
  await signIn(`openid ${ALL}`, async (browser, url) => {
    const page = await pageFor(browser, url)
    const boxes = boxesOf(page.text)
    assert.deepEqual(
      boxes.filter(({ isTicked }) => !isTicked).map(({ value }) => value),
      ['management:admin'],
    )
    assert.equal(page.text.match(/<label class="choice"><input type="checkbox"/g)?.length, boxes.length)
    assert.match(page.text, /<fieldset><legend>It may<\/legend>/)
    assert.ok(!/<script/.test(page.text))
    return browser.submit(page, { do: 'allow' })
  })
})
