import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import { CircleCheck, CircleDashed } from 'lucide-react'
import { client, type Input, type OperationName } from '../../api/client.ts'
import { faultOf } from '../../api/problem.ts'
import { useMay, useSession } from '../../api/session.ts'
import { one } from '../../app/search.ts'
import { Figures } from '../../kit/figures.tsx'
import { Select } from '../../kit/inputs.tsx'
import { Card, Page } from '../../kit/page.tsx'
import { FaultBox, SkeletonRows } from '../../kit/states.tsx'
import { Badge, Status } from '../../kit/status.tsx'
import { isObject } from '../../schema/value.ts'
import { recordsOf, stepsOf } from './steps.ts'

const RANGES = [
  { name: '1h', label: 'Last hour', ms: 3_600_000 },
  { name: '24h', label: 'Last 24 hours', ms: 86_400_000 },
  { name: '7d', label: 'Last 7 days', ms: 7 * 86_400_000 },
] as const
/** Figures are fetched anew this often, milliseconds. */
const AGAIN_MS = 15_000
const MINUTE = 60_000
const SHOWN_FAILING = 5

/** The latest items of a list; null if the person may not see it. */
function useItems(
  name: OperationName,
  input: object,
  isAsked = true,
): readonly Record<string, unknown>[] | null {
  const may = useMay()
  const query = useQuery({
    queryKey: [name, 'home', input],
    queryFn: async () => {
      const { body } = await client.call(name, input as Input<OperationName>)
      return (body as unknown as { readonly items: readonly Record<string, unknown>[] }).items
    },
    enabled: isAsked && may(name),
    refetchInterval: AGAIN_MS,
  })
  return may(name) ? (query.data ?? []) : null
}

export default function Home() {
  const session = useSession()
  const may = useMay()
  const search = useSearch({ strict: false })
  const navigate = useNavigate()
  const range = RANGES.find(({ name }) => name === one(search['range'])) ?? RANGES[1]
  const instance = session?.instance
  return (
    <Page
      name="Home"
      title={
        <>
          Home
          {instance?.environment != null && (
            <Badge tone={instance.production ? 'accent' : 'plain'}>{instance.environment}</Badge>
          )}
        </>
      }
      lead={session === null ? undefined : `Signed in as ${session.name}`}
      actions={
        <Select
          aria-label="Period"
          className="w-40"
          value={range.name}
          onChange={(event) => void navigate({ to: '/', search: { range: event.target.value } })}
        >
          {RANGES.map(({ name, label }) => (
            <option key={name} value={name}>
              {label}
            </option>
          ))}
        </Select>
      }
    >
      {may('metrics.overview') && <Overview ms={range.ms} />}
      <Cards ms={range.ms} />
    </Page>
  )
}

/** Which cards there are depends on the figures: until they are known, nothing is shown that would move. */
function Cards({ ms }: { ms: number }) {
  const may = useMay()
  const { data: figures, error } = useOverview(ms, 0)
  const isInUse = figures !== undefined && figures.from_agents > 0 && figures.clients !== 0
  const isKnown = figures !== undefined || error !== null || !may('metrics.overview')
  return (
    <div className="grid items-start gap-4 grid-cols-1 lg:grid-cols-2">
      {isKnown ? (
        <>
          {!isInUse && <FirstSteps />}
          {may('metrics.error_endpoints') && <Failing ms={ms} />}
          <Waiting />
        </>
      ) : (
        <SkeletonRows rows={5} />
      )}
    </div>
  )
}

/** Whole minutes with the one that is under way, so that the same question is asked once in a minute and no call is missing. */
function periodOf(ms: number, back: number): { from: string; to: string } {
  const now = Math.ceil(Date.now() / MINUTE) * MINUTE
  const to = now - back * ms
  return { from: new Date(to - ms).toISOString(), to: new Date(to).toISOString() }
}

function useOverview(ms: number, back: number, isAsked = true) {
  const may = useMay()
  return useQuery({
    queryKey: ['metrics.overview', ms, back],
    queryFn: async () => (await client.call('metrics.overview', periodOf(ms, back))).body,
    enabled: isAsked && may('metrics.overview'),
    refetchInterval: AGAIN_MS,
  })
}

function Overview({ ms }: { ms: number }) {
  const now = useOverview(ms, 0)
  const before = useOverview(ms, 1, now.data !== undefined && now.data.requests > 0)
  if (now.error !== null) return <FaultBox fault={faultOf(now.error)} retry={() => void now.refetch()} />
  const figures = [
    { label: 'Requests', value: now.data?.requests ?? null, before: before.data?.requests ?? null, unit: '' },
    {
      label: 'Errors',
      value: now.data === undefined ? null : now.data.error_rate * 100,
      before: before.data === undefined ? null : before.data.error_rate * 100,
      unit: '%',
    },
    {
      label: 'p95 duration',
      value: now.data?.duration_ms.p95 ?? null,
      before: before.data?.duration_ms.p95 ?? null,
      unit: 'ms',
    },
    {
      label: 'From agents',
      value: now.data?.from_agents ?? null,
      before: before.data?.from_agents ?? null,
      unit: '',
    },
    { label: 'Clients', value: now.data?.clients ?? null, before: before.data?.clients ?? null, unit: '' },
  ]
  return (
    <div className="flex flex-col gap-3">
      <Figures figures={figures} isLoading={now.data === undefined} />
      {now.data?.truncated === true && (
        <p>
          <Status state="warn">Incomplete</Status> Figures count requests from {now.data.complete_from} on.
        </p>
      )}
    </div>
  )
}

/** The steps of a new instance. Where agents call already, all of them are done. */
function FirstSteps() {
  const collections = useItems('collections.list', { limit: 50, fields: 'id,status' })
  const clients = useItems('clients.list', { limit: 1, fields: 'id' })
  const mayHaveCalls = clients === null || clients.length > 0
  const records = useItems('records.list', { limit: 50, fields: 'id,surface' }, mayHaveCalls)
  const steps = stepsOf({ collections, clients, records })
  return (
    <Card title="First steps">
      <ol className="flex flex-col gap-2">
        {steps.map(({ label, hint, isDone, to }) => (
          <li key={label} className="flex items-start gap-2">
            {isDone === true ? (
              <CircleCheck size={16} aria-hidden="true" className="mt-0.5 shrink-0 text-ok" />
            ) : (
              <CircleDashed size={16} aria-hidden="true" className="mt-0.5 shrink-0 text-muted" />
            )}
            <span>
              <Link to={to} className="font-medium underline">
                {label}
              </Link>
              <span className="text-sm text-muted"> {isDone === true ? 'done' : 'open'}</span>
              <span className="block text-sm text-muted">{hint}</span>
            </span>
          </li>
        ))}
      </ol>
    </Card>
  )
}

function Failing({ ms }: { ms: number }) {
  const range = RANGES.find((one) => one.ms === ms)!.name
  const { data: figures } = useOverview(ms, 0)
  const hasFailed = figures !== undefined && figures.errors > 0
  const query = useQuery({
    queryKey: ['metrics.error_endpoints', ms],
    queryFn: async () =>
      (
        await client.call('metrics.error_endpoints', {
          ...periodOf(ms, 0),
          order: 'errors',
          limit: SHOWN_FAILING,
        })
      ).body,
    enabled: hasFailed,
    refetchInterval: AGAIN_MS,
  })
  const items = query.data?.items ?? []
  const isLoading = figures === undefined || (hasFailed && query.isPending)
  return (
    <Card title="Failing endpoints">
      {isLoading ? (
        <SkeletonRows rows={SHOWN_FAILING} height={28} />
      ) : items.length === 0 ? (
        <p className="text-muted">No endpoint failed in this period.</p>
      ) : (
        <ul className="flex flex-col gap-2">
          {items.map(({ endpoint, errors, error_rate, codes }) => (
            <li key={endpoint} className="flex flex-wrap items-baseline justify-between gap-x-3">
              <Link
                to="/$resource"
                params={{ resource: 'records' }}
                search={recordsOf(endpoint, codes[0]?.code, range) as never}
                title={`Records of ${endpoint}`}
                className="min-w-0 underline"
              >
                <code className="break-all">{endpoint}</code>
              </Link>
              <span className="text-sm text-muted tabular-nums">
                {errors === 1 ? '1 error' : `${errors.toLocaleString('en')} errors`},{' '}
                {(error_rate * 100).toFixed(1)} %{codes[0] !== undefined && `, mostly ${codes[0].code}`}
              </span>
            </li>
          ))}
        </ul>
      )}
    </Card>
  )
}

function Waiting() {
  const changes = useItems('change_requests.list', { limit: 5, state: 'open' })
  const stale = useItems('credentials.stale', { limit: 5 })
  if (changes === null && stale === null) return null
  const isEmpty = (changes ?? []).length === 0 && (stale ?? []).length === 0
  return (
    <Card title="What waits, what expires">
      {isEmpty && <p className="text-muted">Nothing waits, and nothing expires.</p>}
      <ul className="flex flex-col gap-2">
        {(changes ?? []).map((item) => (
          <li key={String(item['id'])} className="flex flex-wrap items-baseline gap-x-2">
            <Status state="pending">Waits for approval</Status>
            <Link
              to="/$resource/$id"
              params={{ resource: 'change_requests', id: String(item['id']) }}
              className="underline"
            >
              {String(item['operation'] ?? item['id'])}
            </Link>
            <code className="min-w-0 break-all">{nameIn(item['resource'], 'slug')}</code>
            <span className="text-muted">{nameIn(item['requester'], 'name')}</span>
          </li>
        ))}
        {(stale ?? []).map((item) => (
          <li key={`${item['type']} ${item['ref']}`} className="flex flex-wrap items-baseline gap-x-2">
            <Status state={[item['why']].flat().includes('expired') ? 'bad' : 'warn'}>
              {[item['why']].flat().join(', ').replaceAll('_', ' ')}
            </Status>
            <span>
              {String(item['type'])} <code>{String(item['ref'])}</code>
            </span>
          </li>
        ))}
      </ul>
    </Card>
  )
}

function nameIn(value: unknown, member: string): string {
  return isObject(value) && typeof value[member] === 'string' ? value[member] : ''
}
