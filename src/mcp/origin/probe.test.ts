import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createClock } from '../../base/clock.ts'
import { probeOrigin } from './probe.ts'
import type { OriginAnswer } from './send.ts'

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
