/** The wire engine alone: forwards everything to one upstream. Started by `startWire`. */
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { createClock } from '../../src/base/clock.ts'
import { createRequestIds } from '../../src/base/ids.ts'
import { createEgress, NO_LISTENER } from '../../src/base/net/egress.ts'
import type { RecordFields } from '../../src/record/fields.ts'
import type { RecorderSetup } from '../../src/record/messages.ts'
import { connectRecordQueue, createRecordQueue } from '../../src/record/record-queue.ts'
import { startRecorder } from '../../src/record/recorder-client.ts'
import { createWorkers } from '../../src/threads/worker.ts'
import { createNativeEngine } from '../../src/wire/native/engine.ts'
import type { Incoming, Upstream } from '../../src/wire/port.ts'

const { values } = parseArgs({
  options: {
    port: { type: 'string' },
    upstream: { type: 'string' },
    // A file, when a recorder thread is to record every request
    records: { type: 'string' },
    // With both files of TLS the same is served there too
    'tls-port': { type: 'string' },
    certificate: { type: 'string' },
    key: { type: 'string' },
  },
})
const clock = createClock()
const record = values.records === undefined ? () => {} : await recordTo(values.records)

const NO_NAMES: readonly string[] = []

let upstream: Upstream
const engine = createNativeEngine({
  clock,
  egress: createEgress(NO_LISTENER),
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
        responseNames: NO_NAMES,
      })
    },
    refused(incoming, code) {
      incoming.answer(502, '', code)
    },
    finished: record,
  },
})
upstream = engine.upstream({
  address: { host: '127.0.0.1', port: Number(values.upstream) },
  tls: null,
  connectTimeoutMs: 2000,
  firstByteTimeoutMs: 30_000,
  idleTimeoutMs: 60_000,
  connectionsMax: 256,
  waitingMax: 1024,
})
const HERE = { host: '127.0.0.1', reusePort: false }
await engine.listen({ ...HERE, port: Number(values.port) })
const { certificate, key } = values
if (certificate !== undefined && key !== undefined)
  await engine.listen({
    ...HERE,
    port: Number(values['tls-port']),
    tls: {
      pairs: [{ certificate: readFileSync(certificate, 'utf8'), key: readFileSync(key, 'utf8') }],
      clientAuthorities: null,
      ticketKeys: randomBytes(48),
    },
  })

async function recordTo(path: string): Promise<(incoming: Incoming) => void> {
  const bytesMax = Number.POSITIVE_INFINITY
  const nothing = {
    database: null,
    clockCell: null,
    counters: null,
    nodes: null,
    environment: null,
    readOnly: null,
  }
  const workerData: RecorderSetup = { path, retentionMs: 1e12, bytesMax, ...nothing }
  const recorder = await startRecorder(() => createWorkers().start('recorder', workerData), console.error)
  const queue = createRecordQueue()
  recorder.connect((channel) => connectRecordQueue(queue, channel))
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
    virtualMcp: '',
    origin: '',
    client: 'cli_01k9abcdefghjkmnpqrstvwxyz',
    profile: 'pro_01k9abcdefghjkmnpqrstvwxyz',
    credentialId: 'key_01k9abcdefghjkmnpqrstvwxyz',
    user: '',
    subject: '',
    agentHost: '',
    ip: '',
    status: 0,
    code: '',
    reason: '',
    stoppedAt: -1,
    check: '',
    durationMs: 0,
    upstreamMs: 0,
    bytesIn: 0,
    bytesOut: 0,
    upstreamStatus: 0,
    upstreamTarget: 'http://127.0.0.1:9000',
    retries: 0,
    cache: 0,
    nearestLimit: '',
    traceId: '',
    workflowTrace: '',
    aborted: false,
    isStream: false,
    argumentBytes: 0,
    count: 1,
    guardrailHits: '',
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
    queue.add(fields)
  }
}
