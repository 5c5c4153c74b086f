import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ForwardRequest, Incoming, Upstream } from '../../src/wire/port.ts'
import { eventually } from '../support/eventually.ts'
import { Caller, NO_BOUND, Origin, startGateway, UPSTREAM } from './peers.ts'

const requestOf = ({ method, path, pass }: Incoming): ForwardRequest => ({
  method,
  target: path,
  host: 'origin',
  fields: pass,
  responseFields: '',
  responseNames: [],
})

const LARGE = 'x'.repeat(50_000)

/** The body of a request, which may have come in chunks; null when its end has not come. */
function bodyOf(received: string): string | null {
  const end = received.indexOf('\r\n\r\n')
  if (end < 0) return null
  const head = received.slice(0, end)
  const rest = received.slice(end + 4)
  if (/transfer-encoding/i.test(head)) {
    if (!rest.endsWith('0\r\n\r\n')) return null
    return rest.replace(/(?:^|\r\n)[0-9a-f]+\r\n(?:\r\n)?/g, '')
  }
  const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0)
  return rest.length === length ? rest : null
}

/** What callers send, and how much of its body comes with the head. */
const REQUESTS: readonly (readonly [what: string, head: string, sent: string, body: string])[] = [
  ['no body', 'GET /a HTTP/1.1\r\nHost: a\r\n\r\n', '', ''],
  ['a small body', 'PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n', 'body', 'body'],
  [
    'a chunked body',
    'PUT /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n',
    '4\r\nbody\r\n0\r\n\r\n',
    'body',
  ],
  ['a large body', `PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: ${LARGE.length}\r\n\r\n`, LARGE, LARGE],
]

for (const httpEngine of ['native', 'node'] as const)
  for (const [what, head, sent, body] of REQUESTS)
    for (const collects of [false, true])
      test(`${httpEngine}: a request with ${what}${collects ? ', gathered before,' : ''} may go to another server after one that cannot be reached`, async (t) => {
        const origin = new Origin((socket) => {
          if (bodyOf(origin.received) !== null) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
        })
        const gone = new Origin(() => {})
        const deadPort = await gone.listen()
        gone.close()
        let second: Upstream | null = null
        const gateway = await startGateway(
          { host: '127.0.0.1', port: deadPort },
          {
            httpEngine,
            request: (incoming, upstream) => {
              const forward = (): void => incoming.forward(upstream, requestOf(incoming))
              if (collects) incoming.collect(100_000, NO_BOUND, (bytes) => bytes !== null && forward())
              else forward()
            },
            refused: (incoming, code) => {
              assert.equal(code, 'upstream_unreachable')
              assert.equal(incoming.outcome.upstreamAt, 0)
              incoming.forward(second!, requestOf(incoming))
            },
          },
        )
        second = gateway.engine.upstream({
          ...UPSTREAM,
          address: { host: '127.0.0.1', port: await origin.listen() },
        })
        t.after(() => {
          gateway.close()
          origin.close()
          assert.deepEqual(gateway.faults, [])
        })
        const caller = new Caller(gateway.port)
        const split = Math.min(sent.length, 3)
        caller.send(head + sent.slice(0, split))
        if (sent.length > split) caller.send(sent.slice(split))
        assert.match(await caller.receive(/ok$/), /^HTTP\/1\.1 200 /)
        assert.deepEqual(
          gateway.refused.map(({ code }) => code),
          ['upstream_unreachable'],
        )
        assert.equal(bodyOf(origin.received), body)
        await eventually(
          () => gateway.finished.length === 1,
          () => 'the end',
        )
        assert.equal(gateway.finished[0]!.outcome.upstreamStatus, 200)
      })
