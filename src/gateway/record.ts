import type { RecordFields, RecordSink } from '../record/fields.ts'
import type { Exchange } from './exchange.ts'

/** Monotonic times and sizes of a request, from the wire or from a call within the process. */
export interface Measured {
  readonly startedAt: number
  readonly status: number
  readonly bytesIn: number
  readonly bytesOut: number
  readonly upstreamAt: number
  readonly upstreamStatus: number
  readonly endedAt: number
  readonly aborted: boolean
}

/** Check 19: writes one record for each request. A record that cannot be kept never fails a request. */
export function createRecorder(sink: RecordSink): (exchange: Exchange, measured: Measured) => void {
  const fields = emptyFields()
  return (exchange, measured) => {
    const { client, profile, collection, proxy } = exchange
    fields.id = exchange.requestId
    fields.timeMs = exchange.now
    fields.surface = exchange.surface
    fields.method = exchange.method
    fields.path = exchange.path
    fields.route = proxy === null ? '' : proxy.route
    fields.collection = collection === null ? '' : collection.id
    fields.proxy = proxy === null ? '' : proxy.id
    fields.client = client === null ? '' : client.id
    fields.profile = profile === null ? '' : profile.id
    fields.credentialId = exchange.credentialId
    fields.ip = exchange.ip
    fields.status = measured.status
    fields.code = exchange.code ?? ''
    fields.reason = exchange.reason
    fields.stoppedAt = exchange.stoppedAt
    fields.durationMs = Math.max(0, measured.endedAt - measured.startedAt)
    fields.upstreamMs = measured.upstreamAt === 0 ? -1 : Math.max(0, measured.endedAt - measured.upstreamAt)
    fields.bytesIn = measured.bytesIn
    fields.bytesOut = measured.bytesOut
    fields.upstreamStatus = measured.upstreamStatus === 0 ? -1 : measured.upstreamStatus
    fields.aborted = measured.aborted
    fields.agent = exchange.agent
    try {
      sink.add(fields)
    } catch {
      // The sink counts what it loses; the caller's answer is on its way already.
    }
  }
}

function emptyFields(): RecordFields {
  return {
    id: '',
    timeMs: 0,
    surface: 0,
    method: '',
    path: '',
    route: '',
    collection: '',
    proxy: '',
    client: '',
    profile: '',
    credentialId: '',
    ip: '',
    status: 0,
    code: '',
    reason: '',
    stoppedAt: -1,
    durationMs: 0,
    upstreamMs: -1,
    bytesIn: 0,
    bytesOut: 0,
    upstreamStatus: -1,
    aborted: false,
    agent: null,
  }
}
