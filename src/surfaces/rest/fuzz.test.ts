import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  createSampleInvoke,
  sampleAuthenticate,
  sampleOperations,
} from '../../../test/fixtures/sample-operations.ts'
import { bearerOf } from '../../base/http/fields.ts'
import { createOriginFor } from '../../base/http/origins.ts'
import { Refusal } from '../../base/refusal.ts'
import { CallerMemory } from '../../wire/caller-memory.ts'
import { createRestApp, readOptionHeaders } from './app.ts'
import { parseObject } from './body.ts'
import { resourcePathOf } from './metadata.ts'
import { queryParametersOf, readQuery } from './query.ts'

const list = sampleOperations.find((operation) => operation.action === 'list')!
const RUNS = { numRuns: 400 }

/** Runs it and lets refusals pass; anything else that is thrown fails the property. */
function orRefuse<T>(run: () => T): T | undefined {
  try {
    return run()
  } catch (error) {
    assert.ok(error instanceof Refusal, String(error))
    return undefined
  }
}

/** A header value that fetch lets through. */
const headerText = fc.string({ unit: 'binary-ascii' }).map((text) => text.replaceAll(/[^\t -~]/g, ''))

test('any bytes give a JSON object or a refusal, and never touch a prototype', () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.json().map((text) => new TextEncoder().encode(text)),
    fc
      .dictionary(fc.constantFrom('__proto__', 'constructor', 'a', 'toString'), fc.jsonValue())
      .map((value) => new TextEncoder().encode(JSON.stringify(value))),
  )
  fc.assert(
    fc.property(bytes, (input) => {
      const value = orRefuse(() => parseObject(input))
      if (value === undefined) return
      assert.equal(Object.getPrototypeOf(value), Object.prototype)
      assert.deepEqual(value, JSON.parse(new TextDecoder().decode(input)))
    }),
    RUNS,
  )
  assert.equal(Object.getPrototypeOf({}), Object.prototype)
})

test('any query gives typed values of known names or a refusal', () => {
  const name = fc.oneof(
    fc.constantFrom('limit', 'live', 'size', 'name', 'cursor', '__proto__', 'constructor'),
    fc.string(),
  )
  const value = fc.oneof(
    fc.constantFrom('1', '01', '-0', '1e3', 'true', 'TRUE', '', '99999999999999999999', ' 1'),
    fc.string(),
  )
  const parameters = queryParametersOf(list, false)
  fc.assert(
    fc.property(fc.array(fc.tuple(name, value), { maxLength: 5 }), (pairs) => {
      const values = orRefuse(() => readQuery(new URLSearchParams(pairs), parameters))
      if (values === undefined) return
      for (const [key, read] of Object.entries(values)) {
        assert.ok(parameters.some((parameter) => parameter.name === key))
        if (key === 'limit') assert.ok(Number.isSafeInteger(read))
        if (key === 'live') assert.equal(typeof read, 'boolean')
        if (key === 'size') assert.ok(Array.isArray(read) && read.every(Number.isSafeInteger))
      }
    }),
    RUNS,
  )
})

test('any option headers give options or a refusal', () => {
  fc.assert(
    fc.property(headerText, headerText, headerText, (match, key, auth) => {
      const headers = new Headers({ 'if-match': match, 'idempotency-key': key, authorization: auth })
      const options = orRefuse(() => readOptionHeaders(headers))
      const revision = options?.['expected_revision']
      assert.ok(revision === undefined || Number.isSafeInteger(revision))
      const token = bearerOf(headers.get('authorization'))
      assert.ok(token === '' || auth.toLowerCase().startsWith('bearer'))
    }),
    RUNS,
  )
})

test('no Host makes an origin that is not the configured one or a name of the loopback', () => {
  const host = fc.oneof(
    fc.string(),
    fc.constantFrom(
      'localhost',
      '127.0.0.1:8080',
      '[::1]:8080',
      'localhost:8080@evil',
      'LOCALHOST:8080',
      'localhost:99999',
    ),
  )
  fc.assert(
    fc.property(host, (text) => {
      assert.equal(createOriginFor(['https://gw.example'])(text), 'https://gw.example')
      assert.match(
        createOriginFor(['http://localhost:8080'])(text),
        /^http:\/\/(localhost|127\.0\.0\.1|\[::1\]):8080$/,
      )
      assert.ok(resourcePathOf(text) === null || text.startsWith('/.well-known/'))
    }),
    RUNS,
  )
})

test('any request is answered with JSON, a request id and a status below 500', async () => {
  const faults: unknown[] = []
  const app = createRestApp({
    operations: sampleOperations.filter((operation) => operation.resource !== 'faults'),
    invoke: createSampleInvoke().invoke,
    authenticate: sampleAuthenticate,
    keep: () => new CallerMemory(1024 ** 2).open('anybody'),
    facts: () => ({ requestId: 'req_1', ip: null }),
    origins: ['https://gw.example'],
    gatewayOrigin: 'https://gw.example',
    authorizationServers: [],
    issuer: 'http://localhost:8080',
    scope: null,
    log: (error) => faults.push(error instanceof Refusal ? null : error),
  })
  const piece = fc.oneof(
    fc.constantFrom(
      'gadgets',
      'import',
      'rotate',
      'x',
      '%2e%2e',
      '%',
      '%ff',
      '..',
      '',
      'management',
      '{id}',
      ':id',
    ),
    fc.webSegment(),
  )
  const request = fc.record({
    method: fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'),
    path: fc.array(piece, { maxLength: 3 }).map((pieces) => `/management/v1/${pieces.join('/')}`),
    query: fc.webQueryParameters(),
    body: fc.oneof(
      fc.json(),
      fc.string(),
      fc.constantFrom('{"name":"a"}', '{"confirm":"a"}', '{"dry_run":true,"name":"b"}'),
    ),
  })
  await fc.assert(
    fc.asyncProperty(request, async ({ method, path, query, body }) => {
      const response = await app.fetch(
        new Request(`http://gw.example${path}?${query}`, {
          method,
          headers: { authorization: 'Bearer admin-token', 'content-type': 'application/json' },
          ...(method !== 'GET' && method !== 'HEAD' && { body }),
        }),
      )
      assert.ok(
        response.status < 500,
        `${method} ${path}?${query} ${body}: ${response.status} ${String(faults.at(-1))}`,
      )
      assert.equal(response.headers.get('x-request-id'), 'req_1')
      const text = await response.text()
      if (method !== 'HEAD') assert.ok(JSON.parse(text))
    }),
    RUNS,
  )
})
