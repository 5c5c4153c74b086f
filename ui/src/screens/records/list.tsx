import { keepPreviousData, useInfiniteQuery } from '@tanstack/react-query'
import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import { Download, Pause, Radio, Share2 } from 'lucide-react'
import { useEffect, useRef, useState } from 'react'
import { client, type Fault, faultOf, type Input, operation, useMay, useSchemas } from '../../api/client.ts'
import { useKeys } from '../../app/keys.ts'
import { one, type Search, stringifySearch } from '../../app/search.ts'
import { useNarrow } from '../../kit/browser.ts'
import { Button, buttonClasses } from '../../kit/controls.tsx'
import { Empty, FaultBox, Forbidden, Page, SkeletonRows } from '../../kit/page.tsx'
import { Status, say } from '../../kit/status.tsx'
import { filtersOf } from '../../schema/columns.ts'
import { ShowAs } from '../../show-as/show-as.tsx'
import { DataTable } from '../../tables/data-table.tsx'
import { FilterBar, SearchBox } from '../../tables/filters.tsx'
import { COLUMNS, filterOf } from './columns.tsx'
import { ExportDialog, RangeSelect } from './export-dialog.tsx'
import { EMPTY_TAIL, paused, pinned, received, resumed, type Tail, wordsOf } from './list-state.ts'
import { RecordPane } from './record-pane.tsx'
import type { CallRecord } from './sentence.ts'

const PAGE = 100
const TITLE = 'Records'
const LEAD = 'Each call through the gateway creates one record. Bodies and headers are not stored.'

/** Calls through the gateway: filters, range, the open record and the live view stand in the address. */
export default function Records() {
  const may = useMay()
  if (may('records.list')) return <List />
  return (
    <Page name={TITLE} title={TITLE}>
      <Forbidden permission={operation('records.list')!.permission} />
    </Page>
  )
}

function List() {
  const search = useSearch({ strict: false }) as Search
  const navigate = useNavigate()
  const may = useMay()
  const isNarrow = useNarrow()
  const schemas = useSchemas('records')
  const [isExporting, setExporting] = useState(false)
  const { record, live, ...filters } = search
  const open = one(record) ?? null
  const query = useInfiniteQuery({
    queryKey: ['records.list', filters],
    queryFn: async ({ pageParam, signal }) => {
      const asked = { ...filters, limit: PAGE, ...(pageParam !== null && { cursor: pageParam }) }
      return (await client.call('records.list', asked as Input<'records.list'>, { signal })).body
    },
    initialPageParam: null as string | null,
    getNextPageParam: ({ next_cursor }) => next_cursor,
    placeholderData: keepPreviousData,
    refetchOnWindowFocus: false,
  })
  // A range that has ended has no next call, and an oldest-first list no place for it
  const mayFollow = may('records.follow') && filters['to'] === undefined && filters['order'] === undefined
  const isLive = one(live) === 'true' && mayFollow
  const { tail, fault, pause, resume } = useFollow(filters, isLive, () => void query.refetch())
  const change = (changes: Readonly<Record<string, string | readonly string[] | undefined>>): void => {
    navigate({ to: '.', search: { ...search, ...changes } as never, replace: 'text' in changes }).catch(
      () => {},
    )
  }
  const select = (id: string | null): void => {
    navigate({
      to: '.',
      search: { ...search, record: id ?? undefined } as never,
      replace: open !== null,
    }).catch(() => {})
  }
  const close = (): void => {
    const id = open
    select(null)
    requestAnimationFrame(() =>
      document
        .querySelector(`[data-record="${CSS.escape(id ?? '')}"]`)
        ?.closest('a')
        ?.focus(),
    )
  }
  // Whoever reads a record keeps their place
  useEffect(() => {
    if (isLive && open !== null) pause()
  }, [isLive, open])
  useKeys({
    Escape: () => (open === null ? false : close()),
    l: () => (mayFollow ? change({ live: isLive ? undefined : 'true' }) : false),
  })
  const items = itemsOf(tail.shown, query.data?.pages.flatMap((page) => page.items) ?? [])
  const isFiltered = Object.keys(filters).length > 0
  const showAs = <ShowAs request={{ operation: operation('records.list')!, input: filters, options: {} }} />

  if (isNarrow && open !== null)
    return (
      <Page name={`Record ${open}`} title="Record">
        <RecordPane key={open} id={open} onClose={close} onFilter={change} closeLabel="Back to the list" />
      </Page>
    )
  return (
    <Page
      name={TITLE}
      title={TITLE}
      lead={LEAD}
      actions={
        <>
          {mayFollow && (
            <LivePill
              isLive={isLive}
              isPaused={tail.isPaused}
              words={isLive ? wordsOf(tail) : 'Live'}
              onPress={() => {
                if (isLive && tail.isPaused) resume()
                else change({ live: isLive ? undefined : 'true' })
              }}
            />
          )}
          <ShareButton search={search} />
          {may('exports.create') && (
            <Button icon={Download} onClick={() => setExporting(true)}>
              Export
            </Button>
          )}
          {showAs}
        </>
      }
      isFull
    >
      <div className="flex shrink-0 flex-wrap items-center gap-2">
        <SearchBox
          label="Search records"
          value={one(search['text']) ?? ''}
          onChange={(text) => change({ text: text === '' ? undefined : text })}
        />
        <RangeSelect search={search} onChange={change} />
        <FilterBar fields={schemas == null ? [] : filtersOf(schemas)} search={search} onChange={change} />
      </div>
      {fault !== null && <FaultBox fault={fault} />}
      {tail.missed && (
        <p>
          <Status state="warn">Some calls are not shown</Status> More calls arrived than this list could show.
          Reload it to see all of them.
        </p>
      )}
      {query.error !== null && <FaultBox fault={faultOf(query.error)} retry={() => void query.refetch()} />}
      {query.data === undefined && query.error === null && <SkeletonRows rows={12} />}
      {query.data !== undefined && items.length === 0 && (
        <NoRecords isFiltered={isFiltered} onClear={() => void navigate({ to: '.', search: {} })} />
      )}
      {items.length > 0 && (
        <div className="flex min-h-0 flex-1 gap-4">
          <DataTable
            label={TITLE}
            columns={COLUMNS}
            items={items}
            keyOf={({ id }) => id}
            linkOf={({ id }) => ({ to: '.', search: { ...search, record: id } })}
            more={query.hasNextPage ? () => void query.fetchNextPage() : null}
            isFetching={query.isFetching}
            selected={open}
            onWalk={({ id }) => open !== null && select(id)}
            onTop={(isAtTop) => !isAtTop && isLive && pause()}
            onFilter={(item, column) => {
              const filter = filterOf(item, column)
              if (filter === null) say('off', 'This column has no filter for this value.')
              else change(filter)
            }}
          />
          {open !== null && (
            <aside
              aria-label="Record"
              className="w-1/2 max-w-180 min-w-100 overflow-auto rounded-md border border-line p-4"
            >
              <RecordPane key={open} id={open} onClose={close} onFilter={change} closeLabel="Close" />
            </aside>
          )}
        </div>
      )}
      {isExporting && <ExportDialog of="records" filters={filters} onClose={() => setExporting(false)} />}
    </Page>
  )
}

/** Followed records above stored ones; a record that is in both stands once. */
function itemsOf(followed: readonly CallRecord[], stored: readonly CallRecord[]): readonly CallRecord[] {
  if (followed.length === 0) return stored
  const ids = new Set(followed.map(({ id }) => id))
  return [...followed, ...stored.filter(({ id }) => !ids.has(id))]
}

interface LivePillProps {
  readonly isLive: boolean
  readonly isPaused: boolean
  readonly words: string
  readonly onPress: () => void
}

function LivePill({ isLive, isPaused, words, onPress }: LivePillProps) {
  return (
    <Button
      icon={isPaused ? Pause : Radio}
      aria-pressed={isLive && !isPaused}
      tone={isLive && !isPaused ? 'primary' : 'plain'}
      title={
        isPaused ? 'Show new calls and continue' : isLive ? 'Stop following' : 'Show calls as they come (l)'
      }
      onClick={onPress}
    >
      {words}
    </Button>
  )
}

/** Copies a link that shows the same entries later: its times are absolute. */
function ShareButton({ search }: { search: Search }) {
  return (
    <Button
      icon={Share2}
      onClick={() => {
        const path = location.pathname + stringifySearch(pinned(search, Date.now()))
        navigator.clipboard.writeText(location.origin + path).then(
          () => say('ok', 'The link is copied. Its time range is fixed.'),
          () => say('bad', 'The browser did not allow copying. Copy the address of the page instead.'),
        )
      }}
    >
      Share
    </Button>
  )
}

function NoRecords({ isFiltered, onClear }: { isFiltered: boolean; onClear: () => void }) {
  if (isFiltered)
    return (
      <Empty
        title="No calls match the filters"
        action={<Button onClick={onClear}>Clear the filters</Button>}
      />
    )
  return (
    <Empty
      title="No calls yet"
      action={
        <>
          <Link to="/" className={buttonClasses()}>
            First steps
          </Link>
          <ShowAs request={{ operation: operation('records.list')!, input: {}, options: {} }} />
        </>
      }
    >
      When a client calls the gateway for the first time, the record appears here.
    </Empty>
  )
}

// Request records as they are stored: each call waits on the server for the next ones.

/** How long a call waits for the next records, seconds. */
const WAIT_S = 20
/** After a failure, milliseconds. */
const AGAIN_MS = 3000

interface Following {
  readonly tail: Tail<CallRecord>
  readonly fault: Fault | null
  readonly pause: () => void
  readonly resume: () => void
}

/** Resolves when the tab is in view: a hidden one asks for nothing. */
function inView(signal: AbortSignal): Promise<void> {
  if (!document.hidden) return Promise.resolve()
  return new Promise((done) => {
    const look = (): void => {
      if (!document.hidden || signal.aborted) done()
    }
    document.addEventListener('visibilitychange', look, { signal })
    signal.addEventListener('abort', () => done(), { once: true })
  })
}

/**
 * Follows the records that fit the filters, from now on, while `isOn`.
 * @param onStart told once the first answer has come: what was stored before it is in the list
 */
export function useFollow(filters: Search, isOn: boolean, onStart: () => void): Following {
  const start = useRef(onStart)
  start.current = onStart
  const [tail, setTail] = useState<Tail<CallRecord>>(EMPTY_TAIL)
  const [fault, setFault] = useState<Fault | null>(null)
  const asked = JSON.stringify(filters)
  useEffect(() => {
    setTail(EMPTY_TAIL)
    setFault(null)
    if (!isOn) return
    const leaving = new AbortController()
    const { signal } = leaving
    const { from: _from, to: _to, order: _order, ...rest } = JSON.parse(asked) as Record<string, unknown>
    const follow = async (): Promise<void> => {
      let cursor: string | undefined
      while (!signal.aborted) {
        await inView(signal)
        try {
          const wait = cursor === undefined ? 0 : WAIT_S
          const input = { ...rest, wait, ...(cursor !== undefined && { cursor }) } as Input<'records.follow'>
          const { body } = await client.call('records.follow', input, { signal })
          const isFirst = cursor === undefined
          cursor = body.next_cursor
          if (signal.aborted) return
          setFault(null)
          if (isFirst) start.current()
          else setTail((before) => received(before, body.items, body.missed))
        } catch (error) {
          if (signal.aborted) return
          setFault(faultOf(error))
          await new Promise((done) => setTimeout(done, AGAIN_MS))
        }
      }
    }
    void follow()
    return () => leaving.abort()
  }, [asked, isOn])
  return { tail, fault, pause: () => setTail(paused), resume: () => setTail(resumed) }
}
