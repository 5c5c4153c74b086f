/** The wire engine alone: forwards everything to one upstream. Arguments: port, upstream port. */
import { createClock } from '../../src/base/clock.ts'
import { createNativeEngine } from '../../src/wire/native/engine.ts'
import type { Upstream } from '../../src/wire/port.ts'

const [port, upstreamPort] = process.argv.slice(2).map(Number)
let upstream: Upstream
const engine = createNativeEngine({
  clock: createClock(),
  rules: { take: [], peek: [], identity: [], strip: [], stripPrefixes: ['x-forwarded-'] },
  handler: {
    request(incoming) {
      const { path, query, pass, host, peer } = incoming
      incoming.forward(upstream, {
        method: incoming.method,
        target: query === '' ? path : `${path}?${query}`,
        host,
        fields: `${pass}X-Forwarded-For: ${peer}\r\nX-Forwarded-Proto: http\r\n`,
        responseFields: '',
      })
    },
    refused(incoming, code) {
      incoming.answer(502, '', code)
    },
    finished() {},
  },
})
upstream = engine.upstream({
  address: { host: '127.0.0.1', port: upstreamPort! },
  tls: null,
  connectTimeoutMs: 2000,
  firstByteTimeoutMs: 30_000,
  idleTimeoutMs: 60_000,
  connectionsMax: 256,
  waitingMax: 1024,
})
await engine.listen({ host: '127.0.0.1', port: port!, reusePort: false })
