import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { test } from 'node:test'
import { eventually } from '../../../test/support/eventually.ts'
import { Caller, nativeAlone, startBetween as start } from '../../../test/wire/peers.ts'

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

test('requests on kept, unused and new connections are answered while an engine begins to drain', async (t) => {
  const { gateway, caller: kept } = await start(t, (socket) => socket.write(OK))
  await kept.ask(GET, /ok$/)
  const unused = new Caller(gateway.port)
  await eventually(
    () => gateway.engine.connections === 2,
    () => 'two connections',
  )
  kept.received = ''
  const draining = gateway.engine.drain(5000)
  const late = new Caller(gateway.port)
  for (const caller of [kept, unused, late]) {
    caller.send(GET)
    assert.match(await caller.closed(), /^HTTP\/1.1 200 [\s\S]*\r\nConnection: close\r\n\r\nok$/)
  }
  await draining
})

test('a caller whose answer began before the drain gets one more', async (t) => {
  const { origin, gateway, caller } = await start(t, () => {})
  caller.send(GET)
  await eventually(
    () => origin.received !== '',
    () => 'the request at the upstream',
  )
  origin.sockets[0]?.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfi')
  await caller.receive(/fi$/)
  const draining = gateway.engine.drain(5000)
  origin.sockets[0]?.write('rst')
  await caller.receive(/first$/)
  origin.received = ''
  caller.send(GET)
  await eventually(
    () => origin.received !== '',
    () => 'the second request at the upstream',
  )
  origin.sockets[0]?.write(OK)
  assert.match(await caller.closed(), /first[\s\S]*\r\nConnection: close\r\n\r\nok$/)
  await draining
})

test('drain ends idle connections, lets requests finish, and takes no new ones', async (t) => {
  const { origin, gateway, caller } = await start(t, () => {})
  const idle = new Caller(gateway.port)
  idle.send('\r\n')
  const silent = new Caller(gateway.port)
  caller.send(GET)
  await eventually(
    () => origin.received !== '' && gateway.engine.connections === 3,
    () => 'the request at the upstream',
  )
  let drained = false
  const draining = gateway.engine.drain(5000).then(() => {
    drained = true
  })
  await silent.closed()
  const late = connect(gateway.port, '127.0.0.1')
  const [fault] = await once(late, 'error')
  assert.equal((fault as NodeJS.ErrnoException).code, 'ECONNREFUSED')
  assert.equal(drained, false)
  idle.socket.destroy()
  origin.sockets[0]?.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  assert.match(await caller.closed(), /\r\nConnection: close\r\n\r\nok$/)
  await draining
  assert.equal(gateway.engine.connections, 0)
})

test('drain gives up at its deadline', async (t) => {
  const { origin, gateway, caller } = await start(t, () => {})
  caller.send(GET)
  await eventually(
    () => origin.received !== '',
    () => 'the request at the upstream',
  )
  await gateway.engine.drain(20)
  assert.equal(gateway.engine.connections, 1)
})

const IN_TURN = nativeAlone('Node closes unused connections all at once')

test(
  'a caller that asks regularly keeps its connection for twice its pause while the engine drains',
  IN_TURN,
  async (t) => {
    const { gateway, caller: regular } = await start(t, (socket) => socket.write(OK))
    const single = new Caller(gateway.port)
    await regular.ask(GET, /ok$/)
    regular.received = ''
    gateway.pass(500)
    await regular.ask(GET, /ok$/)
    await single.ask(GET, /ok$/)
    regular.received = ''
    const draining = gateway.engine.drain(20_000)
    gateway.pass(300)
    await single.closed()
    regular.send(GET)
    assert.match(await regular.closed(), /^HTTP\/1.1 200 [\s\S]*\r\nConnection: close\r\n\r\nok$/)
    await draining
  },
)

test('many idle connections are closed, and none is reset', async (t) => {
  const { gateway, caller } = await start(t, (socket) => socket.write(OK))
  const callers = [caller, ...Array.from({ length: 99 }, () => new Caller(gateway.port))]
  const errors: unknown[] = []
  for (const one of callers) {
    one.socket.on('error', (error) => errors.push(error))
    await one.ask(GET, /ok$/)
  }
  await gateway.engine.drain(20_000)
  for (const one of callers) await one.closed()
  assert.deepEqual(errors, [])
})
