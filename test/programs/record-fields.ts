import type { RecordFields } from '../../src/record/fields.ts'

/** A plain record with the given members. */
export function recordFields(members: Partial<RecordFields> = {}): RecordFields {
  return {
    id: 'req_1',
    timeMs: 1_800_000_000_000,
    surface: 0,
    method: 'GET',
    path: '/orders/v1/orders/7',
    route: '/orders/v1/orders/{id}',
    collection: 'col_orders',
    proxy: 'prx_get',
    client: 'cli_acme',
    profile: 'pro_live',
    credentialId: 'key_1',
    ip: '127.0.0.1',
    status: 200,
    code: '',
    reason: '',
    stoppedAt: -1,
    durationMs: 1.25,
    upstreamMs: 1,
    bytesIn: 0,
    bytesOut: 1024,
    upstreamStatus: 200,
    aborted: false,
    agent: null,
    ...members,
  }
}
