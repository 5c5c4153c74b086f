import { Link } from '@tanstack/react-router'
import { FileUp, Plus } from 'lucide-react'
import type { JsonObject } from '../../../build/document.ts'
import { faultOf, type Output, useCall, useMay, useSession } from '../../api/client.ts'
import { RunButton } from '../../forms/operation-form.tsx'
import { buttonClasses } from '../../kit/controls.tsx'
import { Card, FaultBox, SkeletonRows } from '../../kit/page.tsx'
import { Badge, type State, Status } from '../../kit/status.tsx'
import { CodeBlock, Time } from '../../kit/text.tsx'
import { counted } from '../../schema/value.ts'
import type { PartProps } from '../hand-made.ts'
import { publicUrl, targetOf } from '../proxies/target.ts'
import { Overview } from '../resources/overview.tsx'

/** Proxies that are shown on the page of their collection. */
const PROXIES_MAX = 10
/** Health is fetched anew this often, milliseconds. */
const AGAIN_MS = 5000

/** A collection: the health of its upstream, its first proxies, and how well callers keep its contract. */
export default function CollectionOverview(props: PartProps) {
  const may = useMay()
  const { value } = props
  const isPublished = value['status'] === 'published'
  return (
    <Overview {...props}>
      <PublicUrl collection={value} isPublished={isPublished} />
      {isPublished && may('collections.health') && <Health slug={props.slug} />}
      {may('collections.proxies') && <Proxies {...props} />}
      {(value['request_validation'] !== 'off' || value['response_validation'] !== 'off') &&
        may('collections.contract_report') && <Contract {...props} />}
    </Overview>
  )
}

interface PublicUrlProps {
  readonly collection: JsonObject
  /** A proxy of the collection. Default: the URL of the collection itself. */
  readonly proxy?: JsonObject
  readonly isPublished: boolean
}

/** The URL that callers use. */
export function PublicUrl({ collection, proxy, isPublished }: PublicUrlProps) {
  const gateway = useSession()?.instance.gateway_url ?? ''
  const base = String(collection['base_path'] ?? '')
  const target = proxy === undefined ? base : targetOf(proxy, base).target
  return (
    <Card title="Public URL">
      <CodeBlock label="Public URL" text={publicUrl(gateway, collection, target)} />
      {!isPublished && (
        <p className="mt-2">
          <Status state="draft">draft</Status> The gateway returns 404 here until{' '}
          {proxy === undefined ? 'the collection is' : 'the proxy and its collection are'} published.
        </p>
      )}
    </Card>
  )
}

function Proxies({ slug }: PartProps) {
  const may = useMay()
  const query = useCall('collections.proxies', {
    id: slug,
    limit: PROXIES_MAX,
    fields: 'id,slug,name,methods,path,status,deprecated',
  })
  const items = query.data?.items ?? []
  return (
    <Card
      title="Proxies"
      actions={
        <span className="flex flex-wrap gap-2">
          {may('collections.reimport') && (
            <Link
              to="/$resource/$id"
              params={{ resource: 'collections', id: 'import' }}
              search={{ collection: slug }}
              className={buttonClasses('plain', true)}
            >
              <FileUp size={16} aria-hidden="true" />
              Import a newer description
            </Link>
          )}
          {may('proxies.create') && (
            <Link
              to="/$resource/new"
              params={{ resource: 'proxies' }}
              search={{ collection: slug }}
              className={buttonClasses('plain', true)}
            >
              <Plus size={16} aria-hidden="true" />
              New proxy
            </Link>
          )}
        </span>
      }
    >
      {query.error !== null && <FaultBox fault={faultOf(query.error)} retry={() => void query.refetch()} />}
      {query.isPending && <SkeletonRows rows={4} />}
      {query.data !== undefined && items.length === 0 && (
        <p className="text-muted">No proxy yet. A proxy publishes an endpoint of the upstream.</p>
      )}
      <ul>
        {items.map((item) => (
          <li
            key={item.id}
            className="grid grid-cols-[minmax(0,1fr)_auto] items-baseline gap-x-3 border-t border-line py-1 first:border-0 sm:grid-cols-[80px_minmax(0,1fr)_minmax(0,1fr)_96px]"
          >
            <span className="inline-flex flex-wrap gap-1 max-sm:col-span-2">
              {item.methods.map((method) => (
                <Badge key={method}>{method}</Badge>
              ))}
            </span>
            <Link
              to="/$resource/$id"
              params={{ resource: 'proxies', id: item.id }}
              className="truncate no-underline hover:underline"
            >
              {item.name}
            </Link>
            <code className="break-all max-sm:hidden">{item.path}</code>
            <Status state={item.status === 'published' ? 'ok' : 'draft'}>{item.status}</Status>
          </li>
        ))}
      </ul>
      {query.data?.next_cursor != null && (
        <p className="mt-2">
          <Link
            to="/$resource"
            params={{ resource: 'proxies' }}
            search={{ collection: slug }}
            className="underline"
          >
            All proxies of this collection
          </Link>
        </p>
      )}
    </Card>
  )
}

type HealthAnswer = Output<'collections.health'>
const TARGETS: Readonly<Record<HealthAnswer['targets'][number]['state'], State>> = {
  healthy: 'ok',
  ejected: 'warn',
  down: 'bad',
}
const BREAKERS: Readonly<Record<HealthAnswer['breaker'], { state: State; words: string }>> = {
  off: { state: 'off', words: 'no circuit breaker' },
  closed: { state: 'ok', words: 'circuit breaker closed: requests pass' },
  trying: { state: 'warn', words: 'circuit breaker lets a trial request pass' },
  open: { state: 'bad', words: 'circuit breaker open: no request passes' },
}

function Health({ slug }: { slug: string }) {
  const query = useCall('collections.health', { id: slug }, { again: AGAIN_MS })
  const breaker = query.data && BREAKERS[query.data.breaker]
  return (
    <Card title="Upstream">
      {query.error !== null && <FaultBox fault={faultOf(query.error)} retry={() => void query.refetch()} />}
      {query.isPending && <SkeletonRows rows={2} />}
      {breaker !== undefined && <Status state={breaker.state}>{breaker.words}</Status>}
      <ul className="mt-1">
        {query.data?.targets.map((target) => (
          <li
            key={target.server}
            className="flex flex-wrap items-baseline gap-x-3 border-t border-line py-1 first:border-0"
          >
            <Status state={TARGETS[target.state]}>{target.state}</Status>
            <code className="break-all">{target.server}</code>
            <span className="text-sm text-muted">
              {target.pending} under way
              {target.failures > 0 && `, ${counted(target.failures, 'failure')} in a row`}
              {target.until !== null && (
                <>
                  , again <Time value={target.until} />
                </>
              )}
            </span>
          </li>
        ))}
      </ul>
    </Card>
  )
}

/** Requests of the last 7 days that break the contract. */
function Contract({ slug, value, schemas }: PartProps) {
  const query = useCall('collections.contract_report', { id: slug, limit: 5 })
  const report = query.data
  return (
    <Card
      title="Contract"
      actions={
        value['request_validation'] === 'report' && (
          <RunButton
            name="collections.enforce"
            label="Enforce the contract"
            schemas={schemas}
            value={value}
            slug={slug}
          />
        )
      }
    >
      {query.error !== null && <FaultBox fault={faultOf(query.error)} retry={() => void query.refetch()} />}
      {query.isPending && <SkeletonRows rows={2} />}
      {report !== undefined && (
        <>
          <p>
            <Status state={report.would_refuse === 0 ? 'ok' : 'warn'}>
              {`${report.would_refuse.toLocaleString('en')} of ${counted(report.requests, 'request')}`}
            </Status>{' '}
            of the last 7 days break the contract and were forwarded.
          </p>
          <ul className="mt-1">
            {report.items.map((item) => (
              <li key={`${item.endpoint} ${item.code} ${item.pointer}`} className="border-t border-line py-1">
                <code className="break-all">{item.endpoint}</code>{' '}
                <span className="text-muted">
                  {item.code === 'response_invalid' && 'response '}
                  <code>{item.pointer}</code> {item.reason}, {counted(item.requests, 'request')},{' '}
                </span>
                <Link
                  to="/$resource/$id"
                  params={{ resource: 'records', id: item.record }}
                  className="underline"
                >
                  last record
                </Link>
              </li>
            ))}
          </ul>
        </>
      )}
    </Card>
  )
}
