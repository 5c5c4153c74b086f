import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { after, before, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { startSampleServer } from '../../../test/fixtures/sample-server.ts'
import { eventually } from '../../../test/support/eventually.ts'
import { OPERATIONS } from '../../operations/registry.ts'
import { toOpenApi } from '../openapi/document.ts'
import { createRestApp } from './app.ts'

let server: Awaited<ReturnType<typeof startSampleServer>>
before(async () => {
  server = await startSampleServer()
})
after(() => server.close())

interface Call {
  readonly body?: unknown
  readonly raw?: string | Uint8Array<ArrayBuffer>
  readonly headers?: Record<string, string>
  readonly token?: string | null
}

async function call(method: string, path: string, { body, raw, headers, token = 'admin-token' }: Call = {}) {
  const text = raw ?? (body === undefined ? undefined : JSON.stringify(body))
  const response = await fetch(server.url + path, {
    method,
    headers: {
      ...(token !== null && { authorization: `Bearer ${token}` }),
      ...(text !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(text !== undefined && { body: text }),
  })
  const answer = await response.text()
  // Whatever comes back is looked at member by member
  const json = answer === '' ? null : (JSON.parse(answer) as Record<string, unknown>)
  assert.match(response.headers.get('x-request-id') ?? '', /^req_/)
  assert.equal(response.headers.get('cache-control'), 'no-store')
  assert.equal(response.headers.get('x-content-type-options'), 'nosniff')
  const isMetadata = path.startsWith('/.well-known/oauth-protected-resource') && response.ok
  assert.equal(response.headers.get('access-control-allow-origin'), isMetadata ? '*' : null)
  if (response.status >= 400 && method !== 'HEAD') {
    assert.equal(response.headers.get('content-type'), 'application/problem+json')
    assert.equal(json?.['status'], response.status)
    assert.equal(json?.['request_id'], response.headers.get('x-request-id'))
  }
  return { status: response.status, headers: response.headers, json: json ?? {} }
}

function lastCall() {
  return server.calls.at(-1)!
}

test('a create answers 201 with the resource, its ETag and where it is', async () => {
  const made = await call('POST', '/management/v1/gadgets', { body: { name: 'Lamp', slug: 'lamp', size: 3 } })
  assert.equal(made.status, 201)
  assert.equal(made.json['slug'], 'lamp')
  assert.equal(made.headers.get('etag'), '"1"')
  assert.equal(made.headers.get('location'), `/management/v1/gadgets/${made.json['id']}`)
  assert.equal((await call('GET', '/management/v1/gadgets/lamp')).json['size'], 3)
  const via = lastCall().via
  assert.equal(via.surface, 'management_api')
  assert.equal(via.ip, '192.0.2.1')
  assert.deepEqual(via.http, { method: 'GET', url: '/management/v1/gadgets/lamp' })
})

test('PUT creates with 201 and replaces with 200, PATCH merges, an action posts', async () => {
  assert.equal((await call('PUT', '/management/v1/gadgets/chair', { body: { name: 'Chair' } })).status, 201)
  assert.equal((await call('PUT', '/management/v1/gadgets/chair', { body: { name: 'Chair 2' } })).status, 200)
  const patched = await call('PATCH', '/management/v1/gadgets/chair', { body: { live: true } })
  assert.equal(patched.json['name'], 'Chair 2')
  assert.equal(patched.headers.get('etag'), '"3"')
  const rotated = await call('POST', '/management/v1/gadgets/chair/rotate', { body: { reason: 'leak' } })
  assert.equal(rotated.status, 200)
  assert.deepEqual(lastCall().options, {}, 'a member of the input is not taken for an option')
  assert.equal(lastCall().input['reason'], 'leak')
})

test('the text of a query becomes numbers, booleans and lists', async () => {
  await call('GET', '/management/v1/gadgets?limit=7&live=true&size=1&size=2&name=12')
  assert.deepEqual(lastCall().input, { limit: 7, live: true, size: [1, 2], name: '12' })
  const wrong = await call('GET', '/management/v1/gadgets?limit=x&live=1&size=1.5&lmit=3&name=a&name=b')
  assert.equal(wrong.status, 400)
  const pointers = (wrong.json['errors'] as { pointer: string }[]).map((error) => error.pointer)
  assert.deepEqual(pointers.sort(), ['/limit', '/live', '/lmit', '/name', '/size'])
})

test('options of a write come from the body, the query or headers, and have to agree', async () => {
  await call('PUT', '/management/v1/gadgets/opt', { body: { name: 'Opt' } })
  const path = '/management/v1/gadgets/opt'
  await call('PATCH', path, {
    body: { size: 1, mode: 'draft', expected_revision: 1 },
    headers: { 'if-match': '"1"', 'idempotency-key': 'k1', 'x-reason': 'because' },
  })
  assert.deepEqual(lastCall().options, {
    expectedRevision: 1,
    idempotencyKey: 'k1',
    reason: 'because',
    mode: 'draft',
  })
  assert.deepEqual(lastCall().input, { id: 'opt', size: 1 })
  const differs = await call('PATCH', path, {
    body: { expected_revision: 1 },
    headers: { 'if-match': '"2"' },
  })
  assert.equal(differs.json['code'], 'input_invalid')
  for (const tag of ['W/"1"', '"1", "2"', '0', 'x'])
    assert.equal((await call('PATCH', path, { body: {}, headers: { 'if-match': tag } })).status, 400, tag)
  assert.equal((await call('PATCH', path, { body: { mode: 'maybe' } })).status, 400)
  assert.equal((await call('PATCH', `${path}?dry_run=yes`, { body: {} })).status, 400)
  const stale = await call('PATCH', path, { body: { size: 5 }, headers: { 'if-match': '1' } })
  assert.equal(stale.status, 412)
  assert.equal(stale.json['code'], 'revision_conflict')
  assert.equal(stale.json['revision'], 2)
})

test('a dry run answers the difference beside the resource and keeps nothing', async () => {
  const dry = await call('POST', '/management/v1/gadgets?dry_run=true', { body: { name: 'Ghost' } })
  assert.equal(dry.status, 200)
  assert.equal(dry.json['dry_run'], true)
  assert.deepEqual(dry.json['diff'], [{ op: 'add', path: '/ghost', value: 'Ghost' }])
  assert.equal((dry.json['result'] as { name: string }).name, 'Ghost')
  assert.equal((await call('GET', '/management/v1/gadgets/ghost')).status, 404)
})

test('DELETE takes the confirmation in the body or in the query', async () => {
  for (const [path, body] of [
    ['/management/v1/gadgets/gone', { confirm: 'gone' }],
    ['/management/v1/gadgets/gone?confirm=gone', undefined],
  ] as const) {
    await call('PUT', '/management/v1/gadgets/gone', { body: { name: 'Gone' } })
    assert.equal((await call('DELETE', '/management/v1/gadgets/gone')).json['code'], 'confirmation_required')
    assert.equal((await call('DELETE', path, { body })).status, 200)
  }
})

test('a change that not every thread has confirmed says so', async () => {
  const made = await call('POST', '/management/v1/gadgets', { body: { name: 'slow' } })
  assert.equal(made.json['pending'], true)
})

test('an unknown path is 404 and a wrong method 405 with those that work', async () => {
  assert.equal((await call('GET', '/management/v1/widgets')).json['code'], 'not_found')
  assert.equal((await call('GET', '/management/v1/gadgets/a/b/c')).json['code'], 'not_found')
  assert.equal((await call('GET', '/elsewhere')).json['code'], 'not_available')
  const wrong = await call('PUT', '/management/v1/gadgets', { body: {} })
  assert.equal(wrong.status, 405)
  assert.equal(wrong.headers.get('allow'), 'GET, HEAD, POST')
  assert.equal(
    (await call('OPTIONS', '/management/v1/gadgets/x')).headers.get('allow'),
    'GET, HEAD, PUT, PATCH, DELETE',
  )
  assert.equal((await call('HEAD', '/management/v1/gadgets')).status, 200)
  assert.equal((await call('DELETE', '/management/openapi.json')).status, 405)
})

test('nobody is told apart from somebody by paths: all below the API is authenticated', async () => {
  for (const path of ['/management/v1/gadgets', '/management/v1/gadgets/x', '/management/v1/nothing']) {
    const nobody = await call('GET', path, { token: null })
    assert.equal(nobody.status, 401)
    assert.equal(
      nobody.headers.get('www-authenticate'),
      'Bearer resource_metadata="https://gateway.example/.well-known/oauth-protected-resource/management/v1", scope="management:read management:write"',
    )
  }
  for (const token of ['foreign', 'old-token']) {
    const wrong = await call('POST', '/management/v1/gadgets', { token, raw: 'not read' })
    assert.equal(wrong.status, 401)
    assert.match(wrong.headers.get('www-authenticate') ?? '', /, error="invalid_token"$/)
    assert.doesNotMatch(JSON.stringify(wrong.json), /inner/)
  }
  const basic = await call('GET', '/management/v1/gadgets', {
    token: null,
    headers: { authorization: 'Basic YTpi' },
  })
  assert.equal(basic.json['code'], 'credentials_missing')
  const inQuery = await call('GET', '/management/v1/gadgets?access_token=admin-token', { token: null })
  assert.equal(inQuery.status, 401)
})

test('a viewer who writes gets 403 with the permission that is missing', async () => {
  const denied = await call('POST', '/management/v1/gadgets', { token: 'viewer-token', body: { name: 'x' } })
  assert.equal(denied.status, 403)
  assert.match(String(denied.json['detail']), /gadgets:create/)
})

test('a refusal says what is wrong and what to do, not its title again', async () => {
  const typeless = await call('POST', '/management/v1/gadgets', {
    raw: '{"name":"Lamp"}',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  })
  assert.match(String(typeless.json['detail']), /Send `Content-Type: application\/json`/)
  const nobody = await call('GET', '/management/v1/gadgets', { token: null })
  assert.match(String(nobody.json['detail']), /Authorization: Bearer <token>/)
  const misspelt = await call('GET', '/management/v1/gadgets?lmit=2')
  assert.match(String(misspelt.json['detail']), /^\/lmit: unknown parameter; there are: .*limit/)
})

test('only JSON objects in UTF-8 are read', async () => {
  const path = '/management/v1/gadgets'
  const code = async (given: Call): Promise<unknown> => (await call('POST', path, given)).json['code']
  assert.equal(
    await code({ raw: 'name=x', headers: { 'content-type': 'application/x-www-form-urlencoded' } }),
    'unsupported_media_type',
  )
  assert.equal(await code({ raw: '{}', headers: { 'content-type': 'text/plain' } }), 'unsupported_media_type')
  assert.equal(await code({ raw: '{}', headers: { 'content-encoding': 'gzip' } }), 'unsupported_media_type')
  for (const raw of ['{', '[]', 'null', '"x"', '{"a":1,}', '{} {}'])
    assert.equal(await code({ raw }), 'payload_rejected', raw)
  assert.equal(await code({ raw: Uint8Array.from([123, 34, 0xff, 34, 58, 49, 125]) }), 'payload_rejected')
  assert.equal(await code({ raw: '{"name":"x","extra":{"__proto__":{"a":1}}}' }), 'payload_rejected')
  assert.equal(await code({ raw: '{"\\u005f_proto__":{}}' }), 'payload_rejected')
  for (const [depth, pad] of [
    [200, 0],
    [20_000, 0],
    [3000, 300_000],
  ] as const) {
    const raw = `{"pad":"${'x'.repeat(pad)}","deep":${'['.repeat(depth)}${']'.repeat(depth)}}`
    assert.equal(await code({ raw }), 'payload_rejected', `${depth} deep`)
  }
  assert.equal(await code({}), 'input_invalid', 'an empty body is an empty object')
  const twice = await call('POST', path, { raw: '{"name":"First","name":"Second","slug":"twice"}' })
  assert.equal(twice.json['name'], 'Second')
  assert.equal(
    (
      await call('POST', path, {
        raw: '{"name":"cs"}',
        headers: { 'content-type': 'Application/JSON; charset=UTF-8' },
      })
    ).status,
    201,
  )
})

test('a broken body is neither repeated nor logged', async () => {
  const logged = server.logged.length
  const broken = await call('POST', '/management/v1/gadgets', { raw: '{"token": planted-secret}' })
  assert.equal(broken.status, 400)
  assert.doesNotMatch(JSON.stringify(broken.json), /planted/)
  assert.equal(server.logged.length, logged)
  await call('GET', '/management/v1/gadgets', { token: 'foreign' })
  assert.equal(server.logged.length, logged, 'nobody fills the log with tokens that do not hold')
})

test('a body over the limit is refused, and importing may send more', async () => {
  const big = JSON.stringify({ document: 'x'.repeat(9 * 1024 ** 2) })
  assert.equal((await call('POST', '/management/v1/gadgets', { raw: big })).json['code'], 'body_too_large')
  const imported = await call('POST', '/management/v1/gadgets/import', { raw: big })
  assert.equal(imported.status, 201)
  assert.equal(imported.json['bytes'], 9 * 1024 ** 2)
  const stream = new ReadableStream({
    pull(controller) {
      controller.enqueue(new Uint8Array(1024 ** 2).fill(32))
    },
  })
  const endless = await fetch(`${server.url}/management/v1/gadgets`, {
    method: 'POST',
    headers: { authorization: 'Bearer admin-token', 'content-type': 'application/json' },
    body: stream,
    duplex: 'half',
  } as RequestInit).then(
    (response) => response.status,
    () => 'closed',
  )
  assert.ok(endless === 413 || endless === 'closed', String(endless))
})

test('bodies of one principal that are kept at once are bounded, and given back', async () => {
  const { memory } = server
  const reservation = memory.open('tok_admin-token')
  assert.ok(reservation.take(memory.bytesMax / 2))
  const body = { name: 'x'.repeat(100_000) }
  const refused = await call('POST', '/management/v1/gadgets', { body })
  assert.deepEqual([refused.status, refused.json['code']], [503, 'overloaded'])
  assert.equal(refused.headers.get('retry-after'), '1')
  // Refused once its body was read
  const other = await call('POST', '/management/v1/gadgets', { body, token: 'viewer-token' })
  assert.equal(other.json['code'], 'permission_denied')
  reservation.release()
  const leaver = connect(server.port, '127.0.0.1')
  const head = 'POST /management/v1/gadgets HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer admin-token\r\n'
  leaver.write(
    `${head}Content-Length: 200000\r\nContent-Type: application/json\r\n\r\n${'x'.repeat(100_000)}`,
  )
  await eventually(
    () => memory.bytes >= 100_000,
    () => 'half of a body',
  )
  leaver.destroy()
  await eventually(
    () => memory.bytes === 0,
    () => `${memory.bytes} bytes to be given back`,
  )
})

test('the id in a path is decoded once and wins over no other', async () => {
  await call('PUT', '/management/v1/gadgets/a%3Ab', { body: { name: 'Both' } })
  assert.equal(lastCall().input['id'], 'a:b')
  await call('GET', '/management/v1/gadgets/a%252Fb')
  assert.equal(lastCall().input['id'], 'a%2Fb')
  const other = await call('PATCH', '/management/v1/gadgets/lamp', { body: { id: 'chair', size: 1 } })
  assert.equal(other.json['code'], 'input_invalid')
})

test('a fault is 500 with a request id and nothing of its message', async () => {
  const fault = await call('GET', '/management/v1/faults')
  assert.equal(fault.status, 500)
  assert.doesNotMatch(JSON.stringify(fault.json), /planted-fault/)
  assert.match(
    String(server.logged.find((entry) => entry.requestId === fault.json['request_id'])?.error),
    /planted-fault/,
  )
})

test('the OpenAPI document and the metadata of the protected resources are public', async () => {
  const document = await call('GET', '/management/openapi.json', { token: null })
  assert.equal(document.json['openapi'], '3.1.0')
  for (const [path, resource] of [
    ['', '/management/mcp'],
    ['/mcp/desk/', '/mcp/desk'],
    ['/mcp', '/mcp'],
    ['/mcp/desk', '/mcp/desk'],
    ['/management', '/management'],
    ['/management/mcp', '/management/mcp'],
    ['/management/v1', '/management/v1'],
    ['/api/v1/mcp', '/api/v1/mcp'],
  ]) {
    const metadata = await call('GET', `/.well-known/oauth-protected-resource${path}`, { token: null })
    assert.equal(metadata.json['resource'], `https://gateway.example${resource}`)
    assert.deepEqual(metadata.json['bearer_methods_supported'], ['header'])
    assert.equal((metadata.json['authorization_servers'] as string[]).length, 1)
  }
  for (const path of ['oauth-protected-resource/orders', 'oauth-protected-resourcex', 'openid-configuration'])
    assert.equal((await call('GET', `/.well-known/${path}`, { token: null })).json['code'], 'not_available')
})

test('the command line is told from other callers by its name', async () => {
  await call('GET', '/management/v1/gadgets', { headers: { 'user-agent': 'postern-cli/0.1.0' } })
  assert.equal(lastCall().via.surface, 'cli')
})

test('requests that no client library sends are answered or closed, never left hanging', async () => {
  const head = 'Host: x\r\nAuthorization: Bearer admin-token\r\nConnection: close\r\n'
  for (const text of [
    `GET /management/v1/gadgets/%zz HTTP/1.1\r\n${head}\r\n`,
    `GET /management/v1/gadgets?%zz=%00&=&&& HTTP/1.1\r\n${head}\r\n`,
    `GET /management//v1/gadgets HTTP/1.1\r\n${head}\r\n`,
    `GET /management/v1/../v1/gadgets HTTP/1.1\r\n${head}\r\n`,
    `GET http://evil.example/management/v1/gadgets HTTP/1.1\r\n${head}\r\n`,
    'GET /management/v1/gadgets HTTP/1.1\r\nHost: localhost:99999\r\nConnection: close\r\n\r\n',
    'GET /management/v1/gadgets HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n',
    `GET * HTTP/1.1\r\n${head}\r\n`,
    `TRACE /management/v1/gadgets HTTP/1.1\r\n${head}\r\n`,
  ]) {
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connect(server.port, '127.0.0.1', () => socket.write(text))
      let all = ''
      socket.on('data', (piece) => {
        all += piece.toString()
      })
      socket.on('close', () => resolve(all))
      socket.on('error', reject)
    })
    assert.match(answer, /^HTTP\/1\.1 (200|400|401|404|405|500) /, text)
  }
})

test('while the OpenAPI document is printed for the first time, the event loop goes on', async () => {
  const unused = (): never => assert.fail('asked for without a token')
  const app = createRestApp({
    operations: OPERATIONS,
    invoke: unused,
    authenticate: unused,
    keep: unused,
    facts: () => ({ requestId: 'req_1', ip: null }),
    origins: ['https://gateway.example'],
    gatewayOrigin: 'https://gateway.example',
    authorizationServers: [],
    issuer: 'http://localhost:8080',
    scope: null,
    log: unused,
  })
  let isPrinted = false
  const answers = ['/management/openapi.json', '/management/openapi.json'].map((path) => app.request(path))
  const printed = Promise.all(answers).finally(() => {
    isPrinted = true
  })
  let turns = 0
  while (!isPrinted) {
    turns++
    await turn()
  }
  const [first, second] = await Promise.all((await printed).map((answer) => answer.json()))
  // In one piece there would be two; how many stretches of 5 ms there are depends on the speed of the machine
  assert.ok(turns > 4, `${turns} turns of the event loop`)
  assert.deepEqual(first, JSON.parse(JSON.stringify(toOpenApi(OPERATIONS))))
  assert.deepEqual(second, first)
})
