/** Origins that list items, and answer with contents, that do not fit the MCP specification; seen by the official clients. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PEERS } from '../support/mcp-clients.ts'
import { startAnsweringOrigin } from './answering-origin.ts'
import { startVirtualMcp } from './virtual-mcp.ts'

const OBJECT = { type: 'object' }
const NULLS = Object.fromEntries(
  ['title', 'description', 'annotations', '_meta', 'icons', 'execution', 'outputSchema'].map((name) => [
    name,
    null,
  ]),
)
const TOOLS = [
  { name: 'whole', description: 'Fits.', inputSchema: OBJECT },
  { name: 'nulls', ...NULLS, inputSchema: { ...OBJECT, properties: null, required: null } },
  { name: 'untyped_input', inputSchema: {} },
  { name: 'no_input', inputSchema: null },
  { name: 'untyped_output', inputSchema: OBJECT, outputSchema: { properties: { a: {} } } },
  { name: 'lost_reference', inputSchema: OBJECT, outputSchema: { ...OBJECT, $ref: '#/$defs/none' } },
  { name: 'odd_property', inputSchema: { ...OBJECT, properties: { a: true, b: null } } },
  { name: 'list_output', inputSchema: OBJECT, outputSchema: { type: 'array' } },
  { name: 'text_input', inputSchema: { type: 'string' } },
  { name: 'odd_description', description: {}, inputSchema: OBJECT },
  { name: 'odd_hint', annotations: { readOnlyHint: 'yes' }, inputSchema: OBJECT },
]
const LISTED = [
  'whole',
  'nulls',
  'untyped_input',
  'no_input',
  'untyped_output',
  'lost_reference',
  'odd_property',
]
const ANSWERS = {
  'tools/list': () => ({ result: { tools: TOOLS, ttlMs: 0, cacheScope: 'private' } }),
  'prompts/list': () => ({
    result: {
      prompts: [
        { name: 'whole', arguments: [{ name: 'a', description: null, required: null }] },
        { name: 'nulls', title: null, arguments: null },
        { name: 'odd', arguments: [{}] },
      ],
    },
  }),
  'resources/list': () => ({
    result: {
      resources: [
        { uri: 'a:whole', name: 'whole', size: null, mimeType: null },
        { uri: 'a:nameless' },
        { uri: 'a:odd', name: 'odd', description: [] },
      ],
    },
  }),
  'resources/templates/list': () => ({
    result: {
      resourceTemplates: [
        { uriTemplate: 'a:{b}', annotations: { lastModified: 'today' } },
        { uriTemplate: 'b:{b}', name: 5 },
      ],
    },
  }),
  'tools/call': () => ({
    result: {
      content: [{ type: 'text', text: 'fits', annotations: null }, { type: 'text' }],
      _meta: null,
      isError: null,
    },
  }),
  'prompts/get': () => ({
    result: {
      description: null,
      messages: [{ role: 'user', content: { type: 'text', text: 'Hello', _meta: null } }],
    },
  }),
  'resources/read': () => ({
    result: { contents: [{ uri: 'a:whole', text: 'read', mimeType: null, blob: null }] },
  }),
  'completion/complete': () => ({ result: { completion: { values: ['ab', null], total: null } } }),
}

for (const era of ['modern', 'legacy'] as const)
  for (const [name, connect] of Object.entries(PEERS))
    test(`${name}, at a ${era} origin: one item or content that does not fit leaves the others usable`, async () => {
      await using origin = await startAnsweringOrigin(era, ANSWERS, {
        tools: {},
        prompts: {},
        resources: {},
        completions: {},
      })
      await using desk = await startVirtualMcp({ origin: origin.url })
      const isModern = name.includes('2026') || name.includes('probing')
      const peer = await connect(desk.url, desk.headers)
      const tools = (await peer.tools()).map((tool) => tool.name)
      assert.deepEqual(tools.sort(), [...LISTED, ...(isModern ? ['list_output'] : [])].sort())
      assert.deepEqual(await peer.prompts(), ['whole', 'nulls'])
      const resources = (await peer.resources()).map(({ uri, name: shown }) => [uri, shown])
      assert.deepEqual(resources, [
        ['a:whole', 'whole'],
        ['a:nameless', 'a:nameless'],
      ])
      assert.deepEqual(await peer.templates(), ['a:{b}'])
      const { content } = await peer.call('nulls', {})
      assert.equal(content[0]?.text, 'fits')
      assert.match(String(content[1]?.text), /left out here: it has no text at \/text/)
      assert.equal(await peer.prompt('whole', { a: 'a' }), 'Hello')
      assert.equal(await peer.read('a:whole'), 'read')
      assert.deepEqual(await peer.complete('whole', 'a', 'a'), ['ab'])
      await peer.close()
    })

test('an item that is left out is unknown to calls', async () => {
  await using origin = await startAnsweringOrigin('modern', ANSWERS)
  await using desk = await startVirtualMcp({ origin: origin.url })
  const peer = await PEERS['SDK v1']!(desk.url, desk.headers)
  for (const tool of ['text_input', 'list_output']) await assert.rejects(peer.call(tool, {}), /Unknown tool/)
  await assert.rejects(peer.read('a:odd'), /Unknown resource/)
  await peer.close()
  assert.ok(!origin.asked.includes('tools/call') && !origin.asked.includes('resources/read'))
})

test('a probe tells what is repaired and what is left out', async () => {
  await using origin = await startAnsweringOrigin('legacy', ANSWERS)
  await using desk = await startVirtualMcp({ origin: origin.url })
  const { found } = await desk.probe(origin.url)
  const warnings = found!.warnings.join('\n')
  for (const warning of [
    /tools "no_input" is repaired: \/inputSchema is missing and is added/,
    /tools "text_input" is left out: it has a schema of another type than object/,
    /tools "list_output" is left out for clients of revisions before 2026-07-28/,
    /tools "lost_reference" is repaired: \/outputSchema is left out, because clients cannot compile it/,
    /prompts "odd" is left out/,
    /resources "a:odd" is left out/,
  ])
    assert.match(warnings, warning)
})
