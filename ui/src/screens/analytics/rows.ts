/** What requests are gathered by, and one form of rows for the operations that gather them. */
import type { Input, OperationName, Output } from '../../api/client.ts'

interface Grouping {
  readonly by: string
  readonly label: string
  readonly operation: OperationName
  /** The operation orders by the share of errors too. */
  readonly isOrdered: boolean
}

export const GROUPINGS: readonly Grouping[] = [
  { by: 'collection', label: 'Collection', operation: 'metrics.top', isOrdered: true },
  { by: 'proxy', label: 'Proxy', operation: 'metrics.top', isOrdered: true },
  { by: 'client', label: 'Client', operation: 'metrics.top', isOrdered: true },
  { by: 'profile', label: 'Profile', operation: 'metrics.top', isOrdered: true },
  { by: 'agent', label: 'Agent', operation: 'metrics.top', isOrdered: true },
  { by: 'virtual_mcp', label: 'Virtual MCP', operation: 'metrics.top', isOrdered: true },
  { by: 'origin', label: 'Origin', operation: 'metrics.top', isOrdered: true },
  { by: 'endpoint', label: 'Endpoint', operation: 'metrics.top_endpoints', isOrdered: true },
  { by: 'method', label: 'Method', operation: 'metrics.methods', isOrdered: false },
  { by: 'status', label: 'Status', operation: 'metrics.status_codes', isOrdered: false },
]

export interface Row {
  readonly key: string
  readonly name: string
  /** Filter that narrows to the row; null: there is none. */
  readonly filter: Readonly<Record<string, string>> | null
  readonly requests: number
  readonly errors: number | null
  readonly errorRate: number | null
  readonly p50: number | null
  readonly p95: number | null
}

export interface Question {
  readonly operation: OperationName
  readonly input: Input<OperationName>
}

const SHOWN_MAX = 25

/** The question for a grouping. `asked`: filters and times. */
export function questionOf(
  { by, operation, isOrdered }: Grouping,
  asked: Readonly<Record<string, string>>,
  order: string | undefined,
): Question {
  const byErrors = isOrdered && order === 'error_rate'
  if (operation === 'metrics.top')
    return {
      operation,
      input: { ...asked, by, limit: SHOWN_MAX, ...(byErrors && { order }) } as Input<OperationName>,
    }
  if (operation === 'metrics.top_endpoints')
    return {
      operation: byErrors ? 'metrics.error_endpoints' : operation,
      input: { ...asked, limit: SHOWN_MAX } as Input<OperationName>,
    }
  return { operation, input: asked as Input<OperationName> }
}

type Answers = Output<'metrics.top' | 'metrics.top_endpoints' | 'metrics.methods' | 'metrics.status_codes'>

/** Rows of any of the answers. */
export function rowsOf(by: string, { items }: Answers): readonly Row[] {
  return items.map((item): Row => {
    if ('status' in item)
      return {
        key: String(item.status),
        name: item.status === 0 ? 'no answer' : String(item.status),
        filter: item.status === 0 ? null : { status: String(item.status) },
        requests: item.requests,
        ...{ errors: null, errorRate: null, p50: null, p95: null },
      }
    const numbers = {
      requests: item.requests,
      errors: item.errors,
      errorRate: item.error_rate,
      p50: item.duration_ms.p50,
      p95: item.duration_ms.p95,
    }
    if ('endpoint' in item) return { key: item.endpoint, name: item.endpoint, filter: null, ...numbers }
    if ('method' in item)
      return {
        key: item.method,
        name: item.method,
        filter: item.method === 'OTHER' ? null : { method: item.method },
        ...numbers,
      }
    const name = item.slug ?? item.id
    return {
      key: item.id,
      name,
      filter: { [by === 'agent' ? 'agent_name' : by]: name },
      ...numbers,
    }
  })
}
