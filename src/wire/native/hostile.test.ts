import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { HOSTILE } from '../../../test/wire/hostile-requests.ts'
import { Caller, type Gateway, Origin, startGateway } from '../../../test/wire/peers.ts'
import { PROBLEMS } from '../../base/refusal.ts'

const CHUNKED = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n'
const NEXT = 'GET /next HTTP/1.1\r\nHost: a\r\n\r\n'

let origin: Origin
let gateway: Gateway

before(async () => {
  origin = new Origin()
  gateway = await startGateway({ host: '127.0.0.1', port: await origin.listen() })
})

after(() => {
  gateway.close()
  origin.close()
})

for (const [name, bytes, code] of HOSTILE) {
  test(`refused: ${name}`, async () => {
    for (const cut of [bytes.length, 1, Math.floor(bytes.length / 2)]) {
      if (cut === 1 && bytes.length > 5000) continue
      origin.received = ''
      const { length } = gateway.finished
      const caller = new Caller(gateway.port)
      if (cut === 1) for (const byte of bytes) caller.send(byte)
      else caller.send(bytes.slice(0, cut))
      if (cut !== 1) caller.send(bytes.slice(cut))
      caller.send(NEXT)
      const text = await caller.closed()
      assert.equal(caller.answers, 1, `one answer: ${text}`)
      assert.match(text, new RegExp(`^HTTP/1\\.1 ${PROBLEMS[code].status} `))
      assert.match(text, /\r\nConnection: close\r\n/)
      assert.equal(gateway.refused.at(-1)?.code, code)
      assert.equal(gateway.finished.length, length + 1, 'finished once')
      assert.ok(!origin.received.includes('/next'), 'the request behind it was not served')
      // A fault in a body that is still on its way is found after the head was forwarded: then the request breaks off
      if (cut === bytes.length || !bytes.startsWith(CHUNKED))
        assert.equal(origin.received, '', 'no byte reached the upstream')
      else assert.doesNotMatch(origin.received, /\r\n0\r\n\r\n$/)
    }
  })
}
