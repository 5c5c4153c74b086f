/** Only what was judged reaches an origin: the members that a method has in its revision, under their exact names. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ERAS, rawClient } from './raw-client.ts'
import { type Offer, startRecordingOrigin } from './recording-origin.ts'
import { startVirtualMcp } from './virtual-mcp.ts'

const INVALID_PARAMS = -32602
const INVALID_REQUEST = -32600
const METHOD_NOT_FOUND = -32601

const OFFER: Offer = {
  tools: [
    {
      name: 'open',
      inputSchema: {
        type: 'object',
        properties: {
          path: { type: 'string' },
          options: { type: 'object', properties: { mode: { type: 'string' } } },
          labels: { type: 'object', additionalProperties: { type: 'string' } },
          steps: { type: 'array', items: { $ref: '#/$defs/step' } },
        },
        $defs: {
          step: { type: 'object', properties: { run: {}, next: { $ref: '#/$defs/step' } } },
        },
      },
    },
    { name: 'hidden', inputSchema: { type: 'object' } },
  ],
  prompts: [{ name: 'ask', arguments: [{ name: 'topic' }] }],
  resources: [{ uri: 'file:///public', name: 'public' }],
  resourceTemplates: [{ uriTemplate: 'file:///docs/{name}', name: 'docs' }],
}

/** Spellings of a name that some readers take for the name. */
const spellings = (name: string): readonly string[] =>
  [
    name[0]!.toUpperCase() + name.slice(1),
    name.toUpperCase(),
    `${name}\0`,
    `${name}\0x`,
    `${name}\u200b`,
    [...name]
      .map((char) => (/[a-z]/.test(char) ? String.fromCharCode(char.charCodeAt(0) + 0xfee0) : char))
      .join(''),
    ...(name.includes('s') ? [name.replace('s', '\u017f')] : []),
  ].filter((other) => other !== name)

for (const originEra of ERAS)
  for (const era of ERAS)
    test(`other spellings of members are refused: a ${era} client at a ${originEra} origin`, async () => {
      await using origin = await startRecordingOrigin(originEra, OFFER)
      await using desk = await startVirtualMcp({ one: origin.url })
      const client = await rawClient(desk, era)
      const call = { name: 'open', arguments: { path: 'a' } }
      const read = { uri: 'file:///public' }
      const complete = { ref: { type: 'ref/prompt', name: 'ask' }, argument: { name: 'topic', value: '' } }
      origin.forget()
      for (const [method, params] of [
        ...['name', 'arguments', '_meta', 'task', 'cursor'].flatMap((name) =>
          spellings(name).map((other) => ['tools/call', { ...call, [other]: 'hidden' }] as const),
        ),
        ...spellings('name').map((other) => ['prompts/get', { name: 'ask', [other]: 'x' }] as const),
        ...spellings('uri').map(
          (other) => ['resources/read', { ...read, [other]: 'file:///secret' }] as const,
        ),
        ...spellings('ref').map((other) => ['completion/complete', { ...complete, [other]: {} }] as const),
        ...spellings('uri').map(
          (other) =>
            ['completion/complete', { ...complete, ref: { ...complete.ref, [other]: 'x' } }] as const,
        ),
        ...spellings('progressToken').map(
          (other) => ['tools/call', { ...call, _meta: { [other]: 'x' } }] as const,
        ),
      ]) {
        const { messages } = await client.ask(method, params)
        assert.equal(messages.at(-1)?.error?.code, INVALID_REQUEST, JSON.stringify(params))
      }
      for (const given of [
        ...spellings('path').map((other) => ({ path: 'a', [other]: 'b' })),
        ...spellings('path').map((other) => ({ [other]: 'b' })),
        ...spellings('mode').map((other) => ({ options: { mode: 'a', [other]: 'b' } })),
        ...spellings('run').map((other) => ({ steps: [{ next: { next: { [other]: 1 } } }] })),
      ]) {
        const { messages } = await client.ask('tools/call', { name: 'open', arguments: given })
        assert.equal(messages.at(-1)?.error?.code, INVALID_PARAMS, JSON.stringify(given))
      }
      for (const other of spellings('topic')) {
        const { messages } = await client.ask('prompts/get', { name: 'ask', arguments: { [other]: 'x' } })
        assert.equal(messages.at(-1)?.error?.code, INVALID_PARAMS, other)
      }
      assert.deepEqual(
        origin.bodies.filter((body) => /"(tools\/call|prompts\/get|resources\/read|completion)/.test(body)),
        [],
      )
      // Maps take any key, and so does what the schema is silent about
      const labels = { Path: 'x', path: 'y', PATH: 'z' }
      const open = { path: 'a', labels, other: { Mode: 1, mode: 2 }, constructor: 'c' }
      const { messages } = await client.ask('tools/call', { name: 'open', arguments: open })
      assert.ok(messages.at(-1)?.result !== undefined, JSON.stringify(messages))
      assert.deepEqual(origin.of('tools/call')[0]?.params?.['arguments'], open)
    })

for (const originEra of ERAS)
  for (const era of ERAS)
    test(`unknown members stay behind, and _meta is whole: a ${era} client at a ${originEra} origin`, async () => {
      await using origin = await startRecordingOrigin(originEra, OFFER)
      await using desk = await startVirtualMcp({ one: origin.url })
      const client = await rawClient(desk, era)
      origin.forget()
      const more = { unknown: 'hidden', uriTemplate: 'x', tool: 'hidden', _meta: { 'acme/own': { a: [1] } } }
      const argument = { name: 'topic', value: '', more: 1 }
      const sent = {
        'tools/call': { name: 'open', arguments: { path: 'a' } },
        'prompts/get': { name: 'ask', arguments: { topic: 'x' } },
        'resources/read': { uri: 'file:///public' },
        'completion/complete': {
          ref: { type: 'ref/prompt', name: 'ask' },
          argument: { name: 'topic', value: '' },
        },
      }
      await client.ask('tools/call', { ...sent['tools/call'], ...more })
      await client.ask('prompts/get', { ...sent['prompts/get'], ...more })
      await client.ask('resources/read', { ...sent['resources/read'], ...more })
      await client.ask('completion/complete', {
        ref: { ...sent['completion/complete'].ref, more: 1 },
        argument,
        context: { more: 1 },
        ...more,
      })
      for (const [method, params] of Object.entries(sent)) {
        const [message] = origin.of(method)
        const { _meta, context, ...members } = (message?.params ?? {}) as Record<string, unknown>
        assert.deepEqual(members, params, method)
        assert.equal(context, undefined)
        assert.deepEqual((_meta as Record<string, unknown>)['acme/own'], { a: [1] })
      }
    })

for (const era of ERAS)
  test(`methods with names of Object.prototype are unknown methods, and such names are unknown names: ${era}`, async () => {
    await using origin = await startRecordingOrigin(era, OFFER)
    await using desk = await startVirtualMcp({ one: origin.url })
    const client = await rawClient(desk, era)
    origin.forget()
    for (const name of Object.getOwnPropertyNames(Object.prototype)) {
      const method = await client.ask(name, {})
      assert.equal(method.messages.at(-1)?.error?.code, METHOD_NOT_FOUND, name)
      for (const [known, params] of [
        ['tools/call', { name }],
        ['prompts/get', { name }],
        ['completion/complete', { ref: { type: 'ref/prompt', name }, argument: { name, value: name } }],
      ] as const) {
        const { messages } = await client.ask(known, params)
        assert.equal(messages.at(-1)?.error?.code, INVALID_PARAMS, `${known} ${name}`)
      }
    }
    assert.deepEqual(origin.bodies, [])
  })
