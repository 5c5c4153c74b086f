/** A small MCP server over stdio, as of 2026-07-28, without any library. */
import { createInterface } from 'node:readline'

interface Incoming {
  readonly id?: number | string
  readonly method: string
  readonly params?: {
    readonly name?: string
    readonly arguments?: Readonly<Record<string, unknown>>
    readonly _meta?: Readonly<Record<string, unknown>>
    readonly requestId?: unknown
  }
}

const SUBSCRIPTION_ID = 'io.modelcontextprotocol/subscriptionId'
const cancelled: unknown[] = []
const listens: (number | string)[] = []

function send(message: object): void {
  process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`)
}

createInterface({ input: process.stdin })
  .on('close', () => process.exit(0))
  .on('line', (line) => {
    const { id, method, params } = JSON.parse(line) as Incoming
    const result = (value: unknown): void =>
      send({
        id,
        result: { resultType: 'complete', content: [{ type: 'text', text: JSON.stringify(value) }] },
      })
    if (method === 'notifications/cancelled') cancelled.push(params?.requestId)
    else if (method === 'server/discover')
      send({ id, result: { resultType: 'complete', supportedVersions: ['2026-07-28'], capabilities: {} } })
    else if (method === 'initialize')
      send({ id, error: { code: -32022, message: 'modern only', data: { supported: ['2026-07-28'] } } })
    else if (method === 'subscriptions/listen' && id !== undefined) {
      listens.push(id)
      const _meta = { [SUBSCRIPTION_ID]: id }
      send({ method: 'notifications/subscriptions/acknowledged', params: { notifications: {}, _meta } })
    } else if (method !== 'tools/call') send({ id, error: { code: -32601, message: 'unknown' } })
    else if (params?.name === 'change') {
      for (const one of listens)
        send({ method: 'notifications/tools/list_changed', params: { _meta: { [SUBSCRIPTION_ID]: one } } })
      result('changed')
    } else if (params?.name === 'end') {
      for (const one of listens)
        send({ id: one, result: { resultType: 'complete', _meta: { [SUBSCRIPTION_ID]: one } } })
      result('ended')
    } else if (params?.name === 'pid') result(process.pid)
    else if (params?.name === 'cancelled') result({ id, cancelled })
    else if (params?.name === 'progress') {
      const progressToken = params._meta?.['progressToken']
      send({ method: 'notifications/progress', params: { progressToken, progress: 1 } })
      result('done')
    } else if (params?.name === 'asks') {
      send({ id: 's1', method: 'roots/list', params: {} })
      result('asked')
    } else if (params?.name !== 'hang') result(params?.arguments)
  })
