/** A member that is another spelling of a declared name is refused at every entrance of tools, so that nothing reads what nothing has judged. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import { ERAS, type Era, rawClient } from '../mcp/raw-client.ts'
import { type RecordingOrigin, startRecordingOrigin } from '../mcp/recording-origin.ts'
import { answer, type Flows, flow, startFlows } from './flows.ts'

type Given = Readonly<Record<string, unknown>>

let flows: Flows
let origin: RecordingOrigin
/** Of the profile with the expanded view, and of a client of the virtual MCP. */
const tokens = { expanded: '', desk: '' }

const SCHEMA = {
  type: 'object',
  properties: {
    sku: { type: 'string' },
    lines: { type: 'array', items: { type: 'object', properties: { note: { type: 'string' } } } },
  },
}

async function made(path: string, body: object) {
  const reply = await flows.server.manage('POST', path, body)
  assert.equal(reply.status, 201, reply.text)
  return reply.json
}

before(async () => {
  flows = await startFlows()
  origin = await startRecordingOrigin('modern', { tools: [{ name: 'open', inputSchema: SCHEMA }] })
  const added = await flows.addProxy('Add line', {
    methods: ['POST'],
    path: '/v1/add/{id}',
    mcp: { name: 'add' },
    parameters: [
      { name: 'id', in: 'path', required: true },
      { name: 'status', in: 'query' },
    ],
    request_schema: SCHEMA,
    request_validation: 'off',
  })
  assert.equal(added.status, 201, added.text)
  const key = { auth: { type: 'token' } }
  await made('/clients', { name: 'Agents', slug: 'agents', collections: ['orders'] })
  tokens.expanded = (
    await made('/profiles', { client: 'agents', name: 'Key', mcp_view: 'expanded', ...key })
  ).token
  await made('/origins', { name: 'orders', slug: 'orders', kind: 'collection', collection: 'orders' })
  await made('/origins', { name: 'server', slug: 'server', url: origin.url })
  await made('/virtual_mcps', { name: 'desk', members: [{ origin: 'orders' }], status: 'published' })
  await made('/clients', {
    name: 'Callers',
    slug: 'callers',
    collections: ['orders'],
    virtual_mcps: ['desk'],
  })
  tokens.desk = (await made('/profiles', { client: 'callers', name: 'Key', ...key })).token
})
after(async () => {
  await flows.stop()
  await origin[Symbol.asyncDispose]()
})

/** Spellings that some readers take for the name, and that are not the name. */
const spellingOf = (name: string): fc.Arbitrary<string> => {
  const wide = (char: string): string => String.fromCharCode(char.charCodeAt(0) + 0xfee0)
  const of = (char: string): fc.Arbitrary<string> =>
    fc.constantFrom(char, char.toUpperCase(), wide(char), `${char}\u200b`, char === 's' ? '\u017f' : char)
  return fc
    .tuple(fc.tuple(...[...name].map(of)), fc.constantFrom('', '\0', '\0x', '\u00ad'))
    .map(([chars, end]) => chars.join('') + end)
    .filter((spelt) => spelt !== name)
}

/** Arguments in which one declared name is spelt otherwise, beside the name or in its place. */
const misspelt = (whole: Given): fc.Arbitrary<Given> => {
  const places = Object.keys(whole)
  return fc.constantFrom(...places).chain((name) =>
    fc.tuple(spellingOf(name), fc.boolean()).map(([other, isBeside]) => {
      const { [name]: value, ...rest } = whole
      return { ...rest, ...(isBeside ? { [name]: value } : {}), [other]: value }
    }),
  )
}

const clientOf = (token: string, path: string, era: Era) =>
  rawClient(
    { url: `${flows.server.running.gatewayUrl}${path}`, headers: { authorization: `Bearer ${token}` } },
    era,
  )

/** Names of the tool and of its arguments, as they are listed. */
async function listed(client: Awaited<ReturnType<typeof rawClient>>) {
  const { messages } = await client.ask('tools/list', {})
  const tools = messages.at(-1)!.result!['tools'] as readonly {
    name: string
    inputSchema: { properties: Given }
  }[]
  const tool = tools.find(({ name }) => name.endsWith('add'))!
  assert.ok(tool !== undefined, JSON.stringify(tools.map(({ name }) => name)))
  return { name: tool.name, names: Object.keys(tool.inputSchema.properties) }
}

for (const [what, path, token] of [
  ['an expanded tool of /mcp', '/mcp', () => tokens.expanded],
  ['an endpoint tool of a virtual MCP', '/mcp/desk', () => tokens.desk],
] as const)
  for (const era of ERAS)
    test(`${what} takes no other spelling of a declared name: ${era}`, async () => {
      const client = await clientOf(token(), path, era)
      const { name, names } = await listed(client)
      const call = async (given: Given) =>
        (await client.ask('tools/call', { name, arguments: given })).messages.at(-1)!
      const isRefused = ({ error, result }: Awaited<ReturnType<typeof call>>): boolean =>
        error !== undefined || result?.['isError'] === true
      const line = { sku: 'a', lines: [{ note: 'n' }] }
      const isFlat = names.includes('sku')
      const flat = { id: '7', status: 'open' }
      const right: Given = isFlat ? { ...flat, ...line } : { ...flat, body: line }
      const { upstream } = flows
      const before = upstream.seen.length
      assert.ok(!isRefused(await call(right)), JSON.stringify(names))
      assert.equal(upstream.seen.length, before + 1)
      const inner = misspelt(line).map((body) => (isFlat ? { ...flat, ...body } : { ...flat, body }))
      const deep = misspelt({ note: 'n' }).map((one) => {
        const body = { ...line, lines: [one] }
        return isFlat ? { ...flat, ...body } : { ...flat, body }
      })
      await fc.assert(
        fc.asyncProperty(fc.oneof(misspelt(right), inner, deep), async (given) => {
          assert.ok(isRefused(await call(given)), JSON.stringify(given))
        }),
        { numRuns: 60 },
      )
      assert.equal(upstream.seen.length, before + 1, 'nothing else reached the upstream')
    })

test('a node that calls a tool takes no other spelling of a declared name', async () => {
  const path = await flows.endpoint(
    flow(
      [
        {
          id: 'call',
          type: 'mcp_call_node',
          config: { origin: 'server', tool: 'open' },
          inputs: { arguments: '{{ $.http.request.body }}' },
          on_error: 'handle',
        },
        answer('ok', { body: '{{ $.call }}' }),
        answer('bad', { body: '{{ $.call }}' }, { status: 422 }),
      ],
      ['http call', 'call success ok', 'call error bad'],
    ),
  )
  const right = { sku: 'a', lines: [{ note: 'n' }] }
  const first = await flows.post(path, right)
  assert.equal(first.status, 200, first.text)
  origin.forget()
  const deep = misspelt({ note: 'n' }).map((one) => ({ ...right, lines: [one] }))
  await fc.assert(
    fc.asyncProperty(fc.oneof(misspelt(right), deep), async (given) => {
      const { status, json } = await flows.post(path, given)
      assert.deepEqual([status, json.error?.kind], [422, 'arguments'], JSON.stringify(given))
    }),
    { numRuns: 60 },
  )
  assert.deepEqual(origin.of('tools/call'), [])
})

for (const era of ERAS)
  test(`a tool of Management MCP takes no other spelling of a declared name: ${era}`, async () => {
    const { server } = flows
    const headers = { authorization: `Bearer ${server.adminToken}` }
    const slugs = async () =>
      (await server.manage('GET', '/collections')).json.items.map(({ slug }: { slug: string }) => slug)
    const before = await slugs()
    const upstream = { targets: [{ url: 'http://127.0.0.1:1' }] }
    const right = { name: 'Other', slug: 'other', base_path: '/other', upstream }
    for (const [view, name, more] of [
      ['', 'manage_collections', { action: 'create' }],
      ['?view=full', 'create_collection', {}],
    ] as const) {
      const client = await rawClient(
        { url: `${server.running.controlUrl}/management/mcp${view}`, headers },
        era,
      )
      const isRefused = async (given: Given): Promise<boolean> => {
        const { error, result } = (await client.ask('tools/call', { name, arguments: given })).messages.at(
          -1,
        )!
        assert.ok(!/unknown tool/i.test(error?.message ?? ''), error?.message)
        return error !== undefined || result?.['isError'] === true
      }
      assert.equal(await isRefused({ ...more, ...right, dry_run: true }), false, name)
      const nested = misspelt(upstream).map((one) => ({ ...more, ...right, upstream: one }))
      const outer = misspelt({ ...more, ...right })
      const option = spellingOf('dry_run').map((other) => ({ ...more, ...right, [other]: true }))
      await fc.assert(
        fc.asyncProperty(fc.oneof(outer, nested, option), async (given) => {
          assert.ok(await isRefused(given), JSON.stringify(given))
        }),
        { numRuns: 30 },
      )
    }
    assert.deepEqual(await slugs(), before)
  })
