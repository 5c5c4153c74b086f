import { Link } from '@tanstack/react-router'
import { type Fault, faultOf, isSameFault, operation, useCall } from '../../api/client.ts'
import { one, type Search } from '../../app/search.ts'
import { Select } from '../../kit/controls.tsx'
import { Meter } from '../../kit/figures.tsx'
import { Card, FaultBox, SkeletonRows } from '../../kit/page.tsx'
import { Status } from '../../kit/status.tsx'
import { ShowAs } from '../../show-as/show-as.tsx'
import { GROUPINGS, questionOf, type Row, rowsOf } from './rows.ts'

interface BreakdownProps {
  readonly search: Search
  /** Filters and times of the page. */
  readonly asked: Readonly<Record<string, string>>
  /** Failures that the page shows already. */
  readonly told: readonly Fault[]
  readonly onChange: (changes: Readonly<Record<string, string | undefined>>) => void
  readonly again?: number
}

/** Requests by collection, client, status and so on. A name narrows the page to it; a number leads to the records. */
export function Breakdown({ search, asked, told, onChange, again }: BreakdownProps) {
  const grouping = GROUPINGS.find(({ by }) => by === one(search['by'])) ?? GROUPINGS[0]!
  const order = one(search['order'])
  const question = questionOf(grouping, asked, order)
  const { data, error, refetch } = useCall(question.operation, question.input, {
    ...(again !== undefined && { again }),
  })
  const fault = error === null ? null : faultOf(error)
  const answer = data as Parameters<typeof rowsOf>[1] | undefined
  const rows = answer === undefined ? null : rowsOf(grouping.by, answer)
  return (
    <Card
      title="Breakdown"
      actions={
        <span className="flex flex-wrap items-center gap-2">
          <Select
            aria-label="Break down by"
            className="w-36 text-sm"
            value={grouping.by}
            onChange={(event) => onChange({ by: event.target.value })}
          >
            {GROUPINGS.map(({ by, label }) => (
              <option key={by} value={by}>
                {`By ${label}`}
              </option>
            ))}
          </Select>
          {grouping.isOrdered && (
            <Select
              aria-label="Order of the breakdown"
              className="w-36 text-sm"
              value={order === 'error_rate' ? order : ''}
              onChange={(event) => onChange({ order: event.target.value || undefined })}
            >
              <option value="">Most requests</option>
              <option value="error_rate">Highest error rate</option>
            </Select>
          )}
          <ShowAs
            request={{ operation: operation(question.operation)!, input: question.input, options: {} }}
          />
        </span>
      }
    >
      {fault !== null && !told.some((one) => isSameFault(one, fault)) && (
        <FaultBox fault={fault} retry={() => void refetch()} />
      )}
      {rows === null && error === null && <SkeletonRows rows={10} />}
      {rows?.length === 0 && <p className="text-muted">No requests in this period.</p>}
      {rows !== null && rows.length > 0 && (
        <Rows label={grouping.label} rows={rows} asked={asked} onNarrow={onChange} />
      )}
      {answer?.truncated === true && (
        <p className="mt-2">
          <Status state="warn">Incomplete</Status> Some requests or rows are not counted. Choose a shorter
          period or more filters.
        </p>
      )}
    </Card>
  )
}

interface RowsProps {
  readonly label: string
  readonly rows: readonly Row[]
  readonly asked: Readonly<Record<string, string>>
  readonly onNarrow: (filter: Readonly<Record<string, string>>) => void
}

const HEAD = 'px-2 py-1 text-left font-medium text-muted'
const NUMBER = 'px-2 py-1 text-right tabular-nums'

function Rows({ label, rows, asked, onNarrow }: RowsProps) {
  const most = Math.max(...rows.map(({ requests }) => requests))
  return (
    <div role="region" aria-label={`Requests by ${label}`} tabIndex={0} className="overflow-x-auto">
      <table className="w-full text-sm">
        <thead>
          <tr className="border-b border-line">
            <th className={HEAD}>{label}</th>
            <th className={`${HEAD} max-sm:hidden w-40`}>
              <span className="sr-only">Share</span>
            </th>
            <th className={`${HEAD} text-right`}>Requests</th>
            <th className={`${HEAD} text-right max-sm:hidden`}>Errors</th>
            <th className={`${HEAD} text-right`}>Error rate</th>
            <th className={`${HEAD} text-right max-md:hidden`}>p50 ms</th>
            <th className={`${HEAD} text-right max-sm:hidden`}>p95 ms</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ key, name, filter, requests, errors, errorRate, p50, p95 }) => (
            <tr key={key} className="border-b border-line last:border-0">
              <td className="px-2 py-1">
                {filter === null ? (
                  <code className="break-all">{name}</code>
                ) : (
                  <button
                    type="button"
                    className="text-left break-all underline"
                    title={`Narrow to ${name}`}
                    onClick={() => onNarrow(filter)}
                  >
                    {name}
                  </button>
                )}
              </td>
              <td className="px-2 py-1 max-sm:hidden">
                <Meter label={`Requests of ${name}, compared with the most`} value={requests} max={most} />
              </td>
              <td className={NUMBER}>
                {filter === null ? (
                  shown(requests)
                ) : (
                  <Link
                    to="/$resource"
                    params={{ resource: 'records' }}
                    search={{ ...asked, ...filter } as never}
                    title={`Records of ${name}`}
                    className="underline"
                  >
                    {shown(requests)}
                  </Link>
                )}
              </td>
              <td className={`${NUMBER} max-sm:hidden`}>{shown(errors)}</td>
              <td className={NUMBER}>{errorRate === null ? '–' : `${(errorRate * 100).toFixed(1)} %`}</td>
              <td className={`${NUMBER} max-md:hidden`}>{shown(p50)}</td>
              <td className={`${NUMBER} max-sm:hidden`}>{shown(p95)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

function shown(value: number | null): string {
  return value === null ? '–' : value.toLocaleString('en', { maximumFractionDigits: value < 10 ? 1 : 0 })
}
