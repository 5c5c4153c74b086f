/**
 * A running Postern with data as a company has it: collections, proxies, callers, people, MCP servers, what waits for approval,
 * and two weeks of request records. For the screens of the console, its tests and its measurements.
 */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { KINDS_IN_ORDER } from '../../../src/operations/kinds.ts'
import { textTool } from '../../mcp/fixture/catalogue.ts'
import { type Fixture, startFixture } from '../../mcp/fixture/fixture.ts'
import { startTestServer, type TestServer, until } from '../../scenarios/server.ts'
import { startUpstream } from '../../scenarios/upstream.ts'
import { ConsoleBrowser } from '../console-browser.ts'
import { startSdkServer } from '../mcp-server.ts'
import { addUser } from '../sign-in.ts'
import { type ConfigDocument, type SamplePlaces, sampleDocuments, sampleProxies } from './documents.ts'
import { sampleRecords, type Traffic, writeRecords } from './records.ts'
import { AGENTS, slugOf } from './words.ts'

export interface SampleOptions {
  /** Proxies of each of the 50 collections. */
  readonly proxiesEach?: number
  readonly records?: number
  readonly workers?: number
}

export interface Sample extends AsyncDisposable {
  readonly server: TestServer
  /** Signs in at the console with the password of all test users: an administrator. */
  readonly administrator: 'ann'
  /** May only read. */
  readonly viewer: 'viv'
}

/** Origins that answer: their tools are approved when they become members of virtual MCPs. */
const PROBED = ['tickets', 'analytics']
const OWNER = 'retail-configuration'
/** Calls of a proxy with a workflow. */
const LIVE_CALLS = 18

/** Takes about ten seconds with 2,000 proxies and 100,000 records. */
export async function startSample({
  proxiesEach = 40,
  records = 100_000,
  workers = 2,
}: SampleOptions = {}): Promise<Sample> {
  const stack = new AsyncDisposableStack()
  try {
    const data = await mkdtemp(join(tmpdir(), 'postern-sample-'))
    stack.defer(() => rm(data, { recursive: true, force: true }))
    const upstream = stack.use(await startUpstream())
    const [tickets, analytics] = [stack.use(await startTickets()), stack.use(await startSdkServer())]
    const places = { upstream: upstream.url, mcp: [tickets.url, analytics.url], proxiesEach }
    const first = await startTestServer({ data, workers: 1 })
    const traffic = await (async () => {
      await using server = first
      await configure(server, places)
      // Awaited: the server stops once this block is left
      return await trafficOf(server)
    })()
    const now = Date.now()
    await writeRecords(data, sampleRecords(traffic, records, now))
    const server = stack.use(await startTestServer({ data, workers }))
    await live(server, tickets)
    const held = stack.move()
    return {
      server,
      administrator: 'ann',
      viewer: 'viv',
      [Symbol.asyncDispose]: () => held.disposeAsync(),
    }
  } catch (error) {
    await stack.disposeAsync()
    throw error
  }
}

/** Tools of the support desk, as they were approved. */
const TICKET_TOOLS = [
  ['search_tickets', 'Finds tickets by words, customer or state.'],
  ['get_ticket', 'Shows a ticket with its messages.'],
  ['reply_to_ticket', 'Answers the customer of a ticket.'],
  ['find_order', 'Finds the order that a ticket is about.'],
] as const
/** A tool whose description has changed since, and one that is new. */
const DRIFTED = [
  ['get_ticket', 'Shows a ticket with its messages and internal notes.'],
  ['merge_tickets', 'Makes one ticket of two.'],
] as const

async function startTickets(): Promise<Fixture> {
  const tickets = await startFixture({ eras: 'modern', isFilled: false })
  for (const [name, description] of TICKET_TOOLS)
    tickets.catalogue.putTool(textTool(name, () => 'done', { description }))
  return tickets
}

async function answered(
  server: TestServer,
  method: string,
  path: string,
  body?: unknown,
): Promise<Record<string, unknown>> {
  const { status, text, json } = await server.manage(method, path, body)
  assert.ok(status < 300, `${method} ${path} answered ${status}: ${text.slice(0, 500)}`)
  return json
}

async function configure(server: TestServer, places: SamplePlaces): Promise<void> {
  const documents = sampleDocuments(places, Date.now())
  for (const { noun, type } of KINDS_IN_ORDER)
    for (const { slug, spec } of documents.filter(({ kind }: ConfigDocument) => kind === noun))
      await answered(server, 'POST', `/${type}`, {
        slug,
        ...spec,
        // The wiki cannot be reached
        ...(type === 'origins' && { probe: PROBED.includes(slug) }),
      })
  // People manage the proxies of one collection; documents manage all others
  const proxies = Map.groupBy(sampleProxies(places), ({ spec }) => spec['collection'] === 'orders')
  for (const { slug, spec } of proxies.get(true) ?? [])
    await answered(server, 'POST', '/proxies', { slug, ...spec })
  await answered(server, 'POST', '/config/apply', { documents: proxies.get(false), managed_by: OWNER })
  for (const [slug, role] of [
    ['ann', 'admin'],
    ['ben', 'modifier'],
    ['viv', 'viewer'],
  ] as const) {
    await addUser(server, server.running.origin, slug)
    await answered(server, 'POST', '/grants', { name: slug, slug: `${slug}-${role}`, user: slug, role })
  }
}

/** All items of a list, page by page. */
async function all(server: TestServer, path: string): Promise<Record<string, unknown>[]> {
  const items: Record<string, unknown>[] = []
  let cursor: unknown = null
  do {
    const query = `${path.includes('?') ? '&' : '?'}limit=200${cursor === null ? '' : `&cursor=${encodeURIComponent(String(cursor))}`}`
    const page = await answered(server, 'GET', `${path}${query}`)
    items.push(...(page['items'] as Record<string, unknown>[]))
    cursor = page['next_cursor'] ?? null
  } while (cursor !== null)
  return items
}

async function trafficOf(server: TestServer): Promise<Traffic> {
  const collections = new Map((await all(server, '/collections')).map((one) => [String(one['slug']), one]))
  const clients = new Map((await all(server, '/clients')).map((one) => [String(one['slug']), one]))
  const proxies = (await all(server, '/proxies'))
    .filter(({ status }) => status === 'published')
    .map(({ id, collection, methods, path }) => {
      const of = collections.get(String(collection))!
      const { targets } = of['upstream'] as { readonly targets: readonly { readonly url: string }[] }
      return {
        id: String(id),
        collection: String(of['id']),
        method: (methods as string[])[0]!,
        route: `${of['base_path']}${path}`,
        target: targets[0]!.url,
      }
    })
  const profiles = (await all(server, '/profiles')).map(({ id, client }) => {
    const of = clients.get(String(client))!
    return {
      client: String(of['id']),
      profile: String(id),
      isAgent: of['kind'] === 'ai',
      limit: `${of['policy']}/minute`,
    }
  })
  const origins = new Map(
    (await all(server, '/origins')).map((one) => [String(one['slug']), String(one['id'])]),
  )
  const virtualMcps = (await all(server, '/virtual_mcps')).map(({ id, slug, members }) => ({
    id: String(id),
    slug: String(slug),
    origin: origins.get((members as { readonly origin: string }[])[0]!.origin) ?? '',
  }))
  const guardrails = (await all(server, '/guardrails')).map(({ id, detector, legs, action }) => ({
    rule: String(id),
    detector: (detector as { readonly type: string }).type,
    leg: (legs as string[])[0]!,
    action: String(action),
  }))
  return { proxies: proxies.toReversed(), callers: profiles, virtualMcps, guardrails }
}

/** What only a running gateway has: catalogues, drift, calls through workflows, people's changes, and changes that wait. */
async function live(server: TestServer, { catalogue }: Fixture): Promise<void> {
  const { manage, running } = server
  // After what is approved was stored
  for (const [name, description] of DRIFTED) catalogue.putTool(textTool(name, () => 'done', { description }))
  for (const origin of ['tickets', 'analytics']) {
    const refreshed = await manage('POST', `/origins/${origin}/refresh_catalog`, {})
    assert.ok(refreshed.status < 500, refreshed.text)
  }
  const rotated = await answered(server, 'POST', `/profiles/${slugOf(AGENTS[2])}:production/rotate`, {})
  const token = String(rotated['token'])
  for (let call = 0; call < LIVE_CALLS; call++)
    await server.gateway('POST', '/orders/v1', {
      token,
      body: call % 6 === 5 ? { order: call } : { order: call, sku: `TEA-${call}` },
    })
  await answered(server, 'PATCH', '/settings/current', {
    approvals: [
      {
        name: 'Payments needs two',
        permissions: ['proxies:update', '*:delete'],
        scope: { collections: ['payments'] },
      },
    ],
  })
  const [ann, ben, viv] = await Promise.all(
    ['ann', 'ben', 'viv'].map(async (name) => {
      const browser = new ConsoleBrowser()
      await browser.signIn(running.controlUrl, name)
      return (method: string, path: string, body: object) =>
        browser.api(running.controlUrl, method, `/management/v1${path}`, body)
    }),
  )
  const waits = async (path: string, description: string, reason: string): Promise<void> => {
    const { status, text } = await ben!('PATCH', path, { description, reason })
    assert.equal(status, 202, text)
  }
  await waits(
    '/proxies/payments:list-v1',
    'Payments of one customer, newest first.',
    'Asked for by the mobile team',
  )
  await waits(
    '/proxies/payments:create-v1',
    'Authorizes a payment. The capture is a call of its own.',
    'Docs of the partners',
  )
  for (const slug of ['gold', 'silver', 'bronze'])
    await ann!('PATCH', `/policies/${slug}`, {
      description: `Limits of the plan ${slug}.`,
      reason: 'Review of the plans',
    })
  await viv!('PATCH', '/policies/gold', { description: 'A viewer may not do this.' })
  for (const slug of ['delta-freight', 'fjord-outdoor']) {
    const { status, text } = await ann!('POST', '/access_requests', {
      client: slug,
      collections: ['invoices'],
      message: 'We want to match your invoices with our deliveries.',
    })
    assert.ok(status < 500, text)
  }
  await answered(server, 'POST', '/bindings/claude:claude-support/issue_token', {})
  await answered(server, 'POST', '/service_identities/deployment-pipeline/issue_secret', {})
  for (const [path, body] of [
    ['/personal_tokens', { name: 'Nightly report', days: 30 }],
    ['/exports', { of: 'records', format: 'csv', status: '5xx', from: '-7d' }],
  ] as const) {
    const { status, text } = await ann!('POST', path, body)
    assert.ok(status < 300, `${path} answered ${status}: ${text}`)
  }
  await until(
    () => manage('GET', '/records?limit=1&path_contains=/orders/v1'),
    ({ json }) => json.items.length > 0,
  )
}
