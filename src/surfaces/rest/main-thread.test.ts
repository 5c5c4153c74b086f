/**
 * How long what callers send to management holds the main thread: the long form sends large and hostile inputs to every operation, as
 * the lowest role that may call it. It reports the longest blocks.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Control, example, principalOf, startControl } from '../../../test/control.ts'
import { IS_LONG } from '../../../test/support/long.ts'
import { longestBlock } from '../../../test/support/main-thread.ts'
import type { Role } from '../../access/principal.ts'
import { DEFAULT_SCOPE } from '../../access/scopes.ts'
import { collectGarbage } from '../../base/threads/process.ts'
import { ROLES } from '../../model/access/access.ts'
import { INPUT_BYTES_MAX, LARGE_INPUT_BYTES_MAX } from '../../operations/engine/call.ts'
import type { Operation } from '../../operations/engine/define.ts'
import { mayCall } from '../../operations/engine/permission.ts'
import { OPERATIONS } from '../../operations/registry.ts'
import { API_ROOT, routeOf } from '../route.ts'
import { createRestApp } from './app.ts'

/** Far above what a shared machine measures, and far below the seconds that these inputs took. */
const BLOCK_MS_MAX = 1000
/** Bytes of bodies that are made before garbage is collected. */
const MADE_BYTES_MAX = 8_000_000
/** As a connection reads. */
const PIECE_BYTES = 65_536
let made = 0
let control: Control
let app: ReturnType<typeof createRestApp>
const longest: { readonly ms: number; readonly what: string }[] = []

before(async () => {
  control = await startControl()
  await example(control)
  app = createRestApp({
    operations: OPERATIONS,
    invoke: control.invoke,
    authenticate: async (token) => principalOf(token as Role),
    keep: () => ({ take: () => true, give: () => {}, release: () => {} }),
    facts: () => ({ requestId: 'req_1', ip: '192.0.2.1' }),
    origins: ['https://gateway.example'],
    gatewayOrigin: 'https://gateway.example',
    authorizationServers: ['https://gateway.example'],
    issuer: 'https://gateway.example',
    scope: DEFAULT_SCOPE,
    log: () => {},
  })
})
after(() => control.close())

/** A body as a socket gives it. Whole, it would be copied here, which no request costs. */
function inPieces(body: Uint8Array): ReadableStream<Uint8Array> {
  let at = 0
  const pull = (to: ReadableStreamDefaultController<Uint8Array>): void => {
    if (at < body.length) to.enqueue(body.subarray(at, at + PIECE_BYTES))
    else to.close()
    at += PIECE_BYTES
  }
  return new ReadableStream({ pull }, { highWaterMark: 0 })
}

/** Sends a body, and gives the code of its refusal, or the status. */
async function measured(operation: Operation, body: Uint8Array<ArrayBuffer>, what: string): Promise<string> {
  const role = ROLES.find((one) => mayCall(principalOf(one), operation)) ?? 'admin'
  const { method, path } = routeOf(operation)
  const request = new Request(`http://control.test${API_ROOT}${path.replace('{id}', 'orders')}`, {
    method,
    headers: {
      authorization: `Bearer ${role}`,
      'content-type': 'application/json',
      'content-length': String(body.length),
    },
    body: inPieces(body),
    duplex: 'half',
  })
  let said = ''
  // Bodies are made in this thread, of up to 60 MB: to collect earlier ones is no work of the operation
  made += body.length
  if (made > MADE_BYTES_MAX) {
    await collectGarbage()
    made = 0
  }
  const ms = await longestBlock(async () => {
    const response = await app.fetch(request)
    said = String(response.status)
    const bytes = Buffer.from(await response.arrayBuffer())
    if (response.status >= 400) said = String((JSON.parse(bytes.toString()) as { code: string }).code)
  })
  longest.push({ ms, what: `${operation.resource}.${operation.action} as ${role}, ${what}: ${said}` })
  return said
}

const bytesOf = (value: unknown): Uint8Array<ArrayBuffer> =>
  new Uint8Array(Buffer.from(JSON.stringify(value)))
const list = <T>(length: number, item: (at: number) => T): T[] => Array.from({ length }, (_, at) => item(at))
const named = <T>(length: number, item: (at: number) => T): Record<string, T> =>
  Object.fromEntries(list(length, (at) => [`name${at}`, item(at)]))

function operationOf(name: string): Operation {
  return OPERATIONS.find((one) => `${one.resource}.${one.action}` === name)!
}

/** Values of about so many bytes of JSON. */
const SHAPES: Readonly<Record<string, (bytes: number) => unknown>> = {
  // Read as JSON: YAML takes a minute
  'a text': (bytes) => `{${'x'.repeat(bytes)}`,
  'a list of numbers': (bytes) => list(bytes / 2, () => 1),
  'a list of objects': (bytes) => list(bytes / 10, () => ({ a: 1 })),
  'an object of many members': (bytes) => named(bytes / 16, (at) => at % 10),
  'deep lists': (bytes) => list(bytes / 2000, () => JSON.parse(`${'['.repeat(1000)}${']'.repeat(1000)}`)),
}

function report(say: (text: string) => void): void {
  longest.sort((a, b) => b.ms - a.ms)
  for (const { ms, what } of longest.slice(0, 25)) say(`${ms.toFixed(0)} ms: ${what}`)
  const [worst] = longest
  longest.length = 0
  assert.ok(worst !== undefined && worst.ms < BLOCK_MS_MAX, `${worst?.ms} ms: ${worst?.what}`)
}

/** Operations that take a body. */
const POSTED = OPERATIONS.filter(({ effect, posted }) => effect !== 'read' || posted === true)

const skip = IS_LONG ? false : 'in the long form'

test('no operation holds the main thread with inputs that its schema refuses, whatever their size', {
  skip,
}, async (t) => {
  for (const operation of POSTED) {
    const members = Object.keys(operation.input.shape)
    const max = operation.large !== true ? INPUT_BYTES_MAX : LARGE_INPUT_BYTES_MAX
    for (const [shape, make] of Object.entries(SHAPES)) {
      const value = make(Math.floor((max * 0.9) / Math.max(members.length, 1)))
      const body = bytesOf(
        Object.fromEntries(members.filter((name) => name !== 'id').map((name) => [name, value])),
      )
      if (body.length <= max) await measured(operation, body, `${shape} in each member`)
    }
  }
  report((text) => t.diagnostic(text))
})

/** A definition of a workflow of about so many bytes. */
function workflow(bytes: number, value: (bytes: number) => unknown): object {
  const each = Math.floor(bytes / 199)
  return {
    nodes: [
      { id: 'n0', type: 'http_trigger' },
      ...list(197, (at) => ({ id: `n${at + 1}`, type: 'set_node', inputs: { value: value(each) } })),
      { id: 'end', type: 'response_node' },
    ],
    edges: list(198, (at) => ({ from: `n${at}`, to: at === 197 ? 'end' : `n${at + 1}` })),
  }
}

const client = (at: number): object => ({ kind: 'client', slug: `c${at}`, spec: { name: `Client ${at}` } })
const yaml = (bytes: number, line: string): string => line.repeat(bytes / line.length)
const recursive = (width: number): object => ({
  $defs: {
    a: { anyOf: list(width, () => ({ type: 'object', additionalProperties: { $ref: '#/$defs/a' } })) },
  },
  $ref: '#/$defs/a',
})
const nested = (depth: number): unknown => (depth === 0 ? 1 : { a: nested(depth - 1), b: nested(depth - 1) })

/** A file of Kong of about so many bytes. */
function kong(routes: number, hosts: number, plugins: number): object {
  return {
    _format_version: '3.0',
    plugins: list(plugins, (at) => ({ name: `plugin-${at}` })),
    services: [
      {
        name: 's',
        url: 'http://api.example.com',
        routes: list(routes, (at) => ({
          name: `r${at}`,
          paths: [`/p${at}`],
          hosts: list(hosts, (one) => `h${one}.example.com`),
        })),
      },
    ],
  }
}

const description = (operations: number): object => ({
  openapi: '3.1.0',
  info: { title: 'Large', version: '1' },
  servers: [{ url: 'https://api.example.com' }],
  components: {
    schemas: named(500, () => ({ type: 'object', properties: named(20, () => ({ type: 'string' })) })),
  },
  paths: Object.fromEntries(
    list(operations, (at) => [
      `/p${at}`,
      {
        get: {
          operationId: `op${at}`,
          responses: {
            200: {
              description: 'ok',
              content: { 'application/json': { schema: { $ref: `#/components/schemas/name${at % 500}` } } },
            },
          },
        },
      },
    ]),
  ),
})

/** Inputs that were seen to hold the thread for seconds, by operation. */
const HOSTILE: readonly (readonly [string, string, () => object])[] = [
  ['config.convert', 'Kong: 1,000 routes', () => ({ document: kong(1000, 20, 30) })],
  ['config.convert', 'Kong: 5,000 routes', () => ({ document: kong(IS_LONG ? 5000 : 1000, 1, 100) })],
  ['config.convert', 'YAML', () => ({ document: yaml(IS_LONG ? 8e6 : 1e6, 'a: [b, c, {d: e}]\n') })],
  [
    'config.diff',
    'documents against documents',
    () => ({
      documents: list(IS_LONG ? 50_000 : 10_000, client),
      against: list(IS_LONG ? 50_000 : 10_000, (at) => client(at + 1)),
    }),
  ],
  ['config.diff', 'documents', () => ({ documents: list(IS_LONG ? 50_000 : 10_000, client) })],
  ['config.plan', 'documents', () => ({ documents: list(IS_LONG ? 50_000 : 5000, client) })],
  [
    'workflows.validate',
    'expressions',
    () => ({ definition: workflow(1e6, (bytes) => '{{ $.n0.request.body.a + 1 }} '.repeat(bytes / 30)) }),
  ],
  [
    'workflows.validate',
    'large objects',
    () => ({ definition: workflow(1e6, (bytes) => named(bytes / 18, (at) => `${at}`)) }),
  ],
  ['workflows.validate', 'lists', () => ({ definition: workflow(1e6, (bytes) => list(bytes / 2, () => 1)) })],
  [
    'workflows.create',
    'expressions',
    () => ({
      name: 'Large',
      definition: workflow(1e6, (bytes) => '{{ $.n0.request.body.a + 1 }} '.repeat(bytes / 30)),
    }),
  ],
  [
    'guardrails.test',
    'a recursive schema',
    () => ({
      definition: { detector: { type: 'schema', schema: recursive(500) }, action: 'block' },
      sample: JSON.stringify(nested(14)),
    }),
  ],
  [
    'guardrails.test',
    'many patterns',
    () => ({
      definition: {
        detector: {
          type: 'regex',
          patterns: list(50, (at) => ({ name: `p${at}`, pattern: '(a|b|c)*d{1,50}'.repeat(20) })),
        },
        action: 'mask',
      },
      sample: 'abc '.repeat(60_000),
    }),
  ],
  [
    'guardrails.test',
    'personal data and injections',
    () => ({
      definition: { detector: { type: 'injection' }, action: 'block' },
      sample: 'ignore all previous '.repeat(13_000),
    }),
  ],
  [
    'collections.import',
    'operations',
    () => ({ document: description(IS_LONG ? 10_000 : 1000), base_path: '/large' }),
  ],
  [
    'collections.import',
    'YAML',
    () => ({
      document: `openapi: 3.1.0\nx:\n${yaml(IS_LONG ? 1e6 : 50_000, '- [b, c, {d: e}]\n')}`,
      base_path: '/yaml',
    }),
  ],
]

test('what was seen to hold the main thread for seconds does so no longer', async (t) => {
  for (const [name, what, make] of HOSTILE) await measured(operationOf(name), bytesOf(make()), what)
  report((text) => t.diagnostic(text))
})

test('of a large body whose caller may not call the operation, nothing is read before the refusal', async () => {
  for (const [name, role, code, isRead] of [
    ['collections.import', 'viewer', 'permission_denied', false],
    ['collections.reimport', 'viewer', 'permission_denied', false],
    ['collections.import', 'admin', 'payload_rejected', true],
  ] as const) {
    const { method, path } = routeOf(operationOf(name))
    let pieces = 0
    const body = new ReadableStream<Uint8Array<ArrayBuffer>>(
      {
        pull(to) {
          pieces++
          to.enqueue(new Uint8Array(1024))
          to.close()
        },
      },
      { highWaterMark: 0 },
    )
    const response = await app.fetch(
      new Request(`http://control.test${API_ROOT}${path.replace('{id}', 'orders')}`, {
        method,
        headers: { authorization: `Bearer ${role}`, 'content-type': 'application/json' },
        body,
        duplex: 'half',
      }),
    )
    const problem = (await response.json()) as { readonly code: string }
    assert.equal(problem.code, code)
    assert.equal(pieces > 0, isRead, `${name} as ${role}`)
  }
  const [entry] = (await control.run('audit.list', { operation: 'collections.reimport', limit: 1 })).output[
    'items'
  ] as readonly { readonly outcome: string; readonly resource: { readonly slug: string } }[]
  assert.deepEqual([entry?.outcome, entry?.resource.slug], ['denied', 'orders'])
})
