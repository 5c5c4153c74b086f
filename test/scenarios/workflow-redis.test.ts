/** Nodes that ask Redis: a real server, and servers that misbehave. */
import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { after, before, test } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { Misbehaving } from '../support/misbehaving.ts'
import { runPage } from '../support/page.ts'
import { ownPort } from '../support/ports.ts'
import { installed, Place } from '../support/programs.ts'
import { answer, type Definition, flow, startFlows } from './flows.ts'
import { created } from './server.ts'

const PROGRAM = installed('/usr/bin/redis-server', '/usr/bin/valkey-server')
const skip = PROGRAM === null ? 'redis-server is not installed' : false
const PASSWORD = 'pass-of-redis-7f3a'

const { server, token, endpoint, get, post, record, stop } = await startFlows()
const place = new Place('redis')
const port = await ownPort()
const misbehaving = new Misbehaving()

before(async () => {
  await server.manage('POST', '/credentials', {
    name: 'Cache',
    auth: { type: 'basic', username: 'default', password: PASSWORD },
  })
  if (PROGRAM === null) return
  await place.serve(
    PROGRAM,
    [
      '--port',
      String(port),
      '--bind',
      '127.0.0.1',
      '--dir',
      place.directory,
      '--save',
      '',
      '--requirepass',
      PASSWORD,
    ],
    port,
  )
})
after(async () => {
  await stop()
  await place[Symbol.asyncDispose]()
  misbehaving.close()
})

interface Node {
  readonly config?: object
  readonly [name: string]: unknown
}

/** Sends one command with what the caller sends, and answers its value. */
const sending = (node: Node): Definition =>
  flow(
    [
      {
        id: 'redis',
        type: 'redis_node',
        on_error: 'handle',
        inputs: { key: '{{ $.http.request.body.key }}', args: '{{ $.http.request.body.args }}' },
        ...node,
        config: { host: '127.0.0.1', port, tls: false, credential: 'cache', ...node.config },
      },
      answer('ok', { body: { value: '{{ $.redis.value }}' } }),
      ...(node['on_error'] === 'fail'
        ? []
        : [answer('bad', { body: '{{ $.redis.error }}' }, { status: 502 })]),
    ],
    ['http redis', 'redis default ok', ...(node['on_error'] === 'fail' ? [] : ['redis error bad'])],
  )

test('commands reach a real Redis with the credential of the node, and values come back', {
  skip,
}, async () => {
  const command = async (config: object, key: unknown, args: readonly unknown[] = []) =>
    (await post(await endpoint(sending({ config })), { key, args })).json
  assert.deepEqual(await command({ command: 'SET' }, 'a', ['ü\r\nDEL a', 'EX', 60]), { value: 'OK' })
  assert.deepEqual(await command({ command: 'GET' }, 'a'), { value: 'ü\r\nDEL a' })
  assert.deepEqual(await command({ command: 'GET', database: 2 }, 'a'), { value: null })
  assert.deepEqual(await command({ command: 'SET', prefix: 'app:' }, 'doc', [{ deep: [1, null] }]), {
    value: 'OK',
  })
  assert.deepEqual(await command({ command: 'GET', encoding: 'json' }, 'app:doc'), {
    value: { deep: [1, null] },
  })
  assert.deepEqual(await command({ command: 'INCRBY' }, 'n', [41]), { value: 41 })
  assert.deepEqual(await command({ command: 'INCR' }, 'n'), { value: 42 })
  assert.deepEqual(await command({ command: 'HSET' }, 'h', ['x', 1, 'y', 'two']), { value: 2 })
  assert.deepEqual(await command({ command: 'HGETALL' }, 'h'), { value: { x: '1', y: 'two' } })
  assert.deepEqual(await command({ command: 'MGET' }, ['a', 'none', 'n']), {
    value: ['ü\r\nDEL a', null, '42'],
  })
  assert.deepEqual(await command({ command: 'DEL' }, ['a', 'n']), { value: 2 })
  assert.deepEqual(await command({ command: 'INCR' }, 'h'), {
    kind: 'refused',
    message: 'Redis refused the command (WRONGTYPE)',
  })
})

test('a wrong password fails the node, and neither answer, record nor log has the password', {
  skip,
}, async () => {
  const wrong = 'wrong-pass-91c2'
  await server.manage('POST', '/credentials', {
    name: 'Wrong',
    auth: { type: 'basic', username: 'default', password: wrong },
  })
  const path = await endpoint(sending({ on_error: 'fail', config: { command: 'GET', credential: 'wrong' } }))
  const reply = await post(path, { key: 'a', args: [] })
  assert.deepEqual([reply.status, reply.json.code], [500, 'workflow_failed'])
  const written = await record(reply.headers.get('x-request-id')!)
  assert.equal(written.reason, 'node "redis": the server refused the credential')
  assert.ok(!`${JSON.stringify(written)}${server.log.join()}${reply.text}`.includes(wrong))
})

test('after a rotation the secret before it signs in, until its overlap ends', { skip }, async () => {
  await server.manage('POST', '/credentials', {
    name: 'Turned',
    auth: { type: 'basic', username: 'default', password: PASSWORD },
  })
  const rotated = await server.manage('POST', '/credentials/turned/rotate', {
    auth: { password: 'not-yet-known' },
    overlap: '5m',
  })
  assert.equal(rotated.status, 200, rotated.text)
  const path = await endpoint(sending({ config: { command: 'GET', credential: 'turned' } }))
  assert.deepEqual((await post(path, { key: 'none', args: [] })).json, { value: null })
  server.moveClock(301_000)
  assert.equal((await post(path, { key: 'none', args: [] })).json.kind, 'login')
})

test('a server that is silent, closes, lies or floods fails the node and not the thread', async () => {
  const cases: readonly (readonly [string, string, (socket: Socket) => void])[] = [
    ['timeout', 'never answers', (socket) => void socket.resume()],
    ['connect', 'closes at once', (socket) => socket.destroy()],
    ['connect', 'closes in the middle', (socket) => void socket.on('data', () => socket.end('$100\r\nabc'))],
    [
      'connect',
      'speaks HTTP',
      (socket) => void socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\n\r\n')),
    ],
    ['connect', 'speaks first', (socket) => void socket.resume().write('+OK\r\n+OK\r\n')],
    ['size', 'has a huge value', (socket) => void socket.on('data', () => socket.write('$9000000\r\n'))],
    [
      'size',
      'floods',
      (socket) =>
        void socket.on('data', () =>
          socket.write(`*90000\r\n${`$999\r\n${'x'.repeat(999)}\r\n`.repeat(9000)}`),
        ),
    ],
  ]
  for (const [kind, what, talk] of cases) {
    const { port: other, sockets } = await misbehaving.start(talk)
    // Long where something else ends the node, on a busy machine too
    const timeout = kind === 'timeout' ? '500ms' : '30s'
    const path = await endpoint(
      sending({ timeout, config: { command: 'GET', credential: null, port: other } }),
    )
    const reply = await post(path, { key: 'a', args: [] })
    assert.deepEqual([reply.status, reply.json.kind], [502, kind], `${what}: ${reply.text}`)
    await eventually(
      () => sockets.size === 0,
      () => `${what}: the connection is closed`,
    )
  }
})

test('a caller that leaves ends the connection on which its command waits', async () => {
  const { port: other, sockets } = await misbehaving.start((socket) => void socket.resume())
  const path = await endpoint(sending({ config: { command: 'GET', credential: null, port: other } }))
  const controller = new AbortController()
  const leaving = fetch(`${server.running.gatewayUrl}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: '{"key":"a","args":[]}',
    signal: controller.signal,
  })
  leaving.catch(() => {})
  await eventually(() => sockets.size === 1)
  controller.abort()
  await eventually(() => sockets.size === 0)
})

test('a client whose commands all wait leaves connections to the next client', async () => {
  let [heard, isSilent] = ['', true]
  const { port: other, sockets } = await misbehaving.start(
    (socket) =>
      void socket.on('data', (bytes) => {
        heard += bytes.toString()
        if (!isSilent) socket.write('$-1\r\n')
      }),
  )
  const path = await endpoint(sending({ config: { command: 'GET', credential: null, port: other } }))
  await created(
    server.manage('POST', '/clients', { name: 'Beta', slug: 'beta', collections: ['orders'], profiles: [] }),
  )
  const { json } = await created(
    server.manage('POST', '/profiles', {
      client: 'beta',
      name: 'Live',
      slug: 'live',
      auth: { type: 'token' },
    }),
  )
  const greedy = Array.from({ length: 30 }, () => post(path, { key: 'greedy', args: [] }))
  await eventually(() => sockets.size >= 4)
  const next = post(path, { key: 'modest', args: [] }, json.token)
  await eventually(() => heard.includes('modest'))
  isSilent = false
  for (const socket of sockets) socket.write('$-1\r\n')
  assert.deepEqual(
    (await Promise.all([...greedy, next])).map(({ status }) => status),
    Array(31).fill(200),
  )
})

test('a host that the egress rule refuses cannot be saved, and TLS is not given up', async () => {
  const refused = await server.manage('POST', '/workflows', {
    name: 'Metadata',
    definition: sending({ config: { command: 'GET', host: '169.254.169.254' } }),
  })
  assert.deepEqual([refused.status, refused.json.code], [422, 'configuration_invalid'])
  assert.equal(refused.json.errors[0].pointer, '/definition/nodes/1/config/host')
  const { port: other } = await misbehaving.start(
    (socket) => void socket.on('data', () => socket.write('+OK\r\n')),
  )
  const path = await endpoint(sending({ config: { command: 'GET', tls: true, port: other } }))
  assert.equal((await post(path, { key: 'a', args: [] })).json.kind, 'connect')
})

test('a credential of another type is found when the workflow is saved', async () => {
  await server.manage('POST', '/credentials', {
    name: 'Bearer',
    auth: { type: 'bearer', token: 'token-text-1' },
  })
  const made = await server.manage('POST', '/workflows', {
    name: 'Other type',
    definition: sending({ config: { command: 'GET', credential: 'bearer' } }),
  })
  assert.match(made.text, /is of the type bearer; redis_node needs basic/)
  assert.equal((await get('/orders/v1/none')).status, 404)
})

test('docs/service-nodes.md shows what a real Redis answers', { skip }, async () => {
  const words = { '6379': String(port), 'redis-password-1': PASSWORD, $TOKEN: token }
  assert.equal(await runPage('service-nodes.md', server, words), 4)
})
