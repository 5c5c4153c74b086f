/** A virtual MCP in the compact view: three tools, behind which everything is as without it. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { estimateTokens } from '../../src/base/text/token-estimate.ts'
import { eventually } from '../support/eventually.ts'
import { ATTENDED_PEERS, PEERS } from '../support/mcp-clients.ts'
import { textTool } from './fixture/catalogue.ts'
import { type Fixture, startFixture } from './fixture/fixture.ts'
import { ERAS, type RawAnswer, rawClient } from './raw-client.ts'
import { startVirtualMcp, type VirtualMcp } from './virtual-mcp.ts'

const OWN = ['search_tools', 'describe_tool', 'call_tool']

/** One virtual MCP for the era of each origin. */
const desks = new Map<string, { readonly origin: Fixture; readonly desk: VirtualMcp }>()

before(async () => {
  for (const era of ERAS) {
    const origin = await startFixture({ eras: era })
    const desk = await startVirtualMcp({ fixture: origin.url })
    desk.publish({ mcp_view: 'compact' })
    desks.set(era, { origin, desk })
  }
})
after(async () => {
  for (const { origin, desk } of desks.values()) {
    await desk[Symbol.asyncDispose]()
    await origin[Symbol.asyncDispose]()
  }
})

const structured = ({ messages }: RawAnswer): Readonly<Record<string, unknown>> =>
  messages.at(-1)!.result!['structuredContent'] as Readonly<Record<string, unknown>>

for (const [name, connect] of Object.entries(PEERS))
  test(`${name} finds, describes and calls a tool, and has prompts and resources as before`, async () => {
    const { desk } = desks.get('modern')!
    const peer = await connect(desk.url, desk.headers)
    assert.deepEqual(
      (await peer.tools()).map((tool) => tool.name),
      OWN,
    )
    const found = await peer.call('search_tools', { query: 'test echo', limit: 3 })
    const [first] = found.structuredContent!['tools'] as readonly Readonly<Record<string, unknown>>[]
    assert.equal(first?.['name'], 'test_echo')
    assert.equal(first['origin'], 'fixture')
    const { structuredContent: described } = await peer.call('describe_tool', { name: 'test_echo' })
    assert.equal(described?.['name'], 'test_echo')
    assert.ok(described['inputSchema'] !== undefined && described['outputSchema'] !== undefined)
    const direct = await peer.call('test_echo', { word: 'here' })
    assert.deepEqual(await peer.call('call_tool', { name: 'test_echo', arguments: { word: 'here' } }), direct)
    assert.deepEqual(direct.structuredContent, { args: { word: 'here' } })
    assert.ok((await peer.prompts()).includes('test_simple_prompt'))
    assert.ok((await peer.resources()).some(({ uri }) => uri === 'test://static-text'))
    await peer.close()
  })

/** Wait for somebody, change the catalogue, answer otherwise each time, or want headers that are those of a direct call. */
const OF_THEIR_OWN =
  /header|slow|trigger|reconnection|touch|task|greet|compute|confirm|job|multi_input|meta|list_roots/

for (const clientEra of ERAS)
  for (const originEra of ERAS)
    test(`${clientEra} client, ${originEra} origin: call_tool answers as the tool does, whatever the tool does`, async () => {
      const { desk } = desks.get(originEra)!
      const client = await rawClient(desk, clientEra)
      const names = (
        structured(
          await client.ask('tools/call', { name: 'search_tools', arguments: { query: '', limit: 50 } }),
        )['tools'] as readonly { readonly name: string }[]
      ).map(({ name }) => name)
      const called = [...names.filter((name) => !OF_THEIR_OWN.test(name)), 'no_such_tool']
      assert.ok(called.length > 15, String(called.length))
      for (const name of called) {
        const given = { region: 'north', query: 'q', word: 'w', email: 'a@example.com' }
        const _meta = { progressToken: 'mine' }
        const direct = await client.ask('tools/call', { name, arguments: given, _meta })
        const through = await client.ask('tools/call', {
          name: 'call_tool',
          arguments: { name, arguments: given },
          _meta,
        })
        const seen = ({ status, headers, messages }: RawAnswer): unknown => [
          status,
          headers.get('content-type'),
          messages.map((message) => withoutOwn(message)),
        ]
        assert.deepEqual(seen(through), seen(direct), name)
      }
    })

/** A message without what differs from call to call, and with the pointer that direct calls have. */
function withoutOwn(message: object): unknown {
  const text = JSON.stringify({ ...message, id: null })
    .replaceAll('/params/arguments/', '/params/')
    .replace(/"requestState":"[^"]*"/g, '')
    .replace(/[0-9a-f-]{32,36}|req_\w+/g, '')
  return text
}

for (const [name, connect] of Object.entries(ATTENDED_PEERS))
  for (const originEra of ERAS)
    test(`${name} is asked by a ${originEra} origin during call_tool`, async () => {
      const { desk } = desks.get(originEra)!
      let forms = 0
      const peer = await connect(desk.url, desk.headers, () => {
        forms += 1
        return { action: 'accept', content: { username: 'ada', email: 'ada@example.com' } }
      })
      const result = await peer.call('call_tool', {
        name: 'test_elicitation',
        arguments: { message: 'Who are you?' },
      })
      assert.match(result.content[0]!.text!, /ada@example.com/)
      assert.equal(forms, 1)
      await peer.close()
    })

for (const originEra of ERAS)
  test(`a modern client that leaves cancels the tool behind call_tool at a ${originEra} origin`, async () => {
    const { desk, origin } = desks.get(originEra)!
    const client = await rawClient(desk, 'modern')
    const stop = new AbortController()
    const call = client.ask(
      'tools/call',
      { name: 'call_tool', arguments: { name: 'test_slow', arguments: { ms: 20_000 } } },
      stop.signal,
    )
    call.catch(() => {})
    await eventually(() => origin.started.includes('test_slow'))
    stop.abort()
    await eventually(() => origin.cancelled.includes('test_slow'))
  })

test('arguments that a tool wants in headers go to the origin in headers', async () => {
  const { desk, origin } = desks.get('modern')!
  origin.forgetRequests()
  const client = await rawClient(desk, 'modern')
  await client.ask('tools/call', {
    name: 'call_tool',
    arguments: { name: 'test_header_parameter', arguments: { region: 'north', priority: 3 } },
  })
  const [{ headers }] = origin.requests.filter(({ rpcMethod }) => rpcMethod === 'tools/call') as [
    (typeof origin.requests)[number],
  ]
  assert.equal(headers['mcp-param-region'], 'north')
  assert.equal(headers['mcp-param-priority'], '3')
  assert.equal(headers['mcp-name'], 'test_header_parameter')
})

test('the record of call_tool is that of the tool, and searches have records of their own', async () => {
  const { desk } = desks.get('modern')!
  const client = await rawClient(desk, 'modern')
  const recorded = async (name: string, given: object) => {
    const from = desk.served.records.length
    await client.ask('tools/call', { name, arguments: given })
    await desk.served.record(from)
    return desk.served.records
      .slice(from)
      .map(({ agent, origin, argumentBytes }) => [agent?.mcpMethod, agent?.tool, origin, argumentBytes])
  }
  const given = { word: 'here' }
  const bytes = JSON.stringify(given).length
  assert.deepEqual(await recorded('call_tool', { name: 'test_echo', arguments: given }), [
    ['tools/call', 'test_echo', 'ori_fixture', bytes],
  ])
  assert.deepEqual(await recorded('search_tools', { query: 'echo' }), [['tools/call', 'search_tools', '', 0]])
  assert.deepEqual(await recorded('call_tool', { name: 'none' }), [['tools/call', 'none', '', 0]])
})

for (const era of ERAS)
  test(`${era} client: hidden tools are neither found, described, called nor counted, and answer as unknown ones`, async () => {
    await using origin = await startFixture({ isFilled: false })
    for (const name of ['open_door', 'close_door', 'blow_up_door'])
      origin.catalogue.putTool(textTool(name, () => `${name} done`))
    await using desk = await startVirtualMcp({ house: origin.url })
    const tools = [{ match: { glob: 'blow*' }, effect: 'deny' }, { match: { glob: '*' } }]
    const members = [{ origin: 'ori_house', capability_policy: { tools } }]
    desk.publish({ mcp_view: 'compact', members })
    const client = await rawClient(desk, era)
    const { text } = await client.ask('tools/list', {})
    assert.match(text, /Tools here: 2, from house \(2\)\./)
    const ask = async (name: string, given: object): Promise<RawAnswer> =>
      client.ask('tools/call', { name, arguments: given })
    assert.equal(structured(await ask('search_tools', { query: 'door' }))['total'], 2)
    assert.equal(structured(await ask('search_tools', { query: 'blow up' }))['total'], 0)
    for (const tool of ['describe_tool', 'call_tool']) {
      const [hidden, unknown] = await Promise.all(
        ['blow_up_door', 'blow_it_up'].map(async (name) =>
          String(withoutOwn((await ask(tool, { name })).messages.at(-1)!)).replaceAll(name, 'NAME'),
        ),
      )
      assert.equal(hidden, unknown)
      assert.match(hidden!, /Unknown tool: NAME/)
    }
    const { text: direct } = await ask('blow_up_door', {})
    assert.match(direct, /Unknown tool: blow_up_door/)
    assert.equal(origin.requests.filter(({ rpcMethod }) => rpcMethod === 'tools/call').length, 0)
  })

test('wrong arguments of the three tools are named, with an example', async () => {
  const { desk } = desks.get('modern')!
  const client = await rawClient(desk, 'modern')
  const wrong: readonly (readonly [string, object, string])[] = [
    ['search_tools', {}, '/query'],
    ['search_tools', { query: 'x', limit: 0 }, '/limit'],
    ['search_tools', { query: 'x', limit: 51 }, '/limit'],
    ['describe_tool', { name: 5 }, '/name'],
    ['call_tool', { arguments: {} }, '/name'],
    ['call_tool', { name: 'test_echo', arguments: '{}' }, '/arguments'],
  ]
  for (const [name, given, pointer] of wrong) {
    const answer = await client.ask('tools/call', { name, arguments: given })
    assert.equal(answer.messages.at(-1)!.result!['isError'], true)
    const { code, errors, example } = structured(answer)
    assert.equal(code, 'parameter_invalid')
    assert.equal((errors as readonly { readonly pointer: string }[])[0]?.pointer, pointer)
    assert.ok(example !== undefined)
  }
  const { messages } = await client.ask('tools/call', { name: 'constructor', arguments: {} })
  assert.match(messages.at(-1)!.error!.message, /Unknown tool: constructor/)
})

test('500 tools of an origin are listed for fewer than 1,500 tokens, and its new tools are found', async () => {
  await using origin = await startFixture({ isFilled: false })
  for (let at = 0; at < 500; at++)
    origin.catalogue.putTool(
      textTool(`tool_${at}`, () => String(at), {
        description: `Does the thing with the number ${at}.`,
        inputSchema: {
          type: 'object',
          properties: { reason: { type: 'string', description: 'Why it is done' } },
        },
      }),
    )
  await using desk = await startVirtualMcp({ big: origin.url })
  const client = await rawClient(desk, 'modern')
  const listed = async (): Promise<number> => estimateTokens((await client.ask('tools/list', {})).text)
  assert.ok((await listed()) > 15_000)
  desk.publish({ mcp_view: 'compact' })
  assert.ok((await listed()) < 1_500)
  const { tools } = structured(
    await client.ask('tools/call', { name: 'search_tools', arguments: { query: 'number 377' } }),
  )
  assert.equal((tools as readonly { readonly name: string }[])[0]?.name, 'tool_377')
})
