import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually } from '../../../test/support/eventually.ts'
import { Caller, startGateway } from '../../../test/wire/peers.ts'
import { QUEUE, skip, stalled } from '../../../test/wire/stalled.ts'
import type { CallResult } from '../port.ts'

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`

test('a connection that is not made in time is a 504, is given up, and its request is never sent', {
  skip,
}, async (t) => {
  const { port, heard, asking, letGo } = await stalled(t)
  const address = { host: '127.0.0.1', port }
  const hasty = await startGateway(address)
  // The system asks again after 1, 3, 7 and 15 seconds, which a slow machine may need
  const patient = await startGateway(address, { upstream: { connectTimeoutMs: 60_000 } })
  t.after(() => {
    hasty.close()
    patient.close()
    assert.deepEqual([...hasty.faults, ...patient.faults], [])
  })
  const caller = new Caller(hasty.port)
  caller.send(get('/hasty'))
  await eventually(
    () => asking() === 1,
    () => 'the system to ask for the connection',
  )
  // Asks later, so what was left of the first would be through before it.
  const other = new Caller(patient.port)
  other.send(get('/patient'))
  await eventually(
    () => asking() === 2,
    () => 'the system to ask for the second connection',
  )

  hasty.pass(2500)
  const answer = await caller.receive(/upstream_timeout$/)
  assert.match(answer, /^HTTP\/1.1 504 Gateway Timeout\r\n/)
  assert.doesNotMatch(answer, /Connection: close/)
  assert.deepEqual(hasty.refused, [{ code: 'upstream_timeout', inner: 'connect' }])
  assert.deepEqual([hasty.upstream.open, hasty.upstream.idle], [0, 0])
  assert.equal(hasty.finished.length, 1)
  const { upstreamAt, upstreamStatus, status } = hasty.finished[0]!.outcome
  assert.deepEqual([upstreamAt, upstreamStatus, status], [0, 0, 504])
  await eventually(
    () => asking() === 1,
    () => 'the system to ask no more for the first',
  )

  letGo()
  await other.receive(/ok$/)
  assert.deepEqual(
    heard.map(({ connections, text }) => [connections, text.split(' ')[1]]),
    [[QUEUE + 1, '/patient']],
  )
  caller.received = ''
  await caller.ask(get('/again'), /ok$/)
  assert.equal(heard.at(-1)?.connections, QUEUE + 2, 'a new connection was made for a new request')
  assert.equal(heard.length, 2)
  assert.equal(hasty.upstream.open, 1)
})

test('a call from within fails as a timeout when no connection is made in time', { skip }, async (t) => {
  const { port, asking } = await stalled(t)
  const gateway = await startGateway({ host: '127.0.0.1', port })
  t.after(() => gateway.close())
  const called = new Promise<CallResult>((resolve) =>
    gateway.upstream.call(
      {
        method: 'POST',
        target: '/',
        host: 'h',
        fields: '',
        responseFields: '',
        responseNames: ['x-request-id'],
        body: Buffer.from('{}'),
        keepBytesMax: 100,
        readBytesMax: 100,
      },
      resolve,
    ),
  )
  await eventually(
    () => asking() === 1,
    () => 'the system to ask for the connection',
  )
  gateway.pass(2500)
  assert.deepEqual(await called, { ok: false, failure: 'timeout', inner: 'connect', upstreamAt: 0 })
  assert.equal(gateway.upstream.open, 0)
})

test('a caller that leaves while its connection is being made takes it along', { skip }, async (t) => {
  const { port, asking } = await stalled(t)
  const gateway = await startGateway({ host: '127.0.0.1', port })
  t.after(() => gateway.close())
  const caller = new Caller(gateway.port)
  caller.send(get('/'))
  await eventually(
    () => asking() === 1,
    () => 'the system to ask for the connection',
  )
  caller.socket.destroy()
  await eventually(
    () => asking() === 0 && gateway.finished.length === 1,
    () => 'the end',
  )
  assert.equal(gateway.finished[0]?.outcome.aborted, true)
  assert.equal(gateway.upstream.open, 0)
  assert.deepEqual(gateway.refused, [])
})
