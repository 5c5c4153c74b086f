import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createServer as createTlsServer } from 'node:tls'
import { issue } from '../../test/certificates.ts'
import { EGRESS } from '../../test/support/egress.ts'
import { eventually } from '../../test/support/eventually.ts'
import { startSyslog } from '../../test/support/sink-receivers.ts'
import { NotAccepted, type SinkEvent } from './receiver.ts'
import { createSyslogReceiver, syslogFrame } from './syslog.ts'

const TIME = Date.parse('2026-11-28T10:00:00Z')
const event = (value: object): SinkEvent => ({ id: 'req_1', time: TIME, json: JSON.stringify(value) })
const parts = { egress: EGRESS, host: 'gw-1' }
const plain = (port: number) =>
  ({ type: 'syslog', host: '127.0.0.1', port, tls: false, ca_pem: null, facility: 13 }) as const

test('a message has the header of RFC 5424, and no field of an event can begin another one', () => {
  assert.equal(
    syslogFrame('audit', event({ a: 1 }), 13, 'gw-1'),
    '62 <110>1 2026-11-28T10:00:00.000Z gw-1 postern - audit - {"a":1}',
  )
  const evil = '\r\n<0>1 2020-01-01T00:00:00Z x y - - - forged\u0000\u001b[2J\u2028\u0085é😀\ud800'
  for (let at = 0; at < 0x3000; at += 7) {
    const frame = syslogFrame(
      'records',
      event({ path: evil + String.fromCharCode(at), [evil]: at }),
      1,
      'a b\nc\u0000',
    )
    const [length] = frame.split(' ', 1)
    const message = frame.slice(length!.length + 1)
    assert.equal(Buffer.byteLength(message), Number(length))
    assert.doesNotMatch(message, /[\u0000-\u001f]/)
    assert.match(message, /^<14>1 \S+ abc postern - records - \{/)
  }
  assert.match(syslogFrame('test', event({}), 0, '\n '), / - postern - test - /)
})

test('messages are told apart by their lengths, and follow on a new connection after the server has died', async () => {
  await using server = await startSyslog()
  const receiver = createSyslogReceiver(plain(server.port), parts)
  const batch = (...values: object[]) => ({ id: 'b', stream: 'records', events: values.map(event) }) as const
  assert.equal(await receiver.send(batch({ n: 1 }, { n: 2, text: 'zwei Zeilen\nä' })), 'sent 2 messages')
  await eventually(() => server.messages.length === 2)
  server.cut()
  // The first write after that may be taken by the operating system before it hears of the end
  await eventually(async () => {
    await receiver.send(batch({ n: 3 })).catch((error: unknown) => assert.ok(error instanceof NotAccepted))
    return server.messages.length >= 3
  })
  assert.match(server.messages[1]!, /"zwei Zeilen\\nä"/)
  assert.match(server.messages.at(-1)!, /"n":3/)
  await receiver.close()
})

test('over TLS the certificate of the server must be of the given authority and its name', async () => {
  const ca = issue({ name: 'Authority', ca: true })
  const own = issue({ name: 'localhost', dns: ['localhost'], issuer: ca, usage: 'server' })
  await using server = await startSyslog((taken) =>
    createTlsServer({ cert: own.certificate, key: own.key }, taken),
  )
  const to = { ...plain(server.port), host: 'localhost', tls: true, ca_pem: ca.certificate }
  const batch = { id: 'b', stream: 'audit', events: [event({ seq: 1 })] } as const
  const receiver = createSyslogReceiver(to, parts)
  await receiver.send(batch)
  await eventually(() => server.messages.length === 1)
  await receiver.close()
  for (const wrong of [
    { ...to, ca_pem: null },
    { ...to, host: '127.0.0.1' },
  ]) {
    const other = createSyslogReceiver(wrong, parts)
    await assert.rejects(other.send(batch), (error: Error) => error instanceof NotAccepted)
    await other.close()
  }
  assert.equal(server.messages.length, 1)
})

test('addresses of metadata services are refused before a connection', async () => {
  const receiver = createSyslogReceiver({ ...plain(514), host: '169.254.169.254' }, parts)
  await assert.rejects(
    receiver.send({ id: 'b', stream: 'audit', events: [event({})] }),
    (error: Error) => error instanceof NotAccepted && /169\.254\.169\.254/.test(error.message),
  )
})
