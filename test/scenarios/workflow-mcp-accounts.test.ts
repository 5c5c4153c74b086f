/** Tools of origins in workflows with the account of the person who calls. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { choose } from '../support/authorization.ts'
import { Browser } from '../support/browser.ts'
import { connect, connectFrom, signedInBrowser } from '../support/connect.ts'
import { eventually } from '../support/eventually.ts'
import { type GuardedOrigin, startGuardedOrigin } from '../support/guarded-origin.ts'
import { addUser, message, signIn } from '../support/sign-in.ts'
import { answer, flow, startFlows } from './flows.ts'

const ERAS = ['modern', 'legacy'] as const
const { server, endpoint, get, record, stop } = await startFlows()
const origins: Record<string, GuardedOrigin> = {}
const tokens: Record<string, string> = {}
const browsers: Record<string, Browser> = {}
const base = server.running.gatewayUrl.replace('127.0.0.1', 'localhost')
const mcp = `${base}/mcp/-/acme/web`

async function make(path: string, body: object) {
  const made = await server.manage('POST', path, body)
  assert.equal(made.status, 201, made.text)
}

/** Calls the endpoint as a person does: by an agent at which the person has signed in. */
async function execute(person: string, path: string) {
  const params = { name: 'execute_call', arguments: { endpoint: `GET ${path}` } }
  const { json, text } = await message(mcp, tokens[person]!, 'tools/call', params)
  assert.ok(json?.result?.structuredContent !== undefined, text)
  return json.result.structuredContent
}

const whoami = (slug: string) =>
  flow(
    [
      { id: 'call', type: 'mcp_call_node', config: { origin: slug, tool: 'whoami', as: 'user' } },
      answer('ok', { body: { account: '{{ $.call.content[0].text }}' } }),
    ],
    ['http call', 'call success ok'],
  )

before(async () => {
  await choose(new Browser(server.running.origin), (await server.running.firstLink())!.url, {
    name: 'ann',
    email: 'ann@example.com',
  })
  await addUser(server, server.running.origin, 'bob')
  for (const era of ERAS) {
    origins[era] = await startGuardedOrigin({ modern: era === 'modern' })
    const oauth = { scopes: ['openid', 'tools'] }
    await make('/origins', { name: era, slug: era, url: origins[era].url, auth_mode: 'user_oauth', oauth })
  }
  // People connect accounts at origins of virtual MCPs that are shared with them
  await make('/virtual_mcps', {
    name: 'Desk',
    slug: 'desk',
    status: 'published',
    members: ERAS.map((origin) => ({ origin })),
    all_users: true,
  })
  const sign = { users: ['ann', 'bob'] }
  await make('/profiles', {
    client: 'acme',
    name: 'Web',
    slug: 'web',
    auth: { type: 'token' },
    agent_sign_in: sign,
  })
  for (const person of ['ann', 'bob']) {
    tokens[person] = (await signIn(mcp, person)).accessToken
    browsers[person] = await signedInBrowser(server.running.origin, person)
  }
})
after(async () => {
  await stop()
  for (const origin of Object.values(origins)) await origin[Symbol.asyncDispose]()
})

for (const era of ERAS) {
  test(`at an origin of the ${era} era each person is served by an account of their own`, async () => {
    const path = await endpoint(whoami(era))
    origins[era]!.account = `ann-at-${era}`
    const early = await execute('ann', path)
    assert.match((await record(early.body.request_id)).reason, /has not listed its tools yet/)
    await connect(browsers['ann']!, era)
    // The catalogue is read with the first account
    await eventually(
      async () => (await server.manage('GET', `/origins/${era}/catalog`)).json.items.length === 1,
    )
    assert.deepEqual((await execute('ann', path)).body, { account: `ann-at-${era}` })

    const refused = await execute('bob', path)
    assert.deepEqual([refused.status, refused.body.code], [403, 'connect_required'])
    assert.equal(refused.body.origin, era)
    const url = String(refused.body.connect_url)
    assert.ok(refused.body.detail.includes(`Open ${url} to connect the account`), refused.body.detail)
    const { reason } = await record(refused.body.request_id)
    assert.match(reason, /^node "call": connect_required: The origin "\w+" needs a connected account/)

    origins[era]!.account = `bob-at-${era}`
    await connectFrom(browsers['bob']!, await browsers['bob']!.open(url))
    assert.deepEqual((await execute('bob', path)).body, { account: `bob-at-${era}` })
    assert.deepEqual((await execute('ann', path)).body, { account: `ann-at-${era}` })
  })

  test(`a token that an origin of the ${era} era refuses is renewed once, and the call made again`, async () => {
    const path = await endpoint(whoami(era))
    origins[era]!.refuseTokens()
    assert.deepEqual((await execute('ann', path)).body, { account: `ann-at-${era}` })
  })
}

test('a caller who is no person is told that the call needs one', async () => {
  const refused = await get(await endpoint(whoami('modern')))
  assert.deepEqual([refused.status, refused.json.code], [403, 'connect_required'])
  assert.equal(
    refused.json.detail,
    'The origin "modern" needs a connected account. The caller is not a person who has signed in. Call with a token that acts for a person.',
  )
  assert.equal(refused.json.connect_url, undefined)
})

test('a node that is set to the account of all callers is not published for an origin with accounts of people', async () => {
  const definition = whoami('modern')
  const shared = {
    ...definition,
    nodes: JSON.parse(JSON.stringify(definition.nodes).replace('"user"', '"shared"')),
  }
  const body = {
    collection: 'orders',
    name: 'All',
    methods: ['GET'],
    path: '/v1/all',
    workflow: shared,
    status: 'published',
  }
  const made = await server.manage('POST', '/proxies', body)
  assert.deepEqual([made.status, made.json.code], [422, 'configuration_invalid'], made.text)
  assert.match(made.json.detail, /has an account for each person; set as to user/)
})
