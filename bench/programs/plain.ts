/**
 * The wire engine alone: forwards everything to one upstream. Arguments: port, upstream port, and a file when every
 * request is to be recorded by a recorder thread.
 */
import { Worker } from 'node:worker_threads'
import { createClock } from '../../src/base/clock.ts'
import { createRequestIds } from '../../src/base/ids.ts'
import { connectSink } from '../../src/record/connect.ts'
import type { RecordFields } from '../../src/record/fields.ts'
import type { RecorderSetup } from '../../src/record/messages.ts'
import { startRecorder } from '../../src/record/recorder-client.ts'
import { createRecordSink } from '../../src/record/sink.ts'
import { createNativeEngine } from '../../src/wire/native/engine.ts'
import type { Incoming, Upstream } from '../../src/wire/port.ts'

const [port, upstreamPort] = process.argv.slice(2, 4).map(Number)
const file = process.argv[4]
const clock = createClock()
const record = file === undefined ? () => {} : await recordTo(file)

let upstream: Upstream
const engine = createNativeEngine({
  clock,
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
        responseNames: [],
      })
    },
    refused(incoming, code) {
      incoming.answer(502, '', code)
    },
    finished: record,
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

async function recordTo(path: string): Promise<(incoming: Incoming) => void> {
  const workerData: RecorderSetup = { path, retentionMs: 1e12, clockCell: null, counters: null }
  const entry = new URL('../../src/threads/recorder.ts', import.meta.url)
  const recorder = await startRecorder(() => new Worker(entry, { workerData }), console.error)
  const sink = createRecordSink()
  recorder.connect((channel) => connectSink(sink, channel))
  const ids = createRequestIds(clock)
  const fields: RecordFields = {
    id: '',
    timeMs: 0,
    surface: 0,
    method: '',
    path: '',
    route: '/orders/v1/orders/{id}',
    collection: 'col_01k9abcdefghjkmnpqrstvwxyz',
    proxy: 'prx_01k9abcdefghjkmnpqrstvwxyz',
    client: 'cli_01k9abcdefghjkmnpqrstvwxyz',
    profile: 'pro_01k9abcdefghjkmnpqrstvwxyz',
    credentialId: 'key_01k9abcdefghjkmnpqrstvwxyz',
    ip: '',
    status: 0,
    code: '',
    reason: '',
    stoppedAt: -1,
    durationMs: 0,
    upstreamMs: 0,
    bytesIn: 0,
    bytesOut: 0,
    upstreamStatus: 0,
    aborted: false,
    agent: null,
  }
  return ({ method, path, peer, outcome }) => {
    fields.id = ids()
    fields.timeMs = clock.now()
    fields.method = method
    fields.path = path
    fields.ip = peer
    fields.status = outcome.status
    fields.durationMs = outcome.endedAt - outcome.startedAt
    fields.upstreamMs = outcome.upstreamHeadAt - outcome.upstreamAt
    fields.bytesIn = outcome.bytesIn
    fields.bytesOut = outcome.bytesOut
    fields.upstreamStatus = outcome.upstreamStatus
    fields.aborted = outcome.aborted
    sink.add(fields)
  }
}
