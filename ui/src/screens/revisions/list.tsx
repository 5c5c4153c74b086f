import { keepPreviousData, useInfiniteQuery } from '@tanstack/react-query'
import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import { FileDown, FileUp } from 'lucide-react'
import { client } from '../../api/client.ts'
import { operation } from '../../api/operations.ts'
import { faultOf } from '../../api/problem.ts'
import { useMay } from '../../api/session.ts'
import { one, type Search } from '../../app/search.ts'
import { Button, buttonClasses } from '../../kit/button.tsx'
import { Moment } from '../../kit/moment.tsx'
import { Page } from '../../kit/page.tsx'
import { Empty, FaultBox, Forbidden, SkeletonRows } from '../../kit/states.tsx'
import { ShowAs } from '../../show-as/show-as.tsx'
import { DataTable } from '../../tables/data-table.tsx'
import { Compare } from './compare.tsx'
import { chosenPair, type Pair } from './pair.ts'

const PAGE = 100
const TITLE = 'Revisions'

/** Each change of the configuration, newest first, and the difference of any two (`from`, `to` in the address). */
export default function Revisions() {
  const search = useSearch({ strict: false }) as Search
  const navigate = useNavigate()
  const may = useMay()
  const row = operation('revisions.list')!
  const pair: Pair = { from: one(search['from']), to: one(search['to']) }
  const isComparing = pair.from !== undefined && pair.to !== undefined
  const query = useInfiniteQuery({
    queryKey: ['revisions.list'],
    queryFn: async ({ pageParam, signal }) => {
      const asked = { limit: PAGE, ...(pageParam !== null && { cursor: pageParam }) }
      return (await client.call('revisions.list', asked, { signal })).body
    },
    initialPageParam: null as string | null,
    getNextPageParam: ({ next_cursor }) => next_cursor,
    placeholderData: keepPreviousData,
    enabled: may('revisions.list') && !isComparing,
  })
  if (!may('revisions.list'))
    return (
      <Page name={TITLE} title={TITLE}>
        <Forbidden permission={row.permission} />
      </Page>
    )
  const choose = (side: 'from' | 'to', revision: number): void => {
    navigate({ to: '.', search: chosenPair(pair, side, revision) as never }).catch(() => {})
  }
  const items = query.data?.pages.flatMap((page) => page.items) ?? []
  return (
    <Page
      name={TITLE}
      title={TITLE}
      lead="Each change of the configuration makes a revision. Choose two to see their difference."
      actions={
        <>
          {may('config.plan') && (
            <Link to="/run/$operation" params={{ operation: 'config.plan' }} className={buttonClasses()}>
              <FileUp size={16} aria-hidden="true" />
              Apply a file
            </Link>
          )}
          {may('config.export') && (
            <Link to="/run/$operation" params={{ operation: 'config.export' }} className={buttonClasses()}>
              <FileDown size={16} aria-hidden="true" />
              Export
            </Link>
          )}
          <ShowAs request={{ operation: row, input: {}, options: {} }} />
        </>
      }
      isFull
    >
      {query.error !== null && <FaultBox fault={faultOf(query.error)} retry={() => void query.refetch()} />}
      {!isComparing && query.data === undefined && query.error === null && <SkeletonRows rows={12} />}
      {!isComparing && query.data !== undefined && items.length === 0 && (
        <Empty title="No revisions yet">The first change of the configuration makes one.</Empty>
      )}
      {pair.from !== undefined && pair.to !== undefined ? (
        <Compare
          from={pair.from}
          to={pair.to}
          onClose={() => void navigate({ to: '.', search: {} as never })}
        />
      ) : (
        items.length > 0 && (
          <>
            {pair.from !== undefined && (
              <p role="status" className="flex flex-wrap items-center gap-2">
                From revision {pair.from}. Choose a later revision with "To".
                <Button isSmall onClick={() => void navigate({ to: '.', search: {} as never })}>
                  Cancel
                </Button>
              </p>
            )}
            {pair.to !== undefined && (
              <p role="status" className="flex flex-wrap items-center gap-2">
                To revision {pair.to}. Choose an earlier revision with "From".
                <Button isSmall onClick={() => void navigate({ to: '.', search: {} as never })}>
                  Cancel
                </Button>
              </p>
            )}
            <DataTable
              label={TITLE}
              items={items}
              keyOf={({ revision }) => String(revision)}
              linkOf={({ revision }) => ({
                to: '/$resource/$id',
                params: { resource: 'revisions', id: String(revision) },
              })}
              more={query.hasNextPage ? () => void query.fetchNextPage() : null}
              isFetching={query.isFetching}
              columns={[
                { name: 'revision', label: 'Revision', width: 90, render: ({ revision }) => revision },
                {
                  name: 'time',
                  label: 'Time (UTC)',
                  width: 186,
                  render: ({ time }) => <Moment value={time} />,
                },
                { name: 'actor', label: 'Actor', width: 110, render: ({ actor }) => actor.name },
                {
                  name: 'operation',
                  label: 'Operation',
                  width: 200,
                  render: ({ operation: name }) => <code>{name}</code>,
                },
                {
                  name: 'resources',
                  label: 'Resources',
                  render: ({ first, items: count }) => <Changed first={first} count={count} />,
                },
                {
                  name: 'reason',
                  label: 'Reason',
                  width: 170,
                  render: ({ reason }) => reason ?? <span className="text-muted">–</span>,
                },
                {
                  name: 'compare',
                  label: 'Compare',
                  width: 130,
                  render: ({ revision }) => (
                    <span className="inline-flex gap-1">
                      {(['from', 'to'] as const).map((side) => (
                        <Button
                          key={side}
                          isSmall
                          className="h-6!"
                          aria-label={`Compare ${side} revision ${revision}`}
                          aria-pressed={pair[side] === String(revision)}
                          onClick={() => choose(side, revision)}
                        >
                          {side === 'from' ? 'From' : 'To'}
                        </Button>
                      ))}
                    </span>
                  ),
                },
              ]}
            />
          </>
        )
      )}
    </Page>
  )
}

interface ChangedProps {
  /** Such as `proxies/orders:get-order`; null if the person may not see it. */
  readonly first: string | null
  readonly count: number
}

/** What a revision changed: how many resources, and one of them by its name. */
function Changed({ first, count }: ChangedProps) {
  const many = (rest: number): string => rest.toLocaleString('en')
  if (count === 0) return <span className="text-muted">–</span>
  if (first === null) return <>{count === 1 ? '1 resource' : `${many(count)} resources`}</>
  return (
    <span title={first}>
      {count > 1 && `${many(count)}, such as `}
      <code>{first}</code>
    </span>
  )
}
