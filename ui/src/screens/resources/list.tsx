import { keepPreviousData, useInfiniteQuery } from '@tanstack/react-query'
import { Link, useNavigate, useParams, useSearch } from '@tanstack/react-router'
import { Plus } from 'lucide-react'
import { type ReactNode, Suspense, useMemo } from 'react'
import type { JsonObject } from '../../../build/document.ts'
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
import { useKeys } from '../../app/keys.ts'
import { singularOf, titleOf } from '../../app/navigation.ts'
import { NotFound } from '../../app/router.tsx'
import { one, type Search } from '../../app/search.ts'
import { Button, buttonClasses } from '../../kit/controls.tsx'
import { Empty, FaultBox, Forbidden, Page, SkeletonRows } from '../../kit/page.tsx'
import { Badge } from '../../kit/status.tsx'
import { askedOf, type Column, columnsOf, filtersOf, itemRefsOf, takes } from '../../schema/columns.ts'
import { fieldsOf } from '../../schema/fields.ts'
import { isObject } from '../../schema/value.ts'
import { ShowAs } from '../../show-as/show-as.tsx'
import { DataTable } from '../../tables/data-table.tsx'
import { Cell, isNothing } from '../../tables/details.tsx'
import { FilterBar, OrderSelect, SearchBox } from '../../tables/filters.tsx'
import { scopeWords } from '../guardrails/words.ts'
import { EMPTY_ACTIONS, LIST_ACTIONS, LIST_NOTES, ROW_ACTIONS } from '../hand-made.ts'
import { grantSentence } from '../people/access.ts'
import { amountsOf } from '../policies/limits.ts'

const PAGE = 100
/** Pixels that the buttons of a row take. */
const ACTIONS_WIDTH = 220

/** All items of a resource: search, filters and order stand in the address, by the names of REST. */
export default function ResourceList() {
  const { resource } = useParams({ from: '/shell/$resource' })
  const row = operation(`${resource}.list`)
  if (row === null) return <NotFound />
  return <List key={resource} resource={resource} />
}

function List({ resource }: { resource: string }) {
  const search = useSearch({ strict: false }) as Search
  const navigate = useNavigate()
  const may = useMay()
  const schemas = useSchemas(resource)
  const name = `${resource}.list` as OperationName
  const row = operation(name)!
  const title = titleOf(resource)
  const columns = withOwn(resource, schemas == null ? [] : columnsOf(schemas))
  const filters = schemas == null ? [] : filtersOf(schemas)
  const order =
    schemas == null
      ? undefined
      : fieldsOf(schemas.actions['list']!.input, schemas.$defs).find((field) => field.name === 'order')
  const refs = useMemo(() => (schemas == null ? {} : itemRefsOf(schemas)), [schemas])
  const RowActions = ROW_ACTIONS[resource]
  const Note = LIST_NOTES[resource]
  const fields =
    schemas != null && takes(schemas, 'fields')
      ? { fields: askedOf(schemas, columns, alsoAsked(resource)) }
      : {}
  const page = schemas != null && takes(schemas, 'limit') ? { limit: PAGE } : {}
  const input = { ...search, ...fields, ...page }
  const query = useInfiniteQuery({
    queryKey: [name, input],
    queryFn: async ({ pageParam, signal }) => {
      const asked = { ...input, ...(pageParam !== null && { cursor: pageParam }) }
      const { body } = await client.call(name, asked as Input<OperationName>, { signal })
      const { items, next_cursor } = body as unknown as {
        items: readonly JsonObject[]
        next_cursor?: string | null
      }
      return { items, next: next_cursor ?? null }
    },
    initialPageParam: null as string | null,
    getNextPageParam: ({ next }) => next,
    enabled: schemas != null && may(name),
    placeholderData: keepPreviousData,
  })
  const change = (changes: Readonly<Record<string, string | readonly string[] | undefined>>): void => {
    navigate({ to: '.', search: { ...search, ...changes } as never, replace: 'text' in changes }).catch(
      () => {},
    )
  }
  const mayCreate = may(`${resource}.create`)
  const offered = (LIST_ACTIONS[resource] ?? []).filter(({ needs }) => may(needs))
  // A way of its own to a new item takes the place of the form
  const way = offered.find(({ isPrimary }) => isPrimary === true)
  useKeys({
    n: () => {
      if (way !== undefined) return void navigate({ to: way.to })
      return mayCreate ? void navigate({ to: '/$resource/new', params: { resource } }) : false
    },
  })
  const items = query.data?.pages.flatMap((page) => page.items) ?? []
  // A column in which no row has a value tells nothing, but for the one that names the rows
  const told = columns.filter(
    ({ name }, index) => index === 0 || items.some((item) => !isNothing(valueAt(item, name) ?? null)),
  )
  const isFiltered = Object.keys(search).some((key) => key !== 'order')
  const next = EMPTY_ACTIONS[resource]
  const create =
    way !== undefined ? (
      <Link to={way.to} className={buttonClasses('primary')}>
        <Plus size={16} aria-hidden="true" />
        {way.label}
      </Link>
    ) : (
      mayCreate && (
        <Link to="/$resource/new" params={{ resource }} className={buttonClasses('primary')}>
          <Plus size={16} aria-hidden="true" />
          New {singularOf(resource)}
        </Link>
      )
    )
  if (!may(name))
    return (
      <Page name={title} title={title}>
        <Forbidden permission={row.permission} />
      </Page>
    )
  const shownAs = { operation: row, input: { ...search }, options: {} }
  return (
    <Page
      name={title}
      title={title}
      lead={aboutOf(resource)}
      actions={
        <>
          {offered
            .filter(({ isPrimary }) => isPrimary !== true)
            .map(({ label, to }) => (
              <Link key={to} to={to} className={buttonClasses()}>
                {label}
              </Link>
            ))}
          <ShowAs request={shownAs} />
          {create}
        </>
      }
      isFull
    >
      <div className="flex shrink-0 flex-wrap items-center gap-2">
        {schemas != null && takes(schemas, 'text') && (
          <SearchBox
            label={`Search ${title.toLowerCase()}`}
            value={one(search['text']) ?? ''}
            onChange={(text) => change({ text: text === '' ? undefined : text })}
          />
        )}
        <FilterBar fields={filters} search={search} onChange={change} />
        {order !== undefined && <OrderSelect field={order} search={search} onChange={change} />}
      </div>
      {Note !== undefined && (
        <Suspense fallback={<SkeletonRows rows={5} />}>
          <Note />
        </Suspense>
      )}
      {query.error !== null && <FaultBox fault={faultOf(query.error)} retry={() => void query.refetch()} />}
      {query.data === undefined && query.error === null && <SkeletonRows rows={12} />}
      {query.data !== undefined &&
        items.length === 0 &&
        (isFiltered ? (
          <Empty
            title={`No ${singularOf(resource)} matches the filters`}
            action={<Button onClick={() => void navigate({ to: '.', search: {} })}>Clear the filters</Button>}
          />
        ) : (
          <Empty
            title={`No ${title.toLowerCase()} yet`}
            action={
              <>
                {create}
                {next !== undefined && may(next.needs) && (
                  <Link to={next.to} className={buttonClasses()}>
                    {next.label}
                  </Link>
                )}
                <ShowAs
                  request={{ operation: operation(`${resource}.create`) ?? row, input: {}, options: {} }}
                />
              </>
            }
          >
            {aboutOf(resource)}
          </Empty>
        ))}
      {items.length > 0 && (
        <DataTable
          label={title}
          columns={[
            ...told.map((column, index) => ({
              ...column,
              render: (item: JsonObject) => (
                <>
                  {column.render?.(item) ?? <Cell name={column.name} value={valueAt(item, column.name)} />}
                  {index === 0 && item['pending_draft'] !== undefined && (
                    <>
                      {' '}
                      <Badge tone="dashed">draft</Badge>
                    </>
                  )}
                </>
              ),
            })),
            ...(RowActions === undefined
              ? []
              : [
                  {
                    name: 'actions',
                    label: 'Actions',
                    width: ACTIONS_WIDTH,
                    render: (item: JsonObject) => (
                      <Suspense>
                        <RowActions item={item} />
                      </Suspense>
                    ),
                  },
                ]),
          ]}
          items={items}
          keyOf={keyOf}
          linkOf={(item) => linkOf(resource, told[0]?.name ?? '', refs, item)}
          more={query.hasNextPage ? () => void query.fetchNextPage() : null}
          isFetching={query.isFetching}
        />
      )}
    </Page>
  )
}

function valueAt(item: JsonObject, name: string) {
  if (Object.hasOwn(item, name)) return item[name]
  return name
    .split('.')
    .reduce<JsonObject[string] | undefined>(
      (found, step) => (isObject(found) ? found[step] : undefined),
      item,
    )
}

/** Connections have neither an id nor a slug. */
function keyOf(item: JsonObject): string {
  return String(item['id'] ?? item['slug'] ?? JSON.stringify(item))
}

/** The page of a row; where it has none, that of the resource which its first column names. */
function linkOf(resource: string, first: string, refs: Readonly<Record<string, string>>, item: JsonObject) {
  if (operation(`${resource}.get`) !== null)
    return { to: '/$resource/$id', params: { resource, id: String(item['id'] ?? item['slug']) } }
  const [to, id] = [refs[first], item[first]]
  return to === undefined || typeof id !== 'string'
    ? null
    : { to: '/$resource/$id', params: { resource: to, id } }
}

// Columns of lists that are made by hand. All others derive from the OpenAPI document.

interface OwnColumn extends Column {
  readonly render?: (item: JsonObject) => ReactNode
}

interface OwnColumns {
  /** Derived columns that are left out. */
  readonly without: readonly string[]
  /** Pixels of columns whose texts are short. */
  readonly widths?: Readonly<Record<string, number>>
  readonly add?: {
    /** A member of the item: the column is left out where no row has it. */
    readonly name: string
    readonly label: string
    /** Further members that the text is made of. */
    readonly asks: readonly string[]
    /** Place among the columns. */
    readonly at: number
    readonly words: (item: JsonObject) => string
  }
}

const OWN: Readonly<Record<string, OwnColumns>> = {
  grants: {
    without: [
      ...['service_identity', 'user', 'team', 'group', 'role', 'scope', 'scope.collections'],
      ...['scope.virtual_mcps', 'scope.resource_types'],
    ],
    widths: { slug: 200 },
    add: {
      name: 'scope',
      label: 'What it allows',
      asks: ['service_identity', 'user', 'team', 'group', 'role', 'expires_at'],
      at: 1,
      words: grantSentence,
    },
  },
  guardrails: {
    without: ['order'],
    widths: { slug: 150 },
    add: { name: 'scope', label: 'Scope', asks: [], at: 2, words: scopeWords },
  },
  policies: {
    without: [],
    widths: { name: 180, slug: 140 },
    add: { name: 'limits', label: 'Limits', asks: ['rate', 'quota'], at: 2, words: amountsOf },
  },
  // Its name and its path say the same
  proxies: { without: ['slug'] },
}

/** The columns of a resource, with those that are made by hand in their places. */
function withOwn(resource: string, columns: readonly Column[]): readonly OwnColumn[] {
  const own = OWN[resource]
  if (own === undefined) return columns
  const kept: OwnColumn[] = columns
    .filter(({ name }) => !own.without.includes(name))
    .map((column) => ({ ...column, width: own.widths?.[column.name] ?? column.width }))
  if (own.add === undefined) return kept
  const { name, label, at, words } = own.add
  const render = (item: JsonObject): ReactNode => {
    const text = words(item)
    return text === '' ? <span className="text-muted">–</span> : <span title={text}>{text}</span>
  }
  return kept.toSpliced(at, 0, { name, label, width: null, isNumber: false, render })
}

/** Members that columns made by hand need besides their own. */
function alsoAsked(resource: string): readonly string[] {
  return OWN[resource]?.add?.asks ?? []
}
