import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import { ZoomOut } from 'lucide-react'
import { useMemo, useState } from 'react'
import { faultOf, type Input, isSameFault, operation, useCall, useMay, useSchemas } from '../../api/client.ts'
import { one, type Search } from '../../app/search.ts'
import { Chart } from '../../kit/chart.tsx'
import { Button, Select } from '../../kit/controls.tsx'
import { Figures } from '../../kit/figures.tsx'
import { Card, FaultBox, Forbidden, Page } from '../../kit/page.tsx'
import { Status } from '../../kit/status.tsx'
import { filtersOf } from '../../schema/columns.ts'
import { counted } from '../../schema/value.ts'
import { ShowAs } from '../../show-as/show-as.tsx'
import { FilterBar } from '../../tables/filters.tsx'
import { durationOf } from '../records/sentence.ts'
import { Breakdown } from './breakdown.tsx'
import { durationsSummary, linesOf, type OverTime, requestsSummary } from './lines.ts'
import { askedOf, brushed, isMoving, type Period, periodBefore, widthMs, zoomedOut } from './period.ts'

const TITLE = 'Analytics'
const RANGES = [
  { from: '-1h', label: 'Last hour' },
  { from: '-24h', label: 'Last 24 hours' },
  { from: '-7d', label: 'Last 7 days' },
  { from: '-30d', label: 'Last 30 days' },
  { from: '-90d', label: 'Last 90 days' },
]
/** A time that goes on is asked for anew this often, milliseconds. */
const AGAIN_MS = 30_000

/** Requests, errors and durations over time, and by what they are made of. The address holds time, filters and grouping. */
export default function Analytics() {
  const may = useMay()
  if (may('metrics.over_time')) return <Charts />
  return (
    <Page name={TITLE} title={TITLE}>
      <Forbidden permission={operation('metrics.over_time')!.permission} />
    </Page>
  )
}

/** The answer, and that for the period before where it is compared. */
function useMetrics(search: Search) {
  const asked = useMemo(() => askedOf(search), [search])
  const again = isMoving(search) ? { again: AGAIN_MS } : {}
  const isCompared = one(search['compare']) === 'true'
  const now = useCall('metrics.over_time', asked as Input<'metrics.over_time'>, again)
  const total = useCall('metrics.overview', asked as Input<'metrics.overview'>, again)
  const width = now.data === undefined ? 0 : widthMs(now.data.bucket)
  const past = now.data === undefined || width === 0 ? null : periodBefore(periodOf(now.data), width)
  const pastAsked = {
    ...asked,
    ...(past !== null && { from: new Date(past.from).toISOString(), to: new Date(past.to).toISOString() }),
  }
  const wantsPast = { enabled: isCompared && past !== null, isKept: true }
  const before = useCall(
    'metrics.over_time',
    {
      ...pastAsked,
      ...(now.data !== undefined && { bucket: now.data.bucket }),
    } as Input<'metrics.over_time'>,
    wantsPast,
  )
  const totalBefore = useCall('metrics.overview', pastAsked as Input<'metrics.overview'>, wantsPast)
  return {
    asked,
    now,
    total,
    width,
    shift: past?.shift ?? 0,
    before: isCompared ? before.data : undefined,
    totalBefore: isCompared ? totalBefore.data : undefined,
    isCompared,
  }
}

function periodOf({ from, to }: { readonly from: string; readonly to: string }): Period {
  return { from: Date.parse(from), to: Date.parse(to) }
}

function Charts() {
  const search = useSearch({ strict: false }) as Search
  const navigate = useNavigate()
  const schemas = useSchemas('metrics')
  const { asked, now, total, width, shift, before, totalBefore, isCompared } = useMetrics(search)
  const change = (changes: Readonly<Record<string, string | readonly string[] | undefined>>): void => {
    navigate({ to: '.', search: { ...search, ...changes } as never }).catch(() => {})
  }
  const changePeriod = ({ from, to }: Period): void =>
    change({ from: new Date(from).toISOString(), to: new Date(to).toISOString() })
  const hasP99 = one(search['p99']) === 'true'
  const lines = useMemo(
    () => (now.data === undefined ? null : linesOf(now.data, before ?? null, { shift, width, hasP99 })),
    [now.data, before, shift, width, hasP99],
  )
  const faults = [now.error, total.error]
    .flatMap((error) => (error === null ? [] : [faultOf(error)]))
    .filter((fault, index, all) => all.findIndex((other) => isSameFault(other, fault)) === index)
  const frame =
    now.data === undefined || lines === null
      ? null
      : {
          times: lines.times,
          isRunning: lines.isRunning,
          range: [Date.parse(now.data.from) / 1000, Date.parse(now.data.to) / 1000] as const,
          unknown: now.data.truncated
            ? ([Date.parse(now.data.from) / 1000, Date.parse(now.data.complete_from) / 1000] as const)
            : null,
          onBrush: (from: number, to: number) =>
            changePeriod(brushed({ from: from * 1000, to: to * 1000 }, width)),
        }
  return (
    <Page
      name={TITLE}
      title={TITLE}
      lead="Requests, errors and durations, counted from the records. Times are in UTC."
      actions={
        <>
          <Button
            aria-pressed={isCompared}
            tone={isCompared ? 'primary' : 'plain'}
            onClick={() => change({ compare: isCompared ? undefined : 'true' })}
          >
            Compare with the period before
          </Button>
          <Button
            icon={ZoomOut}
            disabled={now.data === undefined}
            onClick={() => now.data !== undefined && changePeriod(zoomedOut(periodOf(now.data), Date.now()))}
          >
            Zoom out
          </Button>
          <ShowAs request={{ operation: operation('metrics.over_time')!, input: asked, options: {} }} />
        </>
      }
    >
      <div className="flex flex-wrap items-center gap-2">
        <RangeChoice search={search} onChange={change} />
        <FilterBar
          fields={
            schemas == null
              ? []
              : filtersOf(schemas, 'overview').filter(
                  ({ name }) => name !== 'before' && (name !== 'from' || !isRangeListed(search)),
                )
          }
          search={search}
          onChange={change}
        />
      </div>
      {faults.map((fault, index) => (
        <FaultBox
          key={index}
          fault={fault}
          retry={() => {
            for (const { error, refetch } of [now, total])
              if (error !== null && isSameFault(faultOf(error), fault)) void refetch()
          }}
        />
      ))}
      {total.error === null && (
        <Figures
          isLoading={total.data === undefined}
          isCompared={isCompared}
          figures={figuresOf(total.data, totalBefore)}
        />
      )}
      {now.data?.truncated === true && (
        <p>
          <Status state="warn">Incomplete</Status> Charts count requests from {now.data.complete_from} on.
          Choose a shorter time or more filters.
        </p>
      )}
      {now.error === null && (
        <div className="grid gap-4 grid-cols-1 lg:grid-cols-2">
          <Card title="Requests">
            {frame === null || now.data === undefined ? (
              <ChartSkeleton />
            ) : (
              <Chart
                {...frame}
                summary={requestsSummary(now.data)}
                series={lines!.requests}
                format={(value) => value.toLocaleString('en')}
              />
            )}
          </Card>
          <Card
            title="Duration"
            actions={
              <Button
                isSmall
                className="h-6!"
                aria-pressed={hasP99}
                tone={hasP99 ? 'primary' : 'plain'}
                onClick={() => change({ p99: hasP99 ? undefined : 'true' })}
              >
                p99
              </Button>
            }
          >
            {frame === null || now.data === undefined ? (
              <ChartSkeleton />
            ) : (
              <Chart
                {...frame}
                summary={durationsSummary(now.data)}
                series={lines!.durations}
                format={durationOf}
                axis={durationOf}
              />
            )}
          </Card>
        </div>
      )}
      {now.data !== undefined && <PointsDisclosure answer={now.data} width={width} asked={asked} />}
      <Breakdown
        search={search}
        asked={asked}
        told={faults}
        onChange={change}
        {...(isMoving(search) && { again: AGAIN_MS })}
      />
    </Page>
  )
}

/** Of the height of a chart with its legend. */
function ChartSkeleton() {
  return <div aria-hidden="true" className="skeleton h-57" />
}

function PointsDisclosure(props: {
  answer: OverTime
  width: number
  asked: Readonly<Record<string, string>>
}) {
  const [isOpen, setOpen] = useState(false)
  return (
    <details onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary className="text-sm">
        {`The charts as a table: ${counted(props.answer.items.length, 'point')} of ${props.answer.bucket}`}
      </summary>
      {isOpen && <PointsTable {...props} />}
    </details>
  )
}

/** True if the choice of times says all about the time. */
function isRangeListed(search: Search): boolean {
  const from = one(search['from']) ?? '-24h'
  return search['to'] === undefined && RANGES.some((range) => range.from === from)
}

function RangeChoice({
  search,
  onChange,
}: {
  search: Search
  onChange: (changes: Readonly<Record<string, string | undefined>>) => void
}) {
  const from = one(search['from']) ?? '-24h'
  const isListed = isRangeListed(search)
  return (
    <Select
      aria-label="Time range"
      className="w-40 text-sm"
      value={isListed ? from : ''}
      onChange={(event) => onChange({ from: event.target.value, to: undefined })}
    >
      {RANGES.map((range) => (
        <option key={range.from} value={range.from}>
          {range.label}
        </option>
      ))}
      {!isListed && (
        <option value="" disabled>
          From and to
        </option>
      )}
    </Select>
  )
}

type Overview = NonNullable<ReturnType<typeof useMetrics>['total']['data']>

function figuresOf(now: Overview | undefined, before: Overview | undefined) {
  const figure = (label: string, unit: string, value: (answer: Overview) => number | null) => ({
    label,
    unit,
    value: now === undefined ? null : value(now),
    before: before === undefined ? null : before.requests === 0 ? ('none' as const) : value(before),
  })
  return [
    figure('Requests', '', ({ requests }) => requests),
    figure('Errors', '%', ({ error_rate }) => error_rate * 100),
    figure('p95 duration', 'ms', ({ duration_ms }) => duration_ms.p95),
    figure('p95 in Postern', 'ms', ({ gateway_ms }) => gateway_ms.p95),
    figure('From agents', '', ({ from_agents }) => from_agents),
    figure('Clients', '', ({ clients }) => clients),
  ]
}

const NUMBER = 'px-2 py-1 text-right tabular-nums'

/** The points of the charts as a table. Each time leads to its records. */
export function PointsTable({
  answer,
  width,
  asked,
}: {
  answer: OverTime
  /** Of a point, milliseconds. */
  width: number
  asked: Readonly<Record<string, string>>
}) {
  return (
    <div
      role="region"
      aria-label="Figures of the charts"
      tabIndex={0}
      className="mt-2 max-h-80 overflow-auto rounded-md border border-line"
    >
      <table className="w-full text-sm">
        <thead className="sticky top-0 bg-raised">
          <tr>
            <th className="px-2 py-1 text-left">Time (UTC)</th>
            {['Requests', '4xx', '5xx', 'p50 ms', 'p95 ms', 'p99 ms'].map((label) => (
              <th key={label} className="px-2 py-1 text-right">
                {label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {answer.items.map(({ time, requests, client_errors, server_errors, duration_ms }) => (
            <tr key={time} className="border-t border-line">
              <td className="px-2 py-1 whitespace-nowrap">
                <Link
                  to="/$resource"
                  params={{ resource: 'records' }}
                  search={
                    { ...asked, from: time, to: new Date(Date.parse(time) + width).toISOString() } as never
                  }
                  title="Records of this time"
                  className="underline"
                >
                  {time.slice(0, 19).replace('T', ' ')}
                </Link>
              </td>
              <td className={NUMBER}>{requests}</td>
              <td className={NUMBER}>{client_errors}</td>
              <td className={NUMBER}>{server_errors}</td>
              <td className={NUMBER}>{duration_ms.p50 ?? '–'}</td>
              <td className={NUMBER}>{duration_ms.p95 ?? '–'}</td>
              <td className={NUMBER}>{duration_ms.p99 ?? '–'}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
