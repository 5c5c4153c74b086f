import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import { CircleCheck, CircleDashed } from 'lucide-react'
import { client, faultOf, type Output, useMay, useSession } from '../../api/client.ts'
import { one } from '../../app/search.ts'
import { Select } from '../../kit/controls.tsx'
import { Figures } from '../../kit/figures.tsx'
import { Card, FaultBox, Page, ProblemCode, SkeletonRows } from '../../kit/page.tsx'
import { Badge, Status } from '../../kit/status.tsx'
import { counted } from '../../schema/value.ts'
import { isAgent, isAnswered, recordsOf, type StepFacts, stepsOf } from './steps.ts'
import { Traffic } from './traffic.tsx'
import { AGAIN_MS, type Items, useItems } from './use-items.ts'
import { Expiring, Waiting } from './waiting.tsx'

type Totals = NonNullable<Output<'metrics.overview'>['before']>

const RANGES = [
  { name: '1h', label: 'Last hour', ms: 3_600_000 },
  { name: '24h', label: 'Last 24 hours', ms: 86_400_000 },
  { name: '7d', label: 'Last 7 days', ms: 7 * 86_400_000 },
] as const
const MINUTE = 60_000
const SHOWN_FAILING = 5

export default function Home() {
  const session = useSession()
  const may = useMay()
  const search = useSearch({ strict: false })
  const navigate = useNavigate()
  const range = RANGES.find(({ name }) => name === one(search['range'])) ?? RANGES[0]
  const instance = session?.instance
  // Asked for here alone: a card that asked anew when it appears would hide all cards until the answer, and so itself
  const overview = useOverview(range.ms)
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
      {may('metrics.overview') && <Overview overview={overview} />}
      <Cards ms={range.ms} overview={overview} />
    </Page>
  )
}

/** Which cards there are depends on the figures: until they are known, nothing is shown that would move. */
function Cards({ ms, overview }: { ms: number; overview: OverviewQuery }) {
  const may = useMay()
  const { data: figures, error } = overview
  const isKnown = figures !== undefined || error !== null || !may('metrics.overview')
  const isCalled = figures !== undefined && figures.requests > 0 && figures.clients !== 0
  const isCalledByAgents = isCalled && figures.from_agents > 0
  // Calls by agents in the period say the same as the latest records
  const latest = useItems(
    'records.list',
    { limit: 50, outcome_class: 'success', fields: 'id,surface,client,status' },
    isKnown && !isCalledByAgents,
  )
  const records = latest.items ?? []
  const isUsed =
    isCalledByAgents ||
    (latest.items === null ? isCalled && figures.errors < figures.requests : records.some(isAnswered))
  const isUsedByAgents = isCalledByAgents || (!isCalled && records.some(({ surface }) => isAgent(surface)))
  if (!isKnown || latest.isLoading) return <SkeletonRows rows={5} />
  return (
    <div className="grid items-start gap-4 grid-cols-1 lg:grid-cols-2">
      <div className="flex min-w-0 flex-col gap-4">
        {!isCalledByAgents && <FirstSteps isUsed={isUsed} latest={latest} />}
        {may('metrics.error_endpoints') && <Failing ms={ms} overview={overview} />}
      </div>
      <div className="flex min-w-0 flex-col gap-4">
        <Waiting isUsed={isUsed} isUsedByAgents={isUsedByAgents} />
        <Expiring />
      </div>
    </div>
  )
}

/** Whole minutes with the one that is under way, so that the same question is asked once in a minute and no call is missing. */
function periodOf(ms: number): { from: string; to: string } {
  const to = Math.ceil(Date.now() / MINUTE) * MINUTE
  return { from: new Date(to - ms).toISOString(), to: new Date(to).toISOString() }
}

function useOverview(ms: number) {
  const may = useMay()
  return useQuery({
    queryKey: ['metrics.overview', ms],
    queryFn: async () =>
      (await client.call('metrics.overview', { ...periodOf(ms), before: true, points: true })).body,
    enabled: may('metrics.overview'),
    refetchInterval: AGAIN_MS,
  })
}

type OverviewQuery = ReturnType<typeof useOverview>

function Overview({ overview }: { overview: OverviewQuery }) {
  const { data: now, error, refetch } = overview
  if (error !== null) return <FaultBox fault={faultOf(error)} retry={() => void refetch()} />
  const figure = (label: string, unit: string, value: (totals: Totals) => number | null) => ({
    label,
    unit,
    value: now === undefined ? null : value(now),
    before: now?.before == null ? null : now.before.requests === 0 ? ('none' as const) : value(now.before),
  })
  const figures = [
    figure('Requests', '', ({ requests }) => requests),
    figure('Errors', '%', ({ error_rate }) => error_rate * 100),
    figure('p95 duration', 'ms', ({ duration_ms }) => duration_ms.p95),
    figure('From agents', '', ({ from_agents }) => from_agents),
    figure('Clients', '', ({ clients }) => clients),
  ]
  return (
    <div className="flex flex-col gap-3">
      <Figures figures={figures} isLoading={now === undefined} />
      <Traffic points={now?.points ?? null} isLoading={now === undefined} />
      {now?.truncated === true && (
        <p>
          <Status state="warn">Incomplete</Status> Figures count requests from {now.complete_from} on.
        </p>
      )}
    </div>
  )
}

interface FirstStepsProps {
  /** Clients have called and got an answer below 400: what a call needs is there. */
  readonly isUsed: boolean
  /** Latest calls that were answered below 400. */
  readonly latest: Items<NonNullable<StepFacts['records']>[number]>
}

/** The steps of a new instance. */
function FirstSteps({ isUsed, latest }: FirstStepsProps) {
  const collections = useItems('collections.list', { limit: 50, fields: 'id,status' }, !isUsed)
  // A client without a profile cannot call: one question tells of both
  const profiles = useItems('profiles.list', { limit: 1, fields: 'slug,client' }, !isUsed)
  const failed = [latest, collections, profiles].filter(({ fault }) => fault !== null)
  const [first] = profiles.items ?? []
  const profile = first === undefined ? null : `${first.client}:${first.slug}`
  const steps = stepsOf({
    isUsed,
    collections: collections.items,
    clients: profiles.items,
    records: latest.items,
    profile,
  })
  const title = isUsed ? 'What to do next' : 'First steps'
  // A step that is done must not be shown as open
  if (failed.length > 0)
    return (
      <Card title={title}>
        {failed.map(({ fault, retry }, index) => (
          <FaultBox key={index} fault={fault!} retry={retry} />
        ))}
      </Card>
    )
  return (
    <Card title={title}>
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

function Failing({ ms, overview }: { ms: number; overview: OverviewQuery }) {
  const range = RANGES.find((one) => one.ms === ms)!.name
  const { data: figures, error } = overview
  const hasFailed = figures !== undefined && figures.errors > 0
  const query = useQuery({
    queryKey: ['metrics.error_endpoints', ms],
    queryFn: async () =>
      (
        await client.call('metrics.error_endpoints', {
          ...periodOf(ms),
          order: 'errors',
          limit: SHOWN_FAILING,
        })
      ).body,
    enabled: hasFailed,
    refetchInterval: AGAIN_MS,
  })
  const items = query.data?.items ?? []
  const isLoading = figures === undefined || (hasFailed && query.isPending)
  // The figures above say why
  if (figures === undefined && error !== null) return null
  return (
    <Card title="Refusals and errors">
      {isLoading ? (
        <SkeletonRows rows={SHOWN_FAILING} height={28} />
      ) : query.error !== null ? (
        <FaultBox fault={faultOf(query.error)} retry={() => void query.refetch()} />
      ) : items.length === 0 ? (
        <p className="text-muted">No call was refused or failed in this period.</p>
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
                {counted(errors, 'error')}, {(error_rate * 100).toFixed(1)} %
                {codes[0] !== undefined && (
                  <>
                    , mostly <ProblemCode code={codes[0].code} isRead />
                  </>
                )}
              </span>
            </li>
          ))}
        </ul>
      )}
    </Card>
  )
}
