import assert from 'node:assert/strict'
import { connect, type Socket } from 'node:net'
import { test } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { client, collection, profile, proxy, token, upstream } from './fragments.ts'
import { type Served, serve } from './serve.ts'

const good = token('tok_good')
const own = token('tok_own')

function start(httpEngine: 'native' | 'node'): Promise<Served> {
  return serve(
    (port) => [
      collection('orders', {
        upstream: upstream(port, { pool_max: 32, connect_ms: 300 }),
        body_bytes_max: 1_000_000,
        proxies: [proxy('all', '/*', { methods: ['GET', 'POST'] })],
      }),
      client('hog', {
        profiles: [
          profile('one'),
          profile('two'),
          profile('proved', { id: 'pro_proved', auth: 'token', tokens: [own.fragment] }),
        ],
      }),
      client('other', { profiles: [profile('keyed', { auth: 'token', tokens: [good.fragment] })] }),
      client('third', { profiles: [profile('open', { id: 'pro_third' })] }),
    ],
    { httpEngine },
  )
}

/** An upload that sends the head and a part of its body, and then nothing. */
function slowUpload(port: number, profile: string): { socket: Socket; text: () => string } {
  const socket = connect(port, '127.0.0.1')
  let text = ''
  socket.on('data', (data) => {
    text += data.toString('latin1')
  })
  socket.on('error', () => {})
  socket.write(
    `POST /orders/upload HTTP/1.1\r\nHost: h\r\nX-Client-ID: hog\r\nX-Profile-ID: ${profile}\r\nContent-Length: 100000\r\n\r\n${'x'.repeat(2000)}`,
  )
  return { socket, text: () => text }
}

for (const httpEngine of ['native', 'node'] as const)
  test(`${httpEngine}: slow uploads of one client leave connections to the upstream for all others`, async (t) => {
    const served = await start(httpEngine)
    t.after(() => served.close())
    let connections = 0
    served.echo.server.on('connection', () => connections++)
    // Its profiles share what the client has
    const uploads = Array.from({ length: 150 }, (_, index) =>
      slowUpload(served.port, index % 2 === 0 ? 'one' : 'two'),
    )
    t.after(() => {
      for (const { socket } of uploads) socket.destroy()
    })
    const refused = () => uploads.filter(({ text }) => / 503 /.test(text())).length
    await eventually(
      () => refused() >= 150 - 16,
      () => `${refused()} of the uploads are refused`,
    )
    assert.equal(refused(), 150 - 16, 'half of the connections are used by the uploads')
    assert.equal(connections, 16)
    assert.match(
      uploads.map(({ text }) => text()).find((text) => / 503 /.test(text))!,
      /"code":"upstream_unavailable"/,
    )

    const other = { authorization: `Bearer ${good.text}` }
    for (let i = 0; i < 20; i++) assert.equal((await served.ask('/orders/x', { headers: other })).status, 200)
    const third = { 'x-client-id': 'third', 'x-profile-id': 'open' }
    const both = await Promise.all(
      Array.from({ length: 24 }, (_, index) =>
        served.ask('/orders/x', { method: 'POST', body: 'y', headers: index % 2 === 0 ? other : third }),
      ),
    )
    assert.deepEqual(
      both.filter(({ status }) => status !== 200),
      [],
    )
    assert.ok(connections <= 32, `${connections} connections`)
    // Callers of the same client who have a credential count apart from those who have none
    const proven = { authorization: `Bearer ${own.text}` }
    for (let i = 0; i < 20; i++)
      assert.equal((await served.ask('/orders/x', { headers: proven })).status, 200)
    // The others still wait for their own connections alone
    const hog = await served.ask('/orders/x', { headers: { 'x-client-id': 'hog', 'x-profile-id': 'one' } })
    assert.equal(hog.status, 503)
    for (const { socket } of uploads) socket.destroy()
    await eventually(
      async () =>
        (await served.ask('/orders/x', { headers: { 'x-client-id': 'hog', 'x-profile-id': 'one' } }))
          .status === 200,
      () => 'the client is still refused after its uploads ended',
    )
  })

test('a client that is alone is served from the connections it has, one request after another', async (t) => {
  const served = await start('native')
  t.after(() => served.close())
  let connections = 0
  served.echo.server.on('connection', () => connections++)
  const headers = { 'x-client-id': 'third', 'x-profile-id': 'open' }
  const answers = await Promise.all(Array.from({ length: 32 }, () => served.ask('/orders/x', { headers })))
  assert.deepEqual(
    answers.filter(({ status }) => status !== 200),
    [],
  )
  assert.ok(connections <= 16, `${connections} connections`)
})
