import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, test } from 'node:test'
import {
  authorization,
  consent,
  PASSWORD,
  postForm,
  startAuthorization,
  tokensFor,
} from '../../../test/support/authorization.ts'
import { EGRESS } from '../../../test/support/egress.ts'
import { createPublicGetJson } from '../../base/net/fetch-json.ts'
import { FetchFailure } from '../../base/net/guarded-fetch.ts'
import { readClientPins } from '../../control/client-pins.ts'

const PINNED = 'https://internal.example/agent.json'
const asked: string[] = []
const documents = new Map<string, Record<string, unknown>>()
const heads = new Map<string, Record<string, string>>()
const server = await startAuthorization({
  fetchPublic: async (url) => {
    asked.push(url)
    const value = documents.get(url)
    if (value === undefined) throw new FetchFailure('cannot be reached')
    return { value, headers: heads.get(url) ?? {} }
  },
  pins: readClientPins(join(import.meta.dirname, '../../../test/support/client-pins.json')),
})
after(() => server[Symbol.asyncDispose]())
const { origin } = server

test('a widespread client signs in where nothing can be fetched, on the port that it has', async () => {
  const client = 'https://claude.ai/oauth/claude-code-client-metadata'
  const redirect_uri = 'http://localhost:61010/callback'
  const browser = server.browser()
  const { url: back } = await consent(browser, authorization(origin, client, { redirect_uri }).url)
  assert.equal(back.origin + back.pathname, redirect_uri)
  assert.ok((await tokensFor(origin, browser, client, { redirect_uri })).access_token)
  assert.deepEqual(asked, [])
  const metadata = await (await fetch(`${origin}/.well-known/oauth-authorization-server`)).json()
  assert.equal((metadata as Record<string, unknown>)['client_id_metadata_document_supported'], true)
})

test('the document of another client is fetched once, outlives a restart, and stands in while it cannot be fetched', async () => {
  const client = 'https://agent.example/oauth/client.json'
  documents.set(client, {
    client_id: client,
    client_name: 'Agent',
    redirect_uris: ['http://localhost/callback'],
    token_endpoint_auth_method: 'none',
    scope: 'something of its own',
  })
  const ask = async () => {
    const asking = authorization(origin, client, { redirect_uri: 'http://localhost:5555/callback' })
    return (await server.browser().open(asking.url)).status
  }
  assert.equal(await ask(), 200)
  await server.restart()
  assert.equal(await ask(), 200)
  assert.deepEqual(asked, [client])
  documents.delete(client)
  server.move(2 * 60 * 60_000)
  await server.restart()
  assert.equal(await ask(), 200, 'what it said before is good enough')
  server.move(31 * 24 * 60 * 60_000)
  await server.restart()
  assert.equal(await ask(), 400)
  server.move(-31 * 24 * 60 * 60_000 - 2 * 60 * 60_000)
})

test('clients that nobody can fetch write a bounded number of lines into the log, and a long URL none', async () => {
  const before = [asked.length, server.warnings.length] as const
  const redeem = (client: string) =>
    postForm(`${origin}/oauth/token`, { grant_type: 'refresh_token', refresh_token: 'x', client_id: client })
  const long = `https://nowhere.example/${'a'.repeat(40_000)}`
  assert.equal((await redeem(long)).body.error, 'invalid_client')
  assert.deepEqual([asked.length, server.warnings.length], before)
  for (let count = 0; count < 40; count++) await redeem(`https://nowhere.example/${count}`)
  assert.equal(server.warnings.length - before[1], 30)
  server.move(60_000)
  await redeem('https://nowhere.example/later')
  assert.match(server.warnings.at(-1)!, /nowhere\.example\/later of an OAuth client cannot be fetched/)
  server.move(-60_000)
})

test('a document is good for as long as its answer says, within bounds', async () => {
  const cases: readonly (readonly [Record<string, string>, number])[] = [
    [{}, 60],
    [{ 'cache-control': 'public, max-age=7200' }, 120],
    [{ 'cache-control': 'Max-Age="7200"', age: '3600' }, 60],
    [{ 'cache-control': 'max-age=1' }, 5],
    [{ 'cache-control': 'max-age=7200, no-cache' }, 5],
    [{ 'cache-control': 'no-store' }, 5],
    [{ 'cache-control': 'max-age=31536000, immutable' }, 24 * 60],
    [{ 'cache-control': 'max-age=-7' }, 60],
  ]
  for (const [index, [head, minutes]] of cases.entries()) {
    const client = `https://agent.example/cached/${index}.json`
    const redirect_uri = 'https://agent.example/callback'
    documents.set(client, {
      client_id: client,
      redirect_uris: [redirect_uri],
      token_endpoint_auth_method: 'none',
    })
    heads.set(client, head)
    const timesAsked = async (): Promise<number> => {
      // The engine has a memory of its own, for half a minute
      await server.restart()
      await server.browser().open(authorization(origin, client, { redirect_uri }).url)
      return asked.filter((url) => url === client).length
    }
    const said = JSON.stringify(head)
    assert.equal(await timesAsked(), 1, said)
    server.move((minutes - 1) * 60_000)
    assert.equal(await timesAsked(), 1, `${said} is good for ${minutes} minutes`)
    server.move(2 * 60_000)
    assert.equal(await timesAsked(), 2, `${said} is good no longer`)
    server.move(-(minutes + 1) * 60_000)
  }
})

test('the name of a client is shown as unverified, unless a document that is pinned or bundled gives it', async () => {
  const shown = async (client: string, redirect_uri: string): Promise<string> => {
    const browser = server.browser()
    const first = await browser.open(authorization(origin, client, { redirect_uri }).url)
    return (await browser.submit(first, { name: 'ann', password: PASSWORD, do: 'password' })).text
  }
  const fetched = 'https://names.example/client.json'
  const redirect = 'http://localhost:6002/callback'
  documents.set(fetched, {
    client_id: fetched,
    client_name: 'Internal agent',
    redirect_uris: ['http://localhost/callback'],
    token_endpoint_auth_method: 'none',
  })
  const claude = 'https://claude.ai/oauth/claude-code-client-metadata'
  for (const [client, name, isUnverified] of [
    [PINNED, 'Internal agent', false],
    [claude, 'Claude Code', false],
    [fetched, 'Internal agent', true],
  ] as const) {
    const text = await shown(client, redirect)
    assert.match(text, new RegExp(`<strong>${name}</strong>`), client)
    assert.equal(/unverified: the client chose it/.test(text), isUnverified, client)
  }
})

test('a client that the operator has pinned signs in without its document being fetched', async () => {
  const redirect_uri = 'http://localhost:6001/callback'
  const before = asked.length
  const browser = server.browser()
  const tokens = await tokensFor(origin, browser, PINNED, { redirect_uri })
  assert.ok(tokens.access_token)
  const widespread = 'https://zed.dev/oauth/client-metadata.json'
  const own = { redirect_uri: 'https://zed.internal.example/callback' }
  const { url: back } = await consent(browser, authorization(origin, widespread, own).url)
  assert.equal(back.origin, 'https://zed.internal.example', 'it goes before the bundled one')
  assert.equal(asked.length, before)
})

test('a document that says it is of another client, or asks for a shared secret, makes none', async () => {
  for (const wrong of [
    { client_id: 'https://other.example/client.json' },
    { token_endpoint_auth_method: 'client_secret_basic' },
    { redirect_uris: ['http://evil.example/callback'] },
  ]) {
    const client = `https://agent.example/${JSON.stringify(wrong).length}.json`
    documents.set(client, {
      client_id: client,
      redirect_uris: ['https://agent.example/callback'],
      token_endpoint_auth_method: 'none',
      ...wrong,
    })
    const { url } = authorization(origin, client, { redirect_uri: 'https://agent.example/callback' })
    const page = await server.browser().open(url)
    assert.deepEqual([page.status, page.url.origin], [400, origin], JSON.stringify(wrong))
  }
})

test('nothing inside is fetched for who names a URL', async () => {
  const addressed = (address: string) =>
    createPublicGetJson(EGRESS, ((_name: string, _options: object, done: (...given: unknown[]) => void) =>
      done(null, [{ address, family: 4 }])) as never)
  const fetchOf = (url: string, address = '192.168.1.1') => addressed(address)(url)
  for (const url of [
    'http://agent.example/client.json',
    'https://localhost/client.json',
    'https://127.0.0.1/client.json',
    'https://10.1.2.3/client.json',
    'https://169.254.169.254/client.json',
    'https://[::1]/client.json',
    'https://[fd00::1]/client.json',
    'https://[::ffff:10.0.0.1]/client.json',
    'https://agent.example/client.json',
  ])
    await assert.rejects(fetchOf(url), /not https|not public|never calls/, url)
  for (const address of ['127.0.0.1', '169.254.169.254', '100.64.0.1'])
    await assert.rejects(
      fetchOf('https://agent.example/x.json', address),
      /agent\.example is refused: .*(not public|never calls)/,
    )
})

test('the mode says whether documents are taken, those that are bundled go first, and any are fetched', async () => {
  const bundled = 'https://claude.ai/oauth/claude-code-client-metadata'
  const other = 'https://agent.example/modes.json'
  const redirect_uri = 'http://localhost:61010/callback'
  for (const client of [bundled, other])
    documents.set(client, {
      client_id: client,
      redirect_uris: [redirect_uri],
      token_endpoint_auth_method: 'none',
    })
  const found: Record<string, unknown> = {}
  for (const documentMode of ['auto', 'on', 'pinned-only', 'off'] as const) {
    await server.restart({ documentMode })
    const before = asked.length
    const statuses = []
    for (const client of [bundled, other]) {
      statuses.push((await server.browser().open(authorization(origin, client, { redirect_uri }).url)).status)
    }
    const metadata = await (await fetch(`${origin}/.well-known/oauth-authorization-server`)).json()
    const { client_id_metadata_document_supported: isSaid = false } = metadata as Record<string, unknown>
    found[documentMode] = [isSaid, ...statuses, asked.slice(before)]
  }
  assert.deepEqual(found, {
    auto: [true, 200, 200, [other]],
    on: [true, 200, 200, [bundled]],
    'pinned-only': [true, 200, 400, []],
    off: [false, 400, 400, []],
  })
})

test('documents that strangers name are fetched ten times a minute for a source, and those that are kept all the same', async () => {
  const kept = 'https://kept.example/client.json'
  documents.set(kept, {
    client_id: kept,
    client_name: 'Kept',
    redirect_uris: ['http://localhost/callback'],
    token_endpoint_auth_method: 'none',
  })
  const ask = async (client: string) => {
    const asking = authorization(origin, client, { redirect_uri: 'http://localhost:5555/callback' })
    return (await server.browser().open(asking.url)).status
  }
  await server.restart({ documentMode: 'auto' })
  server.move(60_000)
  assert.equal(await ask(kept), 200)
  asked.length = 0
  for (let count = 0; count < 20; count++)
    assert.equal(await ask(`https://a${count}.example/client.json`), 400)
  assert.equal(asked.length, 9)
  await server.restart()
  assert.equal(await ask(kept), 200)
  server.move(60_000)
  assert.equal(await ask('https://b.example/client.json'), 400)
  assert.equal(asked.at(-1), 'https://b.example/client.json')
})
