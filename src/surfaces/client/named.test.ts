import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import { dirname, relative, resolve } from 'node:path'
import { test } from 'node:test'
import { createNamedClient, NoAnswer } from './send.ts'

const source = resolve(import.meta.dirname, '../..')
/** The end of an import or of an export from elsewhere, or an import while running. */
const IMPORT = /(?:^(?:import\b|export\b[^'\n]*\bfrom|\} from)[^'\n]*|\bimport\(\s*)'([^'\n]+)'/gm

test('operations are called by their names, typed by what is printed of them', async () => {
  const asked: unknown[] = []
  const client = createNamedClient({
    url: 'http://postern.test',
    token: 'admin-token',
    fetch: async (url, init) => {
      asked.push([init?.method, url, init?.body])
      return Response.json({ id: 'pol_1', slug: 'gold', items: [], next_cursor: null })
    },
  })
  const { body } = await client.call('policies.update', { id: 'gold', name: 'Gold' }, { reason: 'why' })
  const slug: string = body.slug
  assert.equal(slug, 'gold')
  const listed = await client.call('policies.list', { fields: 'slug', tag: ['a', 'b'] })
  assert.deepEqual(
    listed.body.items.map((policy) => policy.name),
    [],
  )
  assert.deepEqual(asked, [
    ['PATCH', 'http://postern.test/management/v1/policies/gold', '{"name":"Gold","reason":"why"}'],
    ['GET', 'http://postern.test/management/v1/policies?fields=slug&tag=a&tag=b', undefined],
  ])
  // @ts-expect-error a name is a text
  await client.call('policies.create', { name: 7 })
  // @ts-expect-error a name is needed
  await client.call('policies.create', {})
  // @ts-expect-error there is no such operation
  await assert.rejects(client.call('policies.frobnicate', {}))
})

test('the client loads five small modules, no package and no module of Node.js, types included', () => {
  const loaded = new Set([resolve(import.meta.dirname, 'send.ts')])
  const others = new Set<string>()
  for (const file of loaded)
    for (const [, name] of readFileSync(file, 'utf8').matchAll(IMPORT))
      if (name!.startsWith('.')) loaded.add(resolve(dirname(file), name!))
      else others.add(name!)
  assert.deepEqual([...others], [])
  assert.deepEqual([...loaded].map((file) => relative(source, file).replaceAll('\\', '/')).toSorted(), [
    'base/net/connection-fault.ts',
    'base/refusal.ts',
    'operations/engine/write-options.ts',
    'surfaces/client/send.ts',
    'surfaces/client/types.ts',
  ])
  // Of the table of refusals, the client has types alone
  for (const file of loaded)
    assert.doesNotMatch(readFileSync(file, 'utf8'), /^import (?!type )[^']*'[^']*refusal\.ts'/m, file)
})

test('without a token and a user agent, a call has the headers of the client alone', async () => {
  const seen: IncomingHttpHeaders[] = []
  const server = createServer((request, response) => {
    seen.push(request.headers)
    response.setHeader('content-type', 'application/json')
    response.end('{"items":[],"next_cursor":null}')
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const url = urlOf(server.address())
  const client = createNamedClient({ url, headers: { 'x-postern-console': '1' } })
  await client.call('policies.list', {})
  await createNamedClient({ url, token: 'abc', userAgent: 'me' }).call('policies.list', {})
  server.close()
  const shown = seen.map((headers) => [
    headers.authorization,
    headers['x-postern-console'],
    headers['user-agent'],
    headers.accept,
  ])
  // Without one of ours, the user agent is that of fetch
  assert.deepEqual(shown, [
    [undefined, '1', 'node', 'application/json'],
    ['Bearer abc', undefined, 'me', 'application/json'],
  ])
})

test('a signal ends the call with its reason: before it, while it waits, and while the answer comes', async () => {
  const asked = Promise.withResolvers<void>()
  const answered = Promise.withResolvers<void>()
  const server = createServer((request, response) => {
    if (request.url?.includes('half') === true) response.write('{"items":[')
    else asked.resolve()
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const client = createNamedClient({
    url: urlOf(server.address()),
    fetch: async (...given) => {
      const response = await fetch(...given)
      answered.resolve()
      return response
    },
  })
  const reason = new Error('the page was left')
  const leaving = new AbortController()
  const { signal } = leaving
  const calls = ['none', 'half'].map((q) => client.call('policies.list', { tag: [q] }, { signal }))
  await Promise.all([asked.promise, answered.promise])
  leaving.abort(reason)
  for (const call of [...calls, client.call('policies.list', {}, { signal })])
    await assert.rejects(call, (error) => error === reason)
  server.closeAllConnections()
  server.close()
})

test('a call that takes longer than the client allows fails for want of an answer', async () => {
  const server = createServer(() => {})
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const client = createNamedClient({ url: urlOf(server.address()), timeoutMs: 5 })
  const { signal } = new AbortController()
  await assert.rejects(
    client.call('policies.list', {}, { signal }),
    (error) => error instanceof NoAnswer && /It took too long/.test(error.message),
  )
  server.closeAllConnections()
  server.close()
})

function urlOf(address: ReturnType<ReturnType<typeof createServer>['address']>): string {
  return `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`
}
