import { keepPreviousData, useInfiniteQuery } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { FileDown, FileUp } from 'lucide-react'
import { client, faultOf, type Input, operation, useMay, useSchemas } from '../../api/client.ts'
import { one } from '../../app/search.ts'
import { Button, buttonClasses } from '../../kit/controls.tsx'
import { Empty, FaultBox, Forbidden, Page, SkeletonRows } from '../../kit/page.tsx'
import { Moment } from '../../kit/text.tsx'
import { ShowAs } from '../../show-as/show-as.tsx'
import { DataTable, ListBar } from '../../tables/data-table.tsx'
import { useListSearch } from '../../tables/filters.tsx'
import { Compare } from './compare.tsx'
import { chosenPair, type Pair } from './pair.ts'

const PAGE = 100
const TITLE = 'Revisions'

/** Each change of the configuration, and the difference of any two. Search, order and these two stand in the address. */
export default function Revisions() {
  const { search, change } = useListSearch()
  const navigate = useNavigate()
  const may = useMay()
  const schemas = useSchemas('revisions')
  const row = operation('revisions.list')!
  const { from, to, ...filters } = search
  const pair: Pair = { from: one(from), to: one(to) }
  const isComparing = pair.from !== undefined && pair.to !== undefined
  const query = useInfiniteQuery({
    queryKey: ['revisions.list', filters],
    queryFn: async ({ pageParam, signal }) => {
      const asked = { ...filters, limit: PAGE, ...(pageParam !== null && { cursor: pageParam }) }
      return (await client.call('revisions.list', asked as Input<'revisions.list'>, { signal })).body
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
    const chosen = { ...filters, ...chosenPair(pair, side, revision) }
    navigate({ to: '.', search: chosen as never }).catch(() => {})
  }
  const compareNone = (): void => change({ from: undefined, to: undefined })
  const items = query.data?.pages.flatMap((page) => page.items) ?? []
  return (
    <Page
      name={TITLE}
      title={TITLE}
      lead="Each change of the configuration creates a revision. Choose two to see their difference."
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
          <ShowAs request={{ operation: row, input: filters, options: {} }} />
        </>
      }
      isFull
    >
      {!isComparing && (
        <ListBar label="Search revisions" schemas={schemas} search={search} onChange={change} />
      )}
      {query.error !== null && <FaultBox fault={faultOf(query.error)} retry={() => void query.refetch()} />}
      {!isComparing && query.data === undefined && query.error === null && <SkeletonRows rows={12} />}
      {!isComparing &&
        query.data !== undefined &&
        items.length === 0 &&
        (filters['text'] === undefined ? (
          <Empty title="No revisions yet">The first change of the configuration creates one.</Empty>
        ) : (
          <Empty
            title="No revisions match the search"
            action={<Button onClick={() => change({ text: undefined })}>Clear the search</Button>}
          />
        ))}
      {pair.from !== undefined && pair.to !== undefined ? (
        <Compare from={pair.from} to={pair.to} onClose={compareNone} />
      ) : (
        items.length > 0 && (
          <>
            {pair.from !== undefined && (
              <p role="status" className="flex flex-wrap items-center gap-2">
                From revision {pair.from}. Choose a later revision with "To".
                <Button isSmall onClick={compareNone}>
                  Cancel
                </Button>
              </p>
            )}
            {pair.to !== undefined && (
              <p role="status" className="flex flex-wrap items-center gap-2">
                To revision {pair.to}. Choose an earlier revision with "From".
                <Button isSmall onClick={compareNone}>
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
