import { keepPreviousData, useInfiniteQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import {
  aboutOf,
  client,
  faultOf,
  type Input,
  type OperationName,
  operation,
  useMay,
  useSchemas,
} from '../../api/client.ts'
import { one } from '../../app/search.ts'
import { Button } from '../../kit/controls.tsx'
import { Empty, FaultBox, Forbidden, Page, SkeletonRows } from '../../kit/page.tsx'
import { classes } from '../../kit/style.ts'
import { ShowAs } from '../../show-as/show-as.tsx'
import { DataTable, ListBar } from '../../tables/data-table.tsx'
import { useListSearch } from '../../tables/filters.tsx'

const PAGE = 100
/** Value of `state` in the address for requests in each state. The list then has no filter. */
const ALL = 'all'

interface InboxProps<T> {
  readonly resource: 'change_requests' | 'access_requests'
  readonly title: string
  readonly states: readonly string[]
  readonly columns: Parameters<typeof DataTable<T>>[0]['columns']
  /** What stands there when nothing waits. */
  readonly emptyHint: string
  /** The next step while nothing waits. */
  readonly emptyAction: ReactNode
  readonly actions?: ReactNode
}

/** Requests that wait for a decision, and those that have one. Open requests come first: `state` in the address shows others. */
export function Inbox<T extends { readonly id: string }>(props: InboxProps<T>) {
  const { resource, title, states, columns, emptyHint, emptyAction, actions } = props
  const { search, change } = useListSearch()
  const navigate = useNavigate()
  const may = useMay()
  const schemas = useSchemas(resource)
  const name = `${resource}.list` as OperationName
  const row = operation(name)!
  const state = one(search['state']) ?? 'open'
  const { state: _state, ...rest } = search
  const input = { ...rest, ...(state !== ALL && { state }) }
  const query = useInfiniteQuery({
    queryKey: [name, input],
    queryFn: async ({ pageParam, signal }) => {
      const asked = { ...input, limit: PAGE, ...(pageParam !== null && { cursor: pageParam }) }
      const { body } = await client.call(name, asked as Input<OperationName>, { signal })
      return body as unknown as { readonly items: readonly T[]; readonly next_cursor: string | null }
    },
    initialPageParam: null as string | null,
    getNextPageParam: ({ next_cursor }) => next_cursor,
    placeholderData: keepPreviousData,
    enabled: may(name),
  })
  if (!may(name))
    return (
      <Page name={title} title={title}>
        <Forbidden permission={row.permission} />
      </Page>
    )
  const isFiltered = Object.keys(search).some((one) => one !== 'order')
  const items = query.data?.pages.flatMap((page) => page.items) ?? []
  return (
    <Page
      name={title}
      title={title}
      lead={aboutOf(resource)}
      actions={
        <>
          {actions}
          <ShowAs request={{ operation: row, input, options: {} }} />
        </>
      }
      isFull
    >
      <ListBar label={`Search ${title.toLowerCase()}`} schemas={schemas} search={search} onChange={change}>
        <fieldset aria-label="State" className="flex flex-wrap gap-2">
          {[...states, ALL].map((value) => (
            <Button
              key={value}
              isSmall
              aria-pressed={value === state}
              className={classes(value === state && 'border-accent! bg-accent-soft! text-accent!')}
              onClick={() => change({ state: value === 'open' ? undefined : value })}
            >
              {value.charAt(0).toUpperCase() + value.slice(1)}
            </Button>
          ))}
        </fieldset>
      </ListBar>
      {query.error !== null && <FaultBox fault={faultOf(query.error)} retry={() => void query.refetch()} />}
      {query.data === undefined && query.error === null && <SkeletonRows rows={8} />}
      {query.data !== undefined && items.length === 0 && (
        <Empty
          title={isFiltered ? 'No requests match the filters' : 'Nothing to approve'}
          action={
            isFiltered ? (
              <Button onClick={() => void navigate({ to: '.', search: {} })}>Clear the filters</Button>
            ) : (
              <>
                {emptyAction}
                <ShowAs request={{ operation: row, input, options: {} }} />
              </>
            )
          }
        >
          {emptyHint}
        </Empty>
      )}
      {items.length > 0 && (
        <DataTable
          label={title}
          columns={columns}
          items={items}
          keyOf={({ id }) => id}
          linkOf={({ id }) => ({ to: '/$resource/$id', params: { resource, id } })}
          more={query.hasNextPage ? () => void query.fetchNextPage() : null}
          isFetching={query.isFetching}
        />
      )}
    </Page>
  )
}
