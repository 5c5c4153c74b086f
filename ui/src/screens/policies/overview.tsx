import { Link } from '@tanstack/react-router'
import { faultOf, type Output, useCall, useMay } from '../../api/client.ts'
import { Meter } from '../../kit/figures.tsx'
import { Card, FaultBox, SkeletonRows } from '../../kit/page.tsx'
import { Badge, Status } from '../../kit/status.tsx'
import { Time } from '../../kit/text.tsx'
import type { PartProps } from '../hand-made.ts'
import { Overview } from '../resources/overview.tsx'
import { byLimit, limitsOf, sentenceOf } from './limits.ts'

/** Usage is fetched anew this often, milliseconds. */
const AGAIN_MS = 3000
const TONES = { ok: 'ok', warning: 'warn', exceeded: 'bad', unknown: 'ok' } as const

type Counter = Output<'policies.usage'>['items'][number]

/** A policy: its limits as sentences, and how much of them is used now. */
export default function PolicyOverview({ resource, slug, value, schemas }: PartProps) {
  const may = useMay()
  const limits = limitsOf(value)
  return (
    <Overview
      resource={resource}
      slug={slug}
      value={value}
      schemas={schemas}
      without={['limits', 'rate', 'quota']}
    >
      <Card title="Limits">
        {limits.length === 0 && (
          <p className="text-muted">This policy has no limits. It refuses no requests.</p>
        )}
        <ul className="flex flex-col gap-2">
          {limits.map((limit) => (
            <li key={limit.name} className="flex flex-wrap items-baseline gap-2">
              <code>{limit.name}</code>
              <span>{sentenceOf(limit)}</span>
              {limit.mode === 'observe' && <Badge tone="dashed">observe</Badge>}
            </li>
          ))}
        </ul>
      </Card>
      {may('policies.usage') && (
        <Usage slug={slug} isActive={value['active'] !== false} limits={limits.map(({ name }) => name)} />
      )}
    </Overview>
  )
}

interface UsageProps {
  readonly slug: string
  readonly isActive: boolean
  /** Names of the limits, in the order of the policy. */
  readonly limits: readonly string[]
}

function Usage({ slug, isActive, limits }: UsageProps) {
  const query = useCall('policies.usage', { id: slug }, { again: AGAIN_MS })
  if (query.error !== null)
    return (
      <Card title="Usage now">
        <FaultBox fault={faultOf(query.error)} retry={() => void query.refetch()} />
      </Card>
    )
  const items = query.data?.items ?? []
  return (
    <Card
      title="Usage now"
      actions={<span className="text-sm text-muted">Counted by all gateway threads, every 3 s</span>}
    >
      {query.data === undefined ? (
        <SkeletonRows rows={3} />
      ) : !isActive ? (
        <p className="text-muted">The policy is inactive. It counts nothing.</p>
      ) : items.length === 0 ? (
        <p className="text-muted">
          No counter yet. Attach the policy to a client, profile, collection or proxy, and send a request.
        </p>
      ) : (
        <div className="flex flex-col gap-5">
          {byLimit(items, limits).map(({ limit, used, idle }) => (
            <section key={limit} aria-label={`Usage of ${limit}`} className="flex flex-col gap-3">
              <h3 className="text-sm font-semibold">
                <code>{limit}</code>
              </h3>
              <ul className="flex flex-col gap-3 empty:hidden">
                {used.map((item, index) => (
                  <li key={index} className="flex flex-col gap-1">
                    <CounterLine item={item} />
                  </li>
                ))}
              </ul>
              {idle.length > 0 && <Idle items={idle} />}
            </section>
          ))}
        </div>
      )}
      {query.data?.truncated === true && <p className="mt-2 text-sm text-muted">More counters exist.</p>}
    </Card>
  )
}

/** Counters at zero, folded: who has not used the limit. */
function Idle({ items }: { items: readonly Counter[] }) {
  return (
    <details>
      <summary className="text-sm text-muted">
        {items.length === 1 ? '1 counter is' : `${items.length.toLocaleString('en')} counters are`} at zero
      </summary>
      <ul className="flex flex-wrap gap-x-4 gap-y-1 pt-2">
        {items.map((item, index) => (
          <li key={index}>
            <Holder item={item} />
          </li>
        ))}
      </ul>
    </details>
  )
}

/** Whom a counter counts for. */
function Holder({ item }: { item: Counter }) {
  const holder = holderOf(item)
  return (
    <>
      {holder === null ? (
        'All callers'
      ) : (
        <Link to="/$resource/$id" params={holder} className="underline">
          {holder.id}
        </Link>
      )}
      {item.value !== null && <span className="text-muted"> {item.value}</span>}
    </>
  )
}

function CounterLine({ item }: { item: Counter }) {
  const used = item.used ?? 0
  const holder = holderOf(item)
  return (
    <>
      <div className="flex flex-wrap items-baseline justify-between gap-x-3">
        <span>
          <Holder item={item} />
        </span>
        <span className="text-sm text-muted tabular-nums">
          {item.used === null ? 'not known' : used.toLocaleString('en')} of {item.max.toLocaleString('en')}
          {item.refused > 0 &&
            `, ${item.refused.toLocaleString('en')} ${item.mode === 'observe' ? 'would be ' : ''}refused`}
          {item.reset_at !== null && (
            <>
              , more <Time value={item.reset_at} />
            </>
          )}
        </span>
      </div>
      <Meter
        label={`${item.limit} of ${holder?.id ?? 'all callers'}`}
        value={used}
        max={item.max}
        tone={TONES[item.state]}
      />
      {item.state === 'exceeded' && <Status state="bad">Used up</Status>}
      {item.state === 'warning' && <Status state="warn">Nearly used up</Status>}
    </>
  )
}

/** The most exact holder of a counter. */
function holderOf(item: Counter): { readonly resource: string; readonly id: string } | null {
  if (item.profile !== null)
    return { resource: 'profiles', id: [item.client, item.profile].filter(Boolean).join(':') }
  if (item.client !== null) return { resource: 'clients', id: item.client }
  if (item.proxy !== null)
    return { resource: 'proxies', id: [item.collection, item.proxy].filter(Boolean).join(':') }
  if (item.collection !== null) return { resource: 'collections', id: item.collection }
  if (item.virtual_mcp !== null) return { resource: 'virtual_mcps', id: item.virtual_mcp }
  if (item.origin !== null) return { resource: 'origins', id: item.origin }
  return null
}
