import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createClock } from '../../base/clock.ts'
import type { OriginAnswer } from './envelope.ts'
import { probeOrigin } from './probe.ts'

type Answered = { readonly status: number; readonly result?: object; readonly error?: object }

/** Probes a server that answers by `answer`, called with the method of each request. */
async function probed(answer: (method: string, count: number) => Answered) {
  const methods: string[] = []
  const found = await probeOrigin({
    async send({ body }): Promise<OriginAnswer> {
      const { id, method } = JSON.parse(body ?? '{"method":"DELETE"}')
      methods.push(method)
      const { status, ...content } = answer(method, methods.filter((one) => one === method).length)
      return {
        ok: true,
        status,
        header: (name) => (name === 'content-type' ? 'application/json' : undefined),
        body: Buffer.from(JSON.stringify({ jsonrpc: '2.0', id, ...content })),
        truncated: false,
      }
    },
    clock: createClock(),
    own: { name: 'postern', version: '0' },
  })
  return { ...found, methods }
}

const unsupported = (...supported: readonly string[]): Answered => ({
  status: 400,
  error: {
    code: -32022,
    message: 'Unsupported protocol version',
    data: { supported, requested: '2026-07-28' },
  },
})
const DISCOVERED: Answered = {
  status: 200,
  result: { resultType: 'complete', supportedVersions: ['2026-07-28'], capabilities: {} },
}

test('a server that refuses the revision once, and names it as supported, is asked once more', async () => {
  const { found, methods } = await probed((_method, count) =>
    count === 1 ? unsupported('2026-07-28') : DISCOVERED,
  )
  assert.equal(found?.verdict.version, '2026-07-28')
  assert.deepEqual(methods, ['server/discover', 'server/discover'])
})

test('a server that refuses a revision again and again, though it names it, is asked twice', async () => {
  const { found, steps, methods } = await probed(() => unsupported('2026-07-28'))
  assert.equal(found, null)
  assert.match(steps[0]!.error ?? '', /-32022 Unsupported protocol version/)
  assert.deepEqual(methods, ['server/discover', 'server/discover'])
})

test('a server that names earlier revisions alone is asked to initialize', async () => {
  const initialized = {
    protocolVersion: '2025-06-18',
    capabilities: {},
    serverInfo: { name: 'a', version: '1' },
  }
  const { found, methods } = await probed((method) =>
    method === 'server/discover' ? unsupported('2025-06-18') : { status: 200, result: initialized },
  )
  assert.equal(found?.verdict.version, '2025-06-18')
  assert.deepEqual(methods, ['server/discover', 'initialize', 'notifications/initialized'])
})

test('a server that answers every method with an empty result is asked to initialize', async () => {
  const initialized = { protocolVersion: '2025-11-25', capabilities: {} }
  const { found, methods } = await probed((method) => ({
    status: 200,
    result: method === 'initialize' ? initialized : {},
  }))
  assert.equal(found?.verdict.version, '2025-11-25')
  assert.deepEqual(methods.slice(0, 2), ['server/discover', 'initialize'])
})

test('a server that names no revision that Postern speaks is asked nothing more', async () => {
  const { found, methods } = await probed(() => unsupported('2030-01-01'))
  assert.equal(found, null)
  assert.deepEqual(methods, ['server/discover'])
})

const FAILURES: Readonly<Record<string, Answered>> = {
  'method not found': { status: 200, error: { code: -32601, message: 'Method not found' } },
  'an internal error': { status: 200, error: { code: -32603, message: 'no roots' } },
  null: { status: 200, result: { prompts: null, resources: null } },
  'an empty result': { status: 200, result: {} },
  'status 500': { status: 500 },
}

/** A server that declares all lists, and answers those that it is not told to fail with one item. */
const listing =
  (fails: ReadonlySet<string>, failure: Answered) =>
  (method: string): Answered => {
    if (fails.has(method)) return failure
    const item = { name: 'a', uri: 'a:b', uriTemplate: 'a:{b}', inputSchema: { type: 'object' } }
    const lists = { tools: [item], prompts: [item], resources: [item], resourceTemplates: [item] }
    const capabilities = { tools: {}, prompts: {}, resources: {} }
    const supportedVersions = ['2026-07-28']
    return { status: 200, result: { resultType: 'complete', supportedVersions, capabilities, ...lists } }
  }

for (const [name, failure] of Object.entries(FAILURES))
  test(`a list that answers ${name} leaves the others usable, and is named`, async () => {
    for (const [method, type] of [
      ['prompts/list', 'prompts'],
      ['resources/list', 'resources'],
    ] as const) {
      const { found, steps } = await probed(listing(new Set([method]), failure))
      assert.equal(found?.catalogue.tools.length, 1)
      assert.deepEqual(found.catalogue[type], [])
      assert.match(found.warnings.join('\n'), new RegExp(method))
      const isUnread = name !== 'method not found' && name !== 'null'
      assert.deepEqual(found.unread, isUnread ? [type] : undefined)
      assert.deepEqual(
        steps.filter(({ ok }) => !ok).map(({ step }) => step),
        name === 'null' ? [] : [type],
      )
    }
  })

test('a server of which no list can be read has no catalogue', async () => {
  const all = new Set(['tools/list', 'prompts/list', 'resources/list', 'resources/templates/list'])
  const { found, steps } = await probed(listing(all, FAILURES['an internal error']!))
  assert.equal(found, null)
  assert.equal(steps.filter(({ ok }) => !ok).length, 4)
})

test('a list that asks for a sign-in is no catalogue without it', async () => {
  const probing = await probed(listing(new Set(['tools/list']), { status: 401 }))
  assert.equal(probing.found, null)
  assert.equal(probing.needsSignIn, true)
})

test('a list that never answers holds up no other', async () => {
  const methods: string[] = []
  const held: (() => void)[] = []
  const answer = listing(new Set(), { status: 500 })
  const probing = probeOrigin({
    async send({ body }): Promise<OriginAnswer> {
      const { id, method } = JSON.parse(body ?? '{}')
      methods.push(method)
      if (method === 'tools/list') await new Promise<void>((resolve) => held.push(resolve))
      if (methods.length === 5) for (const release of held) release()
      if (method === 'tools/list') return { ok: false, reason: 'no answer came in time' }
      const { status, ...content } = answer(method)
      const text = JSON.stringify({ jsonrpc: '2.0', id, ...content })
      return { ok: true, status, header: () => undefined, body: Buffer.from(text), truncated: false }
    },
    clock: createClock(),
    own: { name: 'postern', version: '0' },
  })
  const { found } = await probing
  assert.deepEqual(methods.slice(1).sort(), [
    'prompts/list',
    'resources/list',
    'resources/templates/list',
    'tools/list',
  ])
  assert.deepEqual(found?.unread, ['tools'])
  assert.equal(found?.catalogue.prompts.length, 1)
})
