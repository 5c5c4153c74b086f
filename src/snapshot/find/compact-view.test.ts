import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { anyJson } from '../../../test/support/any-json.ts'
import type { Plain } from '../../base/json/storable.ts'
import { FoldedNames } from '../../base/text/folded-names.ts'
import { estimateTokens } from '../../base/text/token-estimate.ts'
import { CapabilityPolicy } from '../../model/mcp/capability-policy.ts'
import { fitItem } from '../../model/mcp/listed-item.ts'
import { assignNames } from '../../model/mcp/public-names.ts'
import { rulesOf } from '../compile/capability-rules.ts'
import { linkCapabilities } from './capabilities.ts'
import type { Caller } from './capability-caller.ts'
import type { Visible } from './capability-view.ts'
import { type CompactView, compactView, SEARCH_LIMIT } from './compact-view.ts'

const VERBS = ['create', 'list', 'delete', 'update', 'close'] as const
const NOUNS = ['issue', 'branch', 'invoice', 'customer', 'build'] as const

/** Tools with descriptions and schemas of a usual length. */
function manyTools(count: number): Plain[] {
  return Array.from({ length: count }, (_, at) => {
    const [verb, noun] = [VERBS[at % 5]!, NOUNS[Math.floor(at / 5) % 5]!]
    return {
      name: `${verb}_${noun}_${at}`,
      title: `${verb} ${noun}`,
      description: `Use it to ${verb} a ${noun} of workspace ${at}. The answer has the ${noun} as it is afterwards.`,
      inputSchema: {
        type: 'object',
        properties: { workspace: { type: 'string' }, [noun]: { type: 'object' }, note: { type: 'string' } },
        required: ['workspace'],
      },
    }
  })
}

const CALLER: Caller = {
  client: { id: 'cli_a', slug: 'a' },
  profile: { id: 'prf_a', slug: 'a' },
  user: null,
  claims: {},
}

function viewFor(origins: Readonly<Record<string, Plain[]>>, policy: object = {}): CompactView {
  const members = Object.entries(origins).map(([id, tools]) => ({
    id,
    prefix: id,
    rules: rulesOf(CapabilityPolicy.parse(policy)),
    catalogue: { tools, prompts: [], resources: [], resource_templates: [] },
    approved: null,
  }))
  const items = members.map(({ id, prefix, catalogue }) => ({
    id,
    prefix,
    items: catalogue.tools.map((tool) => ({ key: String(tool['name']), base: String(tool['name']) })),
  }))
  const tools = assignNames('tools', [], items, 'auto')
  const linked = linkCapabilities(members, { tools, prompts: [], resources: [], resource_templates: [] })
  return compactView(linked.visible(CALLER, 'tools'), (id) => `Origin ${id}`)
}

const toolsOf = (view: CompactView): readonly Plain[] => JSON.parse(view.json) as Plain[]

test('500 tools cost fewer than 1,500 tokens as three tools, and more than 20 times that as a whole', () => {
  const tools = manyTools(500)
  const view = viewFor({ one: tools.slice(0, 250), two: tools.slice(250) })
  assert.deepEqual(
    toolsOf(view).map(({ name }) => name),
    ['search_tools', 'describe_tool', 'call_tool'],
  )
  assert.ok(view.tokens < 1_500, String(view.tokens))
  assert.equal(view.tokens, estimateTokens(view.json))
  assert.ok(estimateTokens(JSON.stringify(tools)) > 20 * view.tokens)
  assert.match(
    String(toolsOf(view)[0]!['description']),
    /Tools here: 500, from Origin one \(250\), Origin two \(250\)\./,
  )
})

test('50 origins with long names keep to the bound', () => {
  const origins = Object.fromEntries(
    Array.from({ length: 50 }, (_, at) => [`${'long'.repeat(20)}${at}`, manyTools(2)]),
  )
  const view = viewFor(origins)
  assert.ok(view.tokens < 1_500, String(view.tokens))
  assert.match(String(toolsOf(view)[0]!['description']), /, \d+ more\./)
})

test('a search finds a tool by its name, its description and its origin, and says how it is called', () => {
  const view = viewFor({ one: manyTools(25), two: [{ name: 'weather', inputSchema: { type: 'object' } }] })
  const [first] = view.search('delete invoice', 3).tools
  assert.deepEqual(first, {
    name: 'delete_invoice_12',
    description:
      'Use it to delete a invoice of workspace 12. The answer has the invoice as it is afterwards.',
    arguments: ['workspace', 'invoice?', 'note?'],
    origin: 'Origin one',
  })
  assert.deepEqual(
    view.search('two', 5).tools.map(({ name }) => name),
    ['weather'],
  )
  assert.deepEqual(view.search('zebra', 5), { tools: [], total: 0 })
  assert.equal(view.search(' ', 5).tools.length, 5)
  assert.equal(view.search(' ', 5).total, 26)
})

test('a hit costs fewer than 250 tokens, however long the tool is', () => {
  const properties = Object.fromEntries(Array.from({ length: 100 }, (_, at) => [`field_${at}`, {}]))
  const long = { name: 'x', description: 'word '.repeat(5_000), inputSchema: { properties } }
  const [hit] = viewFor({ one: [long] }).search('x', 1).tools
  assert.ok(estimateTokens(JSON.stringify(hit)) < 250, JSON.stringify(hit))
  assert.equal(hit!.arguments.length, 17)
  assert.ok(hit!.description.length <= 201)
})

test('what a policy hides has no part in counts and finds, and what it projects is what is found', () => {
  const tools = [
    { match: { glob: 'create_*' } },
    { match: { exact: 'list_issue_1' }, projection: { description: 'Shows zebras', hidden: ['note'] } },
  ]
  const view = viewFor(
    { one: manyTools(25), two: manyTools(1).map((tool) => ({ ...tool, name: 'gone' })) },
    { tools },
  )
  assert.match(String(toolsOf(view)[0]!['description']), / 6, from Origin one \(6\)\./)
  assert.deepEqual(view.search('delete', 50), { tools: [], total: 0 })
  const [hit] = view.search('zebra', 5).tools
  assert.deepEqual(hit?.arguments, ['workspace', 'issue?'])
})

test('words are read by the first search, and never again', () => {
  let read = 0
  const items = manyTools(100).map((tool): Visible => {
    const description = String(tool['description'])
    const shown = {
      ...tool,
      get description() {
        read++
        return description
      },
    }
    const name = String(tool['name'])
    return {
      type: 'tools',
      member: 'one',
      key: name,
      name,
      shown,
      schema: undefined,
      fixed: {},
      execution: undefined,
      closed: new FoldedNames([]),
    }
  })
  const view = compactView({ items, json: '', tokens: 0 }, () => 'One')
  assert.equal(read, 0)
  view.search('zebra', 5)
  assert.equal(read, 100)
  view.search('zebra', 5)
  assert.equal(read, 100)
})

test('tools of any form make a view, and every tool that is listed is found by its name', () => {
  const text = fc.string({ unit: 'grapheme', maxLength: 300 })
  const tool = fc.record(
    {
      name: fc.stringMatching(/^[a-z]{3,12}$/),
      title: fc.oneof(text, anyJson()),
      description: fc.oneof(text, anyJson()),
      inputSchema: fc.oneof(
        fc.record({ properties: fc.dictionary(text, anyJson()), required: anyJson() }),
        anyJson(),
      ),
    },
    { requiredKeys: ['name'] },
  )
  fc.assert(
    fc.property(
      fc.uniqueArray(tool, { selector: ({ name }) => name, maxLength: 20 }),
      text,
      (tools, query) => {
        const view = viewFor({ one: tools })
        assert.equal(toolsOf(view).length, 3)
        const found = view.search(query, SEARCH_LIMIT.max)
        assert.ok(found.tools.length <= found.total)
        for (const hit of found.tools)
          for (const shown of [hit.description, ...hit.arguments]) assert.ok(shown.isWellFormed())
        for (const { name } of tools.filter((one) => fitItem('tools', one).modern.fault === null))
          assert.ok(view.search(name, SEARCH_LIMIT.max).tools.some((hit) => hit.name === name))
      },
    ),
  )
})
