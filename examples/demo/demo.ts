/**
 * `postern demo`: a gateway with a sample upstream on a temporary data directory, and a tour that really performs the main job. Then it
 * stays up.
 */
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { styleText } from 'node:util'
import { entryUrl, PROGRAM } from '../../src/base/program.ts'
import { stopSignal } from '../../src/base/threads/process.ts'
import type { Running } from '../../src/serve.ts'
import { readSettings, type Settings } from '../../src/settings.ts'
import { createOrdersService, type OrdersService } from '../orders/service.ts'
import { clientConfigurations } from './clients.ts'
import { createTour, type Tour } from './tour.ts'

const write = (line: string): void => console.log(line)

/** What a demo is made of. */
interface Demo {
  readonly settings: Settings
  readonly server: Running
  readonly orders: OrdersService
}

/**
 * `postern demo`: resolves when the demo has ended, after the tour or by a stop signal.
 * @param flags `--exit` ends after the tour; others are settings of `postern up`
 * @returns the exit code: 0 when every step came out as expected, else 1
 * @throws CannotStart for settings that are wrong
 */
export async function runDemo(flags: readonly string[]): Promise<number> {
  const exitAfterTour = flags.includes('--exit')
  const data = await mkdtemp(join(tmpdir(), 'postern-demo-'))
  await using closing = new AsyncDisposableStack()
  closing.defer(() => rm(data, { recursive: true, force: true }))
  // Free ports unless they are set. The data directory of the environment is somebody's own, so only the flag names another
  const ports = { POSTERN_LISTEN: '127.0.0.1:0', POSTERN_CONTROL_LISTEN: '127.0.0.1:0' }
  const own = flags.filter((flag) => flag !== '--exit')
  const settings = readSettings(own, { ...ports, ...process.env, POSTERN_DATA: data })
  const signal = stopSignal()
  const orders = await createOrdersService({ host: '127.0.0.1', port: 0 })
  closing.defer(() => orders.close())
  // As `postern up`: from the bundle, if it is up to date
  const { startServer } = (await import(entryUrl('serve').href)) as typeof import('../../src/serve.ts')
  const server = await startServer(settings, { log: () => {} })
  closing.defer(() => server.stop())
  const tour = createTour(write)
  const shown = show(tour, { settings, server, orders }, exitAfterTour)
  const isStopped = await Promise.race([signal.then(() => true), shown.then(() => false)])
  if (isStopped) return 0
  if (tour.failures.length > 0) return 1
  if (!exitAfterTour) await signal
  return 0
}

async function show(tour: Tour, demo: Demo, exitAfterTour: boolean): Promise<void> {
  const { server, orders } = demo
  write(styleText('bold', 'Postern demo: one governed call, end to end'))
  write(`    gateway ${server.gatewayUrl}   control ${server.controlUrl}   sample upstream ${orders.url}`)
  try {
    const token = await walk(tour, demo)
    if (!exitAfterTour) await printWhatNext(token, demo)
  } catch (error) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
    tour.expect(`the tour went through (${text})`, false)
  }
  write('')
  if (tour.failures.length > 0) {
    write(styleText('red', `${tour.failures.length} step(s) not as expected:`))
    for (const failure of tour.failures) write(`    ${failure}`)
  } else write(styleText('green', 'Every step came out as expected.'))
}

async function walk(tour: Tour, { server, orders }: Demo): Promise<string> {
  const { step, say, call, expect } = tour
  const management = `${server.controlUrl}/management/v1`
  const gateway = server.gatewayUrl

  step('An administrator token, from the running process over its private socket')
  const admin = (await server.issueToken({ role: 'admin', ttl: '15m', name: 'demo' })).token
  say(`postern token --role admin --ttl 15m   ->   ${admin.slice(0, 20)}…`)

  step('Import the OpenAPI description of the upstream as a collection')
  const document = readFileSync(join(PROGRAM, 'examples/orders/openapi.yaml'), 'utf8')
  const imported = await call('POST', `${management}/collections/import`, {
    token: admin,
    body: { document, name: 'Orders', slug: 'orders', base_path: '/orders', upstream: orders.url },
    bodyShown: `{ document: openapi.yaml (${document.length} characters), base_path: "/orders", upstream: "${orders.url}" }`,
  })
  expect(
    'the import created a collection with its proxies; it is a draft',
    imported.status === 201 || imported.status === 200,
  )
  const hidden = await call('GET', `${gateway}/orders/v1/orders`)
  expect('a draft is invisible: 404', hidden.status === 404)

  step('Publish it')
  const published = await call('POST', `${management}/collections/orders/publish`, {
    token: admin,
    body: { cascade: true },
  })
  expect('published', published.status === 200)

  step('A policy, a client with access to the collection, and a profile with a token')
  const policy = await call('POST', `${management}/policies`, {
    token: admin,
    body: { name: 'Trial', slug: 'trial', limits: [{ name: 'minute', kind: 'rate', max: 10, window: '1m' }] },
  })
  expect('policy created', policy.status === 201)
  const client = await call('POST', `${management}/clients`, {
    token: admin,
    body: {
      name: 'Acme',
      slug: 'acme',
      kind: 'partner',
      collections: ['orders'],
      policy: 'trial',
      profiles: [],
    },
  })
  expect('client created', client.status === 201)
  const profile = await call('POST', `${management}/profiles`, {
    token: admin,
    body: { client: 'acme', name: 'Sandbox', slug: 'sandbox', auth: { type: 'token' } },
  })
  const partner: string = profile.json?.token ?? ''
  expect('profile created, its token shown once', profile.status === 201 && partner.startsWith('pst_pk_'))
  const readBack = await call('GET', `${management}/profiles/sandbox`, { token: admin, quiet: true })
  expect(
    'reading the profile back does not show the token',
    readBack.status === 200 && !readBack.text.includes(partner),
  )

  step('Call it over REST')
  const nobody = await call('GET', `${gateway}/orders/v1/orders`)
  expect('without a credential: 401', nobody.status === 401)
  const rest = await call('GET', `${gateway}/orders/v1/orders?limit=2`, { token: partner })
  expect(
    'with the token: 200, with the remaining rate in the answer',
    rest.status === 200 && rest.headers.get('ratelimit') !== null,
  )
  say(`RateLimit: ${rest.headers.get('ratelimit')}   X-Request-ID: ${rest.headers.get('x-request-id')}`)

  step('The same API for an AI agent, over Gateway MCP')
  const mcp = createMcpCaller(tour, `${gateway}/mcp`, partner)
  const collections = await mcp('list_collections', {})
  expect('the agent sees the one collection', collections.structured?.collections?.length === 1)
  const endpoints = await mcp('list_endpoints', { collection: 'orders' })
  expect('and its endpoints', endpoints.structured?.endpoints?.length > 3)
  const contract = await mcp('inspect_contract', { endpoint: 'GET /orders/v1/orders/{id}' })
  expect('a contract names the parameters', contract.structured?.path_params?.[0]?.name === 'id')
  const listed = rest.json?.items?.[0]?.id ?? 1
  const executed = await mcp('execute_call', {
    endpoint: `GET /orders/v1/orders/${listed}`,
    reason: 'the demo looks an order up',
  })
  expect('the call went through to the upstream: 200', executed.structured?.status === 200)

  step('Into the rate limit over both doors: it is one counter')
  let admitted = 2
  const refusals: string[] = []
  for (let i = 0; i < 14; i++) {
    if (i % 2 === 0) {
      const answer = await call('GET', `${gateway}/orders/v1/orders`, { token: partner, quiet: true })
      if (answer.status === 200) admitted += 1
      else
        refusals.push(
          `REST ${answer.status} ${answer.json?.code}, Retry-After ${answer.headers.get('retry-after')}`,
        )
    } else {
      const answer = await mcp('execute_call', { endpoint: 'GET /orders/v1/orders' }, true)
      if (answer.isError !== true) admitted += 1
      else
        refusals.push(`MCP ${answer.structured?.code}, retry_after_ms ${answer.structured?.retry_after_ms}`)
    }
  }
  for (const refusal of refusals) say(refusal)
  expect(`exactly the 10 of the policy were admitted over both doors together (${admitted})`, admitted === 10)
  expect(
    'both doors refused',
    refusals.some((r) => r.startsWith('REST 429')) &&
      refusals.some((r) => r.startsWith('MCP rate_limit_exceeded')),
  )
  const raised = await call('PATCH', `${management}/policies/trial`, {
    token: admin,
    body: { limits: [{ name: 'minute', kind: 'rate', max: 1000, window: '1m' }], reason: 'the demo goes on' },
  })
  expect('the limit is raised', raised.status === 200)
  const again = await call('GET', `${gateway}/orders/v1/orders?limit=1`, { token: partner })
  expect('and holds from the next request: 200', again.status === 200)

  step('Upstream slow, then down')
  await call('PATCH', `${management}/collections/orders`, {
    token: admin,
    body: {
      upstream: { targets: imported.json.collection.upstream.targets, timeouts: { first_byte: '500ms' } },
    },
  })
  const slow = await call('GET', `${gateway}/orders/v1/slow?ms=3000`, { token: partner })
  expect(
    'an answer that takes longer than the timeout: 504 upstream_timeout',
    slow.status === 504 && slow.json?.code === 'upstream_timeout',
  )
  await orders.stop()
  const down = await call('GET', `${gateway}/orders/v1/orders`, { token: partner })
  expect(
    'no upstream: 502 upstream_unreachable',
    down.status === 502 && down.json?.code === 'upstream_unreachable',
  )
  await orders.start()
  const up = await call('GET', `${gateway}/orders/v1/orders?limit=1`, { token: partner })
  expect('and back again: 200', up.status === 200)

  step('Revoke the token: the next call is refused, over both doors')
  const revoked = await call('POST', `${management}/profiles/sandbox/revoke`, {
    token: admin,
    body: { reason: 'leaked in a demo' },
  })
  expect('revoked', revoked.status === 200)
  const refused = await call('GET', `${gateway}/orders/v1/orders`, { token: partner })
  expect('REST: 401', refused.status === 401)
  const refusedMcp = await call('POST', `${gateway}/mcp`, {
    token: partner,
    headers: { accept: 'application/json, text/event-stream' },
    body: { jsonrpc: '2.0', id: 1, method: 'tools/list' },
  })
  expect('MCP: 401', refusedMcp.status === 401)

  step('The trail: every change, by whom and over which surface')
  const audit = await call('GET', `${management}/audit?limit=50`, { token: admin, quiet: true })
  for (const entry of [...(audit.json?.items ?? [])].reverse())
    say(
      `${entry.time}  ${entry.actor.name}  ${entry.surface}  ${entry.operation}  ${entry.resource.slug ?? entry.resource.type}  ${entry.outcome}`,
    )
  const operations: string[] = (audit.json?.items ?? []).map(
    (entry: { operation: string }) => entry.operation,
  )
  expect(
    'import, publish, creations and the revocation are in it',
    [
      'collections.import',
      'collections.publish',
      'policies.create',
      'clients.create',
      'profiles.create',
      'profiles.revoke',
    ].every((name) => operations.includes(name)),
  )
  expect('no secret is in it', !audit.text.includes(partner) && !audit.text.includes(admin))

  step('The request records: apps and agents in one list')
  const records = await until(
    () => call('GET', `${management}/records?client=acme&limit=50`, { token: admin, quiet: true }),
    (answer) =>
      (answer.json?.items ?? []).some(
        (record: { reason?: string; status: number }) => record.status === 401,
      ) || (answer.json?.items?.length ?? 0) >= 20,
  )
  for (const record of (records.json?.items ?? []).slice(0, 12))
    say(
      `${record.time}  ${record.surface.padEnd(11)}  ${record.status}  ${record.method} ${record.path}  ${record.duration_ms.toFixed(1)} ms  ${record.code ?? ''} ${record.tool ?? record.mcp_method ?? ''}`,
    )
  const surfaces = new Set((records.json?.items ?? []).map((record: { surface: string }) => record.surface))
  expect('calls of both surfaces are recorded', surfaces.has('gateway') && surfaces.has('gateway_mcp'))
  const limited = await until(
    () => call('GET', `${management}/records?client=acme&status=429`, { token: admin, quiet: true }),
    (answer) => (answer.json?.items?.length ?? 0) >= refusals.length,
  )
  expect(
    'the refused ones too: those with status 429',
    (limited.json?.items?.length ?? 0) === refusals.length,
  )

  step('A fresh token for you')
  const rotated = await call('POST', `${management}/profiles/sandbox/rotate`, {
    token: admin,
    body: { overlap: '0s' },
    quiet: true,
  })
  const fresh: string = rotated.json?.token ?? ''
  expect('rotated', rotated.status === 200 && fresh.startsWith('pst_pk_'))
  return fresh
}

interface ToolAnswer {
  readonly isError: boolean
  // biome-ignore lint/suspicious/noExplicitAny: structured content differs from tool to tool
  readonly structured: any
}

/** Calls tools as a client of the 2026-07-28 revision does: stateless, one POST each. */
function createMcpCaller(tour: Tour, url: string, token: string) {
  let id = 0
  return async (name: string, args: unknown, quiet = false): Promise<ToolAnswer> => {
    id += 1
    const answer = await tour.call('POST', url, {
      token,
      quiet,
      headers: {
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': 'tools/call',
        'mcp-name': name,
      },
      body: {
        jsonrpc: '2.0',
        id,
        method: 'tools/call',
        params: {
          name,
          arguments: args,
          _meta: {
            'io.modelcontextprotocol/protocolVersion': '2026-07-28',
            'io.modelcontextprotocol/clientCapabilities': {},
            'io.modelcontextprotocol/clientInfo': { name: 'postern-demo', version: '1.0.0' },
          },
        },
      },
      bodyShown: `tools/call ${name} ${JSON.stringify(args)}`,
    })
    const result = answer.json?.result
    return {
      isError: result?.isError ?? answer.json?.error !== undefined,
      structured: result?.structuredContent,
    }
  }
}

async function until<T>(ask: () => Promise<T>, holds: (answer: T) => boolean): Promise<T> {
  const deadline = Date.now() + 5000
  for (;;) {
    const answer = await ask()
    if (holds(answer) || Date.now() > deadline) return answer
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

async function printWhatNext(token: string, { server, settings }: Demo): Promise<void> {
  const link = await server.firstLink()
  write('')
  write(styleText('bold', 'The demo goes on. Ctrl-C ends it and removes its data.'))
  if (link !== null) {
    write(
      '    The console, with the calls that you have just seen. The link makes you its administrator, and works once:',
    )
    write(`      ${link.url}`)
  }
  write(`    REST            curl -H 'Authorization: Bearer ${token}' ${server.gatewayUrl}/orders/v1/orders`)
  write(`    Gateway MCP     ${server.gatewayUrl}/mcp`)
  write(`    Management MCP  ${server.gatewayUrl}/management/mcp`)
  write(
    `    Management REST ${server.controlUrl}/management/v1   OpenAPI ${server.controlUrl}/management/openapi.json`,
  )
  write(`    Admin token     postern token --role admin --ttl 15m --data ${settings.data}`)
  write(
    clientConfigurations({
      gatewayMcp: `${server.gatewayUrl}/mcp`,
      managementMcp: `${server.gatewayUrl}/management/mcp`,
      token,
    }),
  )
}
