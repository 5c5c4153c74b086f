import type { ReactNode } from 'react'
import { ProblemCode } from '../../kit/page.tsx'
import { Status } from '../../kit/status.tsx'
import { type CallRecord, callOf, durationOf } from './sentence.ts'

/** `11-23 14:05:09.123` in UTC. */
function momentOf(time: string): string {
  return time.slice(5, 23).replace('T', ' ')
}

/** The status of an answer: shape, number and colour. */
export function CallStatus({ status, aborted }: Pick<CallRecord, 'status' | 'aborted'>) {
  if (aborted) return <Status state="off">{`${status} ended early`}</Status>
  return <Status state={status >= 500 ? 'bad' : status >= 400 ? 'warn' : 'ok'}>{String(status)}</Status>
}

interface RecordColumn {
  readonly name: string
  readonly label: string
  readonly render: (record: CallRecord) => ReactNode
  readonly width?: number
  readonly isNumber?: boolean
  /** Filter of the list that finds calls with the same value; null: there is none. */
  readonly filter: (record: CallRecord) => Readonly<Record<string, string>> | null
}

const NONE = <span className="text-muted">–</span>
const set = (name: string, value: string | null): Readonly<Record<string, string>> | null =>
  value === null ? null : { [name]: value }

export const COLUMNS: readonly RecordColumn[] = [
  {
    name: 'time',
    label: 'Time (UTC)',
    width: 180,
    render: ({ id, time }) => (
      <time dateTime={time} data-record={id} className="font-mono text-sm">
        {momentOf(time)}
      </time>
    ),
    filter: () => null,
  },
  {
    name: 'status',
    label: 'Status',
    width: 90,
    render: (record) => <CallStatus {...record} />,
    filter: ({ status }) => ({ status: String(status) }),
  },
  {
    name: 'method',
    label: 'Method',
    width: 90,
    render: ({ method }) => method,
    filter: ({ method }) => ({ method }),
  },
  {
    name: 'path',
    label: 'Call',
    render: (record) => (
      <code title={callOf(record)}>{record.mcp_method === null ? record.path : callOf(record)}</code>
    ),
    filter: ({ path, capability, tool }) =>
      set('capability', capability) ?? set('tool', tool) ?? set('path_exact', path),
  },
  {
    name: 'client',
    label: 'Client',
    width: 130,
    render: ({ client_slug, client }) => client_slug ?? client ?? NONE,
    filter: ({ client_slug, client }) => set('client', client_slug ?? client),
  },
  {
    name: 'code',
    label: 'Code',
    width: 190,
    render: ({ code, contract_code }) =>
      code !== null ? (
        <ProblemCode code={code} isRead />
      ) : contract_code !== null ? (
        <span className="text-muted">{contract_code}, reported</span>
      ) : (
        NONE
      ),
    filter: ({ code }) => set('code', code),
  },
  {
    name: 'duration_ms',
    label: 'Duration',
    width: 100,
    isNumber: true,
    render: ({ duration_ms }) => <span className="tabular-nums">{durationOf(duration_ms)}</span>,
    filter: ({ duration_ms }) => ({ min_duration_ms: String(Math.floor(duration_ms)) }),
  },
  {
    name: 'surface',
    label: 'Interface',
    width: 120,
    render: ({ surface }) => <span className="text-muted">{surface}</span>,
    filter: ({ surface }) => ({ surface }),
  },
]

/** The filter of a cell; null if its column has none. */
export function filterOf(record: CallRecord, column: string): Readonly<Record<string, string>> | null {
  return COLUMNS.find(({ name }) => name === column)?.filter(record) ?? null
}
