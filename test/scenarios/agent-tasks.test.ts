import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { startOrders } from './orders.ts'
import { askMcp, type Reply, until } from './server.ts'

const { server, upstream, ask, stop } = await startOrders()
after(stop)

type Members = Record<string, unknown>

interface Task {
  /** What is wanted, in words. */
  readonly words: string
  /** What the person said, by the names that people give it. */
  readonly facts: Members
}

interface ListedTool {
  readonly name: string
  readonly description: string
  readonly inputSchema: { readonly properties: { readonly action: { readonly enum: readonly string[] } } }
}

/** Words that mean the same to a model. */
const SYNONYMS: Readonly<Record<string, string>> = {
  add: 'create',
  make: 'create',
  disable: 'toggle',
  find: 'search',
  change: 'update',
  application: 'client',
  deletions: 'deleted',
}

function wordsOf(text: string): Set<string> {
  const words = text.toLowerCase().match(/[a-z]+/g) ?? []
  return new Set(
    words.map((word) => SYNONYMS[word] ?? word).map((word) => word.replace(/(?<=..)(?:ies|y|es|s|e)$/, '')),
  )
}

const shared = (a: Set<string>, b: Set<string>): number => [...a].filter((word) => b.has(word)).length

/** The tool and action whose texts in the list have most words in common with the task. */
function choose(tools: readonly ListedTool[], words: string): { tool: string; action: string } {
  const wanted = wordsOf(words)
  const scored = tools.flatMap(({ name, description, inputSchema }) => {
    const [about = '', ...lines] = description.split('\n')
    return inputSchema.properties.action.enum.map((action) => {
      const line = lines.find((one) => new RegExp(`^- ${action}(?:\\(|:)`).test(one)) ?? ''
      const named = wordsOf(action)
      const score =
        (4 * shared(wanted, named)) / named.size +
        3 * shared(wanted, wordsOf(name)) +
        shared(wanted, wordsOf(`${about} ${line}`))
      return { tool: name, action, score }
    })
  })
  return scored.reduce((best, one) => (one.score > best.score ? one : best))
}

/** Puts a fact where the example has a member of that name, the shallowest one first. */
function place(target: unknown, name: string, value: unknown): boolean {
  let level: unknown[] = [target]
  while (level.length > 0) {
    for (const one of level)
      if (one !== null && typeof one === 'object' && !Array.isArray(one) && Object.hasOwn(one, name)) {
        ;(one as Members)[name] = value
        return true
      }
    level = level.flatMap((one) => (one !== null && typeof one === 'object' ? Object.values(one) : []))
  }
  return false
}

/** The example with the facts in it. What the task does not speak of is left out, unless the schema requires it. */
function fill(
  schema: { properties: Members; required?: string[] },
  example: Members,
  facts: Members,
): Members {
  const values: Members = structuredClone({ ...example, ...(example['arguments'] as Members | undefined) })
  delete values['arguments']
  delete values['action']
  const own = example['arguments'] as Members | undefined
  if (own !== undefined && Object.hasOwn(own, 'action')) values['action'] = own['action']
  const told = new Set<string>(schema.required ?? [])
  for (const [name, value] of Object.entries(facts)) {
    if (Object.hasOwn(schema.properties, name)) {
      values[name] = value
      told.add(name)
      continue
    }
    const top = Object.keys(values).find((key) => place(values[key], name, value))
    assert.ok(top !== undefined, `the example has no ${name}`)
    told.add(top)
  }
  return Object.fromEntries(Object.entries(values).filter(([name]) => told.has(name)))
}

/** A client that has the list, and asks `describe` before it calls. */
async function perform({ words, facts }: Task): Promise<Reply['json']> {
  const callTool = async (name: string, args: Members): Promise<Reply['json']> => {
    const reply = await askMcp(server, '/management/mcp', server.adminToken, 'tools/call', {
      name,
      arguments: args,
    })
    const { structuredContent, isError } = reply.json.result
    assert.equal(isError, false, `${words}: ${JSON.stringify([args, structuredContent]).slice(0, 1500)}`)
    return structuredContent
  }
  const list = await askMcp(server, '/management/mcp', server.adminToken, 'tools/list', {})
  const { tool, action } = choose(list.json.result.tools, words)
  const { schema, example } = await callTool(tool, { action: 'describe', id: action })
  const { id, ...others } = fill(schema, example, facts)
  return callTool(tool, { action, ...(id === undefined ? {} : { id }), arguments: others })
}

describe('a client that knows only the list of tools does a task with the list, describe and one call', () => {
  test('create a collection with an upstream', async () => {
    await perform({
      words: 'create a collection of published APIs',
      facts: { name: 'Shop', slug: 'shop', base_path: '/shop', url: upstream.url },
    })
    const { json } = await server.manage('GET', '/collections/shop')
    assert.deepEqual([json.status, json.upstream.targets[0].url], ['draft', upstream.url])
  })

  test('publish it', async () => {
    await perform({ words: 'publish the collection', facts: { id: 'shop' } })
    assert.equal((await server.manage('GET', '/collections/shop')).json.status, 'published')
  })

  test('make a client with a policy', async () => {
    await perform({
      words: 'make a client',
      facts: { name: 'Partner', slug: 'partner', policy: 'gold', collections: ['orders'] },
    })
    const { json } = await server.manage('GET', '/clients/partner?expand=policy')
    assert.deepEqual([json.expanded.policy.slug, json.collections.length], ['gold', 1])
  })

  test('rotate a token', async () => {
    const { token } = await perform({ words: 'rotate the token of a profile', facts: { id: 'acme:sandbox' } })
    assert.equal(
      (await ask('GET', '/v1/orders/7', undefined, { authorization: `Bearer ${token}` })).status,
      200,
    )
  })

  test('find the deletions of the last day in the audit', async () => {
    await server.manage('POST', '/policies', { name: 'Short', slug: 'short', limits: [] })
    await server.manage('DELETE', '/policies/short', { confirm: 'short' })
    const from = new Date(Date.now() - 86_400_000).toISOString()
    const to = new Date(Date.now() + 60_000).toISOString()
    const { items } = await perform({
      words: 'search the audit log: who deleted what, newest first',
      facts: { action: 'DELETE', from, to },
    })
    assert.deepEqual(
      items.map((item: Reply['json']) => item.resource.slug),
      ['short'],
    )
  })

  test('import an OpenAPI document', async () => {
    const document = {
      openapi: '3.1.0',
      info: { title: 'Billing', version: '1' },
      paths: {
        '/invoices': { get: { operationId: 'listInvoices', responses: { 200: { description: 'OK' } } } },
      },
    }
    await perform({
      words: 'import an OpenAPI description into a collection',
      facts: { document, base_path: '/billing', upstream: upstream.url },
    })
    const { json } = await server.manage('GET', '/proxies?collection=billing')
    assert.equal(json.items[0].operation_id, 'listInvoices')
  })

  test('add a rate limit', async () => {
    await perform({
      words: 'create a policy with a rate limit',
      facts: { name: 'Slow', slug: 'slow', kind: 'rate', max: 5, window: '1s' },
    })
    const [limit] = (await server.manage('GET', '/policies/slow')).json.limits
    assert.deepEqual([limit.kind, limit.max, limit.window], ['rate', 5, '1s'])
  })

  test('roll back a revision', async () => {
    const before = (await server.manage('GET', '/revisions?limit=1')).json.items[0].revision
    await server.manage('PATCH', '/policies/slow', { description: 'Changed by mistake' })
    await perform({
      words: 'rollback the configuration to the state of an older revision',
      facts: { id: String(before), confirm: String(before) },
    })
    assert.notEqual((await server.manage('GET', '/policies/slow')).json.description, 'Changed by mistake')
  })

  test('disable a profile', async () => {
    await perform({ words: 'disable a profile', facts: { id: 'acme:sandbox', active: false } })
    assert.equal((await server.manage('GET', '/profiles/acme:sandbox')).json.active, false)
  })

  test('explain why a request is refused', async () => {
    const refused = await ask('GET', '/v1/orders/7')
    assert.equal(refused.json.code, 'profile_inactive')
    await until(
      () => server.manage('GET', `/records/${refused.json.request_id}`),
      ({ status }) => status === 200,
    )
    const { checks } = await perform({
      words: 'explain why a request is refused',
      facts: { request_id: refused.json.request_id },
    })
    assert.ok(checks.some((check: Reply['json']) => check.code === 'profile_inactive'))
  })
})
