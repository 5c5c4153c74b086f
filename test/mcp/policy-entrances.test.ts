/** A policy holds whatever the method: what a call, a get or a read refuses is refused as a completion and a subscription, too. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { GuardrailSpec } from '../../src/model/api/guardrail.ts'
import { compileGuardrail } from '../../src/snapshot/compile/kinds.ts'
import { eventually } from '../support/eventually.ts'
import { startFixture } from './fixture/fixture.ts'
import { openListen, openSession, openStream } from './open-stream.ts'
import { ERAS, type Era, rawClient } from './raw-client.ts'
import { startRecordingOrigin } from './recording-origin.ts'
import { startVirtualMcp, type VirtualMcp } from './virtual-mcp.ts'

const OFFER = {
  prompts: [{ name: 'ask', arguments: [{ name: 'team' }, { name: 'topic' }] }],
  resourceTemplates: [
    { uriTemplate: 'file:///{+path}', name: 'files' },
    { uriTemplate: 'cell:///{table}/{row}', name: 'cells' },
  ],
}
const POLICY = {
  prompts: [
    {
      match: { exact: 'ask' },
      when: 'arguments.topic.startsWith("open")',
      projection: { fixed: { team: 'own' } },
    },
  ],
  resource_templates: [
    { match: { exact: 'file:///{+path}' }, when: 'arguments.uri.startsWith("file:///public/")' },
    { match: { exact: 'cell:///{table}/{row}' }, when: 'arguments.uri.startsWith("cell:///public/")' },
  ],
}
/** Blocks what has the word, on its way to the origin. */
function wordRule(members: Partial<GuardrailSpec> = {}) {
  const detector = { type: 'regex', patterns: [{ name: 'word', pattern: 'forbidden' }] }
  const scope = { virtual_mcps: ['vmc_desk'] }
  const spec = { name: 'Word', detector, action: 'block', legs: ['request'], scope, ...members }
  return compileGuardrail({ id: 'grl_word', slug: 'word', spec: GuardrailSpec.parse(spec) })
}

const MODERN_META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
  'io.modelcontextprotocol/clientCapabilities': {},
}

/** The resources that a listen of 2026-07-28 honours of those that it asks for. */
async function honouredOf(desk: VirtualMcp, uris: readonly string[], meta: object): Promise<unknown> {
  const method = 'subscriptions/listen'
  const params = { notifications: { resourceSubscriptions: uris }, _meta: { ...meta, ...MODERN_META } }
  const fields = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': method }
  await using stream = await openStream(desk, 'POST', fields, { jsonrpc: '2.0', id: 1, method, params })
  await eventually(() => stream.messages.length > 0)
  const { notifications } = stream.messages[0]!['params'] as { notifications: Record<string, unknown> }
  return notifications['resourceSubscriptions'] ?? []
}

const MEMBERS = { members: [{ origin: 'ori_one', capability_policy: POLICY }] }

test('no spelling of a URI passes the condition of a template, for a read or a subscription', async () => {
  await using origin = await startRecordingOrigin('legacy', OFFER)
  await using desk = await startVirtualMcp({ one: origin.url })
  desk.publish(MEMBERS)
  const client = await rawClient(desk, 'legacy')
  origin.forget()
  for (const uri of [
    'file:///secret/a',
    'file:///public/../secret/a',
    'file:///public/%2e%2e/secret/a',
    'file:///public/..%2fsecret/a',
    'file:///public/.\t./secret/a',
    'file:///public/.%09./secret/a',
    'file:///public/%252e%252e/secret/a',
    'file:///public/..\\secret/a',
    'file:///public/..;/secret/a',
    'file:///public/\uff0e\uff0e/secret/a',
    'file:///public/.\u200b./secret/a',
  ])
    for (const method of ['resources/read', 'resources/subscribe']) {
      const { messages } = await client.ask(method, { uri })
      assert.notEqual(messages.at(-1)?.error, undefined, `${method} ${JSON.stringify(uri)}`)
    }
  assert.deepEqual(origin.of('resources/read'), [])
  const { messages } = await client.ask('resources/read', { uri: 'file:///public/a.txt' })
  assert.equal(messages.at(-1)?.error, undefined)
})

for (const era of ERAS)
  test(`no method admits a value that another refuses: ${era}`, async () => {
    await using origin = await startRecordingOrigin(era, OFFER)
    await using desk = await startVirtualMcp({ one: origin.url })
    desk.publish(MEMBERS)
    const client = await rawClient(desk, era)
    const isRefused = async (method: string, params: object): Promise<boolean> => {
      const { messages } = await client.ask(method, params as Readonly<Record<string, unknown>>)
      return messages.at(-1)?.error !== undefined
    }
    const part = fc.constantFrom(
      'public',
      'secret',
      '..',
      '.',
      '%2e%2e',
      'a',
      '..%2f',
      'open',
      '\t',
      '..;',
      'x y',
    )
    const text = fc.array(part, { maxLength: 4 }).map((parts) => parts.join('/'))
    await fc.assert(
      fc.asyncProperty(text, text, text, async (first, second, third) => {
        origin.forget()
        const file = {
          ref: { type: 'ref/resource', uri: 'file:///{+path}' },
          argument: { name: 'path', value: first },
        }
        // The URI that the template makes of the value (RFC 6570 section 3.2.3)
        const uri = `file:///${first.replaceAll(' ', '%20')}`
        if (await isRefused('resources/read', { uri }))
          assert.ok(await isRefused('completion/complete', file), JSON.stringify(first))
        const topic = { topic: second }
        const ref = { type: 'ref/prompt', name: 'ask' }
        if (await isRefused('prompts/get', { name: 'ask', arguments: topic })) {
          assert.ok(
            await isRefused('completion/complete', { ref, argument: { name: 'topic', value: second } }),
          )
          const context = { arguments: topic }
          assert.ok(
            await isRefused('completion/complete', { ref, argument: { name: 'other', value: '' }, context }),
          )
        }
        const given = { team: third, topic: 'open' }
        assert.ok(await isRefused('prompts/get', { name: 'ask', arguments: given }))
        const argument = { name: 'topic', value: 'open' }
        assert.ok(await isRefused('completion/complete', { ref, argument, context: { arguments: given } }))
        const told = { arguments: given }
        const closed = {
          ref,
          argument: { name: 'team', value: third },
          context: { arguments: { topic: 'open' } },
        }
        assert.ok(await isRefused('completion/complete', closed))
        for (const { params = {} } of origin.of('completion/complete')) {
          const { ref: asked, context } = params as { ref: { type: string }; context?: typeof told }
          if (asked.type === 'ref/prompt') assert.equal(context?.arguments.team, 'own')
        }
      }),
      { numRuns: 60 },
    )
    const half = {
      ref: { type: 'ref/resource', uri: 'cell:///{table}/{row}' },
      argument: { name: 'row', value: '1' },
    }
    assert.ok(await isRefused('completion/complete', half))
    assert.ok(
      await isRefused('completion/complete', { ...half, context: { arguments: { table: 'secret' } } }),
    )
    assert.equal(
      await isRefused('completion/complete', { ...half, context: { arguments: { table: 'public' } } }),
      false,
    )
  })

/** How each method of an era that asks to hear of a resource judges it: true where it is refused. */
async function subscribing(
  desk: VirtualMcp,
  era: Era,
  uri: string,
  meta: object,
): Promise<Record<string, boolean>> {
  if (era === 'modern') {
    const honoured = await honouredOf(desk, [uri], meta)
    return { 'subscriptions/listen': !(honoured as string[]).includes(uri) }
  }
  const client = await rawClient(desk, era)
  const judged: Record<string, boolean> = {}
  for (const method of ['resources/subscribe', 'resources/unsubscribe']) {
    const { messages } = await client.ask(method, { uri, _meta: meta })
    judged[method] = messages.at(-1)?.error !== undefined
  }
  await client.leave()
  return judged
}

for (const era of ERAS)
  test(`what a guardrail refuses to read can be neither subscribed to nor unsubscribed from: ${era}`, async () => {
    await using origin = await startRecordingOrigin(era, OFFER)
    await using desk = await startVirtualMcp({ one: origin.url })
    desk.served.apply([wordRule()])
    const client = await rawClient(desk, era)
    const word = fc.constantFrom('for', 'bidden', 'forbidden', 'a', '/', '%66orbidden', 'Forbidden')
    const text = fc.array(word, { minLength: 1, maxLength: 3 }).map((parts) => parts.join(''))
    await fc.assert(
      fc.asyncProperty(text, text, async (path, note) => {
        const [uri, meta] = [`file:///${path}`, { note }]
        origin.forget()
        const { messages } = await client.ask('resources/read', { uri, _meta: meta })
        const isRefused = messages.at(-1)?.error !== undefined
        // A pattern reads what an escape stands for, as an origin may
        assert.equal(isRefused, `${uri} ${note}`.replaceAll('%66', 'f').includes('forbidden'))
        for (const [method, refused] of Object.entries(await subscribing(desk, era, uri, meta)))
          assert.equal(refused, isRefused, `${method} ${uri} ${note}`)
        assert.ok(!origin.bodies.join().includes('forbidden'))
      }),
      { numRuns: 40 },
    )
  })

for (const era of ERAS)
  test(`a guardrail that cannot be used lets no subscription through, and one that observes lets it: ${era}`, async () => {
    await using origin = await startRecordingOrigin(era, OFFER)
    await using desk = await startVirtualMcp({ one: origin.url })
    const uri = 'file:///forbidden'
    desk.served.apply([wordRule({ mode: 'observe' })])
    for (const [method, refused] of Object.entries(await subscribing(desk, era, uri, {})))
      assert.equal(refused, false, method)
    // No pattern of it can be read
    const broken = wordRule()
    desk.served.apply([
      { ...broken, detector: { detector: 'regex', patterns: [{ kind: 'word', pattern: '(' }] } },
    ])
    // Nothing is known of the resource, and an end of a subscription to it goes nowhere
    for (const [method, refused] of Object.entries(await subscribing(desk, era, 'file:///a', {})))
      assert.equal(refused, method !== 'resources/unsubscribe', method)
  })

test('a refused subscription says which guardrail refuses it', async () => {
  await using origin = await startRecordingOrigin('legacy', OFFER)
  await using desk = await startVirtualMcp({ one: origin.url })
  desk.served.apply([wordRule()])
  const client = await rawClient(desk, 'legacy')
  for (const method of ['resources/subscribe', 'resources/unsubscribe']) {
    const { messages } = await client.ask(method, { uri: 'file:///forbidden' })
    const data = messages.at(-1)?.error?.data as Record<string, unknown>
    assert.deepEqual([data['code'], data['guardrail']], ['guardrail_blocked', 'word'], method)
  }
})

test('a guardrail that comes later ends what was subscribed to before', async () => {
  const fixture = await startFixture({ eras: 'legacy' })
  await using _ = fixture
  await using desk = await startVirtualMcp({ one: fixture.url })
  const uri = 'test://watched-resource'
  await using listen = await openListen(desk, { resourceSubscriptions: [uri] })
  const session = await openSession(desk)
  await using stream = await openStream(desk, 'GET', session)
  await using asked = await openStream(desk, 'POST', session, {
    jsonrpc: '2.0',
    id: 2,
    method: 'resources/subscribe',
    params: { uri },
  })
  await eventually(() => asked.isEnded() && fixture.subscriptions > 0)
  desk.served.apply([
    wordRule({ detector: { type: 'regex', patterns: [{ name: 'w', pattern: 'watched' }] } }),
  ])
  await eventually(() => fixture.subscriptions === 0)
  assert.deepEqual([listen.isEnded(), stream.isEnded()], [false, false])
})
