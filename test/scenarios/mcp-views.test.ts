import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { Issuer, signedBy, signingKey } from '../support/issuer.ts'
import { PEERS, type Peer } from '../support/mcp-clients.ts'
import { startTestServer, type TestServer } from './server.ts'
import { startUpstream, type TestUpstream } from './upstream.ts'

/** Enough for the search to be listed, with those of another collection. */
const MANY = 32

let server: TestServer
let upstream: TestUpstream
let token: string

before(async () => {
  server = await startTestServer({ workers: 2 })
  upstream = await startUpstream()
  for (const slug of ['shop', 'crm']) {
    const target = { targets: [{ url: upstream.url }] }
    const given = { name: slug, slug, base_path: `/${slug}`, upstream: target, status: 'published' }
    await made('/collections', given)
  }
  for (let number = 0; number < MANY; number++) await proxy('shop', `part-${number}`, `/parts/${number}`)
  await proxy('crm', 'people', '/people', { description: 'Everybody who works here.' })
  await proxy('crm', 'person', '/people/{id}', { tags: ['private'] })
  await made('/clients', { name: 'Acme', slug: 'acme', collections: ['shop', 'crm'] })
  const agent = { client: 'acme', name: 'Agent', slug: 'agent', auth: { type: 'token' } }
  token = (await made('/profiles', agent)).token
})
after(async () => {
  await server.stop()
  await upstream.close()
})

async function made(path: string, body: object) {
  const reply = await server.manage('POST', path, body)
  assert.equal(reply.status, 201, reply.text)
  return reply.json
}

const proxy = (collection: string, slug: string, path: string, more: object = {}) =>
  made('/proxies', { collection, name: slug, slug, methods: ['GET'], path, status: 'published', ...more })

async function update(path: string, body: object) {
  const reply = await server.manage('PATCH', path, body)
  assert.equal(reply.status, 200, reply.text)
}

/** A peer whose messages come to either thread. */
const connect = (name = 'SDK v2, pinned to 2026-07-28', query = '') =>
  PEERS[name]!(`${server.running.gatewayUrl}/mcp${query}`, { authorization: `Bearer ${token}` })

async function listed(): Promise<string[]> {
  const peer = await connect()
  const names = (await peer.tools()).map(({ name }) => name)
  await peer.close()
  return names
}

async function search(query: string, more: object = {}): Promise<string[]> {
  const peer = await connect()
  const answer = await peer.call('search_endpoints', { query, ...more })
  await peer.close()
  const { endpoints } = answer.structuredContent as { endpoints: { path: string }[] }
  return endpoints.map(({ path }) => path)
}

test('search_endpoints is listed above 30 endpoints, or as the profile says', async () => {
  assert.equal((await listed()).includes('search_endpoints'), true)
  await update('/profiles/acme:agent', { mcp_search: 'off' })
  assert.equal((await listed()).length, 4)
  const peer = await connect()
  await assert.rejects(peer.call('search_endpoints', { query: 'parts' }), /Unknown tool/)
  await peer.close()
  await update('/profiles/acme:agent', { mcp_search: 'auto', collections: ['crm'] })
  assert.equal((await listed()).length, 4)
  await update('/profiles/acme:agent', { mcp_search: 'on' })
  assert.equal((await listed()).length, 5)
  await update('/profiles/acme:agent', { mcp_search: 'auto', collections: null })
  assert.equal((await listed()).length, 5)
})

test('a search finds what the profile may call, and follows each change on every thread', async () => {
  assert.deepEqual(await search('who works here'), ['/crm/people'])
  assert.equal((await search('part')).length, 10)
  assert.equal((await search('part', { limit: 50 })).length, MANY)
  assert.deepEqual(await search('part', { collection: 'crm' }), [])
  assert.deepEqual(await search('private person'), ['/crm/people/{id}'])
  await update('/profiles/acme:agent', { endpoints: { deny: ['tag:private'] } })
  for (let thread = 0; thread < 6; thread++) assert.deepEqual(await search('private'), [])
  // What is told of an endpoint is not part of its route
  await update('/proxies/crm:people', { description: 'The staff.' })
  for (let thread = 0; thread < 6; thread++) {
    assert.deepEqual(await search('staff'), ['/crm/people'])
    assert.deepEqual(await search('works'), [])
  }
  await update('/profiles/acme:agent', { endpoints: { deny: [] } })
  await update('/proxies/crm:people', { description: 'Everybody who works here.' })
})

test('every client gets the same hits, and wrong arguments name the place', async () => {
  for (const name of Object.keys(PEERS)) {
    const peer = await connect(name)
    const answer = await peer.call('search_endpoints', { query: 'people', collection: 'crm' })
    const [first] = answer.structuredContent!['endpoints'] as Record<string, unknown>[]
    assert.deepEqual([first!['name'], first!['methods'], first!['path']], ['people', ['GET'], '/crm/people'])
    assert.equal(answer.structuredContent!['matched'], 2)
    const wrong = await peer.call('search_endpoints', { query: '' })
    assert.equal(wrong.structuredContent!['detail'], '/query: must be a string of 1 to 500 characters')
    const absent = await peer.call('search_endpoints', { query: 'a', collection: 'none' })
    assert.equal(absent.structuredContent!['code'], 'not_found')
    await peer.close()
  }
})

/** The names of all that the expanded view of a collection shows. */
async function expanded(peer: Peer, start: string) {
  const of = (names: readonly string[]) => names.filter((name) => name.startsWith(start)).sort()
  return of((await peer.tools()).map(({ name }) => name))
}

test('the expanded view has a tool for each endpoint and method, which answers as execute_call does', async () => {
  const more = { methods: ['PUT', 'DELETE'], parameters: [{ name: 'dry run', in: 'query' }] }
  await proxy('crm', 'change', '/people/{id}', { ...more, mcp: { name: 'person' } })
  const schema = { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] }
  await proxy('crm', 'add', '/people', { methods: ['POST'], request_schema: schema })
  await proxy('crm', 'secret', '/secret', { mcp: { as: 'hidden' } })
  await proxy('crm', 'about', '/about', { mcp: { as: 'resource' } })
  await proxy('crm', 'note', '/notes/{name}', { mcp: { as: 'resource' } })
  const topic = { name: 'topic', in: 'query', required: true }
  await proxy('crm', 'brief', '/brief', { mcp: { as: 'prompt' }, parameters: [topic] })
  for (const name of Object.keys(PEERS)) {
    const peer = await connect(name, '?view=expanded')
    const tools = (await peer.tools()) as readonly (Record<string, unknown> & { name: string })[]
    assert.deepEqual(await expanded(peer, 'crm_'), [
      'crm_add',
      'crm_delete_person',
      'crm_people',
      'crm_person',
      'crm_put_person',
    ])
    const hintsOf = (tool: string) => tools.find((one) => one.name === tool)!['annotations'] as object
    assert.deepEqual(hintsOf('crm_people'), {
      readOnlyHint: true,
      destructiveHint: false,
      idempotentHint: true,
    })
    assert.deepEqual(hintsOf('crm_put_person'), { readOnlyHint: false, idempotentHint: true })
    assert.equal((hintsOf('crm_delete_person') as { destructiveHint: boolean }).destructiveHint, true)
    assert.deepEqual(tools.find((one) => one.name === 'crm_delete_person')!['inputSchema'], {
      type: 'object',
      properties: {
        id: { type: 'string' },
        dry_run: { type: 'string', description: 'Sent as "dry run" in query.' },
      },
      required: ['id'],
      additionalProperties: false,
    })
    assert.deepEqual(await peer.prompts(), ['crm_brief'])
    assert.deepEqual(
      (await peer.resources()).map(({ uri }) => uri).filter((uri) => uri.startsWith('postern:')),
      ['postern://crm/about'],
    )
    assert.deepEqual((await peer.templates()).slice(2), ['postern://crm/notes/{name}'])
    assert.match(await peer.read('postern://crm/notes/first'), /"url":"\/notes\/first"/)
    assert.match(await peer.prompt('crm_brief', { topic: 'a b' }), /"url":"\/brief\?topic=a%20b"/)
    await assert.rejects(peer.read('postern://crm/secret'), /not found/)
    await assert.rejects(peer.call('crm_secret', {}), /Unknown tool/)

    for (const [tool, args, endpoint, params] of [
      ['crm_people', {}, 'GET /crm/people', {}],
      ['crm_person', { id: 'b ü' }, 'GET /crm/people/{id}', { path: { id: 'b ü' } }],
      [
        'crm_delete_person',
        { id: '7', dry_run: 'x&y' },
        'DELETE /crm/people/7',
        { query: { 'dry run': 'x&y' } },
      ],
      ['crm_add', { body: { name: 'Ada' } }, 'POST /crm/people', { body: { name: 'Ada' } }],
      ['crm_add', { body: { name: 7 } }, 'POST /crm/people', { body: { name: 7 } }],
    ] as const) {
      const typed = await peer.call(tool, args)
      const plain = await peer.call('execute_call', { endpoint, params })
      assert.equal(typed.isError, plain.isError, `${tool} ${typed.content[0]!.text}`)
      const [one, two] = [typed, plain].map(({ structuredContent }) => comparable(structuredContent!))
      assert.deepEqual(one, two, tool)
    }
    await peer.close()
  }
})

/** What answers of equal calls have in common: not ids, times, and what is said of the form of the arguments. */
function comparable(answer: Record<string, unknown>) {
  const {
    request_id: _id,
    duration_ms: _ms,
    errors: _errors,
    example: _example,
    hint: _hint,
    ...members
  } = answer
  const { 'x-request-id': _own, date: _date, ...headers } = members['headers'] as Record<string, string>
  const text = JSON.stringify({ ...members, headers })
  return text
    .replaceAll(/req_[0-9A-Za-z]+/g, 'req_')
    .replaceAll(/00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]/g, 'trace')
}

test('an endpoint that the profile may not call is in no view, on any thread', async () => {
  await update('/profiles/acme:agent', { endpoints: { deny: ['tag:private', 'DELETE /crm/people/{id}'] } })
  for (let thread = 0; thread < 4; thread++) {
    const peer = await connect(undefined, '?view=expanded')
    assert.deepEqual(await expanded(peer, 'crm_'), ['crm_add', 'crm_people', 'crm_put_person'])
    await assert.rejects(peer.call('crm_delete_person', { id: '7' }), /Unknown tool/)
    await peer.close()
  }
  await update('/profiles/acme:agent', { endpoints: { deny: [] } })
})

test('a tool of an endpoint is listed without dots, and a call of its name with dots is a call of it', async () => {
  await proxy('crm', 'everybody', '/everybody', { operation_id: 'people.all' })
  const peer = await connect(undefined, '?view=expanded')
  const names = await expanded(peer, 'crm_people')
  assert.deepEqual(names, ['crm_people', 'crm_people_all'])
  for (const name of ['crm_people_all', 'crm_people.all'])
    assert.equal((await peer.call(name, {})).structuredContent!['status'], 200)
  await peer.close()
  await update('/proxies/crm:everybody', { status: 'draft' })
})

test('the profile sets the view, the URL goes before it, and auto expands up to 40 tools', async () => {
  const count = async (query: string) => {
    const peer = await connect(undefined, query)
    const { length } = await peer.tools()
    await peer.close()
    return length
  }
  assert.equal(await count(''), 5)
  await update('/profiles/acme:agent', { mcp_view: 'expanded' })
  assert.equal(await count(''), MANY + 5)
  assert.equal(await count('?view=compact'), 5)
  await update('/profiles/acme:agent', { mcp_view: 'auto' })
  assert.equal(await count(''), MANY + 5)
  for (let number = 0; number < 4; number++) await proxy('crm', `more-${number}`, `/more/${number}`)
  assert.equal(await count(''), 5)
  await update('/profiles/acme:agent', { mcp_view: 'compact' })
  const peer = await connect(undefined, '?view=expanded')
  await peer.close()
  const odd = await connect('SDK v2, pinned to 2026-07-28', '?view=wide')
  await assert.rejects(odd.tools(), /unknown view/)
  await odd.close()
})

test('collections are described as OpenAPI and in pages, as far as the caller may call them', async () => {
  await update('/profiles/acme:agent', { endpoints: { deny: ['tag:private', 'DELETE /crm/people/{id}'] } })
  for (const [name, query] of Object.keys(PEERS).flatMap((peer) => [
    [peer, ''],
    [peer, '?view=expanded'],
  ])) {
    const peer = await connect(name, query)
    const uris = (await peer.resources()).map(({ uri }) => uri)
    for (const uri of ['openapi://crm', 'docs://crm/overview', 'openapi://shop', 'docs://shop/overview'])
      assert.ok(uris.includes(uri), uri)
    assert.equal(uris.includes('postern://crm/about'), query !== '')
    const templates = await peer.templates()
    assert.deepEqual(templates.slice(0, 2), ['openapi://{collection}', 'docs://{collection}/{page}'])

    const document = JSON.parse(await peer.read('openapi://crm'))
    assert.equal(document.openapi, '3.1.0')
    assert.deepEqual(document.servers, [{ url: '/crm' }])
    assert.deepEqual(Object.keys(document.paths['/people']).sort(), ['get', 'post'])
    // GET is private, and DELETE is not for the profile
    assert.deepEqual(Object.keys(document.paths['/people/{id}']), ['put'])
    // Named by all of its methods, as in the export
    assert.equal(document.paths['/people/{id}'].put.operationId, 'change-put')

    const overview = await peer.read('docs://crm/overview')
    assert.match(overview, /^# crm\n/)
    assert.match(
      overview,
      /\| \[people\]\(docs:\/\/crm\/people\) \| GET \| `\/crm\/people` \| Everybody who works here. \|/,
    )
    assert.doesNotMatch(overview, /person\b/)
    const page = await peer.read('docs://crm/change')
    assert.match(page, /## PUT \/crm\/people\/\{id\}/)
    assert.doesNotMatch(page, /DELETE/)
    assert.match(page, /\| dry run \| query \| string \| no \|/)

    const answers = await Promise.all(
      // Not for the profile; not there at all
      [
        'docs://crm/person',
        'docs://crm/nothing',
        'docs://none/overview',
        'openapi://none',
        'openapi://crm/x',
      ].map((uri) => peer.read(uri).then(String, ({ message }: Error) => message.replace(uri, 'URI'))),
    )
    assert.equal(new Set(answers).size, 1, answers.join('\n'))
    assert.match(answers[0]!, /Resource not found: URI/)
    await peer.close()
  }
  await update('/profiles/acme:agent', { endpoints: { deny: [] } })
})

test('listens on every thread hear that a list has changed, and end with the right of their client', async () => {
  const open = await Promise.all(Array.from({ length: 6 }, () => listens()))
  await eventually(() => open.every(({ text }) => text().includes('acknowledged')))
  await proxy('crm', 'news', '/news')
  await eventually(() => open.every(({ text }) => text().includes('notifications/tools/list_changed')))
  await update('/clients/acme', { active: false })
  await Promise.all(open.map(({ ended }) => ended))
  await update('/clients/acme', { active: true })
})

test('a listen ends with the token that opened it, of the profile, signed by others or judged by their provider, and with the validity of the client', async () => {
  const key = signingKey('one')
  await using provider = await new Issuer(key).listen()
  const passed = { type: 'basic', username: 'postern', password: 'secret' }
  await made('/credentials', { name: 'Asker', slug: 'asker', auth: passed })
  await made('/profiles', {
    client: 'acme',
    name: 'Of a provider',
    auth: { type: 'oidc', issuer: provider.url, audience: 'agents', introspection_credential: 'asker' },
  })
  const { token: brief } = await made('/profiles', {
    client: 'acme',
    name: 'For an hour',
    auth: { type: 'token', expires_in: '1h' },
  })
  await update('/clients/acme', { valid_until: new Date(Date.now() + 7_200_000).toISOString() })
  const now = Math.floor(Date.now() / 1000)
  const claims = { iss: provider.url, aud: 'agents', sub: 'ann', iat: now }
  provider.opaque.set('of-an-hour', { ...claims, exp: now + 3600 })
  provider.opaque.set('of-a-day', { ...claims, exp: now + 86_400 })
  const signed = [3600, 86_400].map((seconds) => signedBy(key, { ...claims, exp: now + seconds }))
  const listening = (...tokens: string[]) => Promise.all(tokens.map((one) => listens(one)))
  const short = await listening(brief, signed[0]!, 'of-an-hour')
  const long = await listening(token, signed[1]!, 'of-a-day')
  await eventually(() => [...short, ...long].every(({ text }) => text().includes('acknowledged')))
  // Beyond the tolerance of clocks, which is a minute
  server.moveClock(3_661_000)
  await Promise.all(short.map(({ ended }) => ended))
  for (const { text } of short) assert.match(text(), /"resultType":"complete"/)
  for (const { text } of long) assert.doesNotMatch(text(), /"resultType":"complete"/)
  server.moveClock(3_601_000)
  await Promise.all(long.map(({ ended }) => ended))
  for (const { text } of long) assert.match(text(), /"resultType":"complete"/)
})

/** A listen of the expanded view. */
async function listens(bearer = token) {
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': {},
  }
  const params = { notifications: { toolsListChanged: true }, _meta }
  const response = await fetch(`${server.running.gatewayUrl}/mcp?view=expanded`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${bearer}`,
      accept: 'application/json, text/event-stream',
      'content-type': 'application/json',
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'subscriptions/listen',
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'subscriptions/listen', params }),
  })
  let text = ''
  const read = async () => {
    for await (const piece of response.body!.pipeThrough(new TextDecoderStream())) text += piece
  }
  return { text: () => text, ended: read() }
}
