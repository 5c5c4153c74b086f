import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { after, before, test } from 'node:test'
import { sampleOperations } from '../../../test/fixtures/sample-operations.ts'
import { startSampleServer } from '../../../test/fixtures/sample-server.ts'
import { createClient } from './client.ts'
import { ProblemError } from './send.ts'

let server: Awaited<ReturnType<typeof startSampleServer>>
before(async () => {
  server = await startSampleServer()
})
after(() => server.close())

const operation = (action: string) => sampleOperations.find((one) => one.action === action)!

test('operations are called by their schemas, with the options of a write', async () => {
  const client = createClient({ url: server.url, token: 'admin-token' })
  const made = await client.call(
    operation('create'),
    { name: 'Lamp', slug: 'a:b' },
    { reason: 'grüße', mode: 'live' },
  )
  assert.equal(made.status, 201)
  assert.equal(made.etag, '"1"')
  assert.deepEqual(server.calls.at(-1)!.options, { reason: 'grüße', mode: 'live' })
  assert.equal((await client.call(operation('get'), { id: 'a:b' })).body['name'], 'Lamp')
  await client.call(operation('list'), { limit: 5, size: [1, 2], live: true })
  assert.deepEqual(server.calls.at(-1)!.input, { limit: 5, size: [1, 2], live: true })
  const dry = await client.call(
    operation('update'),
    { id: 'a:b', size: 4 },
    { dryRun: true, expectedRevision: 1 },
  )
  assert.equal(dry.diff?.length, 1)
  assert.equal(dry.body['size'], 4)
  await client.call(operation('delete'), { id: 'a:b' }, { confirm: 'a:b' })
  assert.equal(server.gadgets.size, 0)
})

test('a refusal is thrown as the problem that came', async () => {
  const client = createClient({ url: server.url, token: 'foreign' })
  await assert.rejects(client.call(operation('list'), {}), (error) => {
    assert.ok(error instanceof ProblemError)
    assert.equal(error.problem.code, 'credential_invalid')
    assert.match(error.problem.request_id ?? '', /^req_/)
    return true
  })
})

test('an id that a path would take as a step is nobody, and no other call', async () => {
  const client = createClient({ url: server.url, token: 'admin-token' })
  const calls = server.calls.length
  for (const id of ['.', '..', ''])
    for (const action of ['get', 'update', 'delete'])
      await assert.rejects(
        client.call(operation(action), { id }),
        (error) => error instanceof ProblemError && error.problem.code === 'not_found',
      )
  assert.equal(server.calls.length, calls)
})

test('of a problem that somebody else answers, members of other types are left out', async () => {
  const fetch = async () =>
    Response.json(
      { title: {}, detail: 5, errors: [null, 'x', { pointer: 1 }, { pointer: '/a', reason: 'b' }] },
      { status: 502 },
    )
  const client = createClient({ url: server.url, token: 'admin-token', fetch })
  await assert.rejects(client.call(operation('list'), {}), (error) => {
    assert.ok(error instanceof ProblemError)
    assert.deepEqual(error.problem.errors, [{ pointer: '/a', reason: 'b' }])
    assert.equal(error.problem.title, 'Status 502')
    return true
  })
})

test('a token is never sent on by a redirect', async () => {
  const seen: string[] = []
  const away = createServer((request, response) => {
    seen.push(String(request.url))
    response.writeHead(307, { location: `${server.url}/management/v1/gadgets` }).end()
  })
  await new Promise<void>((resolve) => away.listen(0, '127.0.0.1', resolve))
  const address = away.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const calls = server.calls.length
  const client = createClient({ url: `http://127.0.0.1:${port}`, token: 'admin-token' })
  await assert.rejects(client.call(operation('list'), {}), /Nothing answered/)
  assert.equal(seen.length, 1)
  assert.equal(server.calls.length, calls)
  away.close()
})
