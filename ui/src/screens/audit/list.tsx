import { keepPreviousData, useInfiniteQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { Download, ShieldCheck } from 'lucide-react'
import { useState } from 'react'
import { client, type Fault, faultOf, type Input, operation, useMay, useSchemas } from '../../api/client.ts'
import { useKeys } from '../../app/keys.ts'
import { one } from '../../app/search.ts'
import { useNarrow } from '../../kit/browser.ts'
import { Button } from '../../kit/controls.tsx'
import { Dialog } from '../../kit/dialog.tsx'
import { Empty, FaultBox, Forbidden, Page, SkeletonRows } from '../../kit/page.tsx'
import { Badge, Outcome, Status } from '../../kit/status.tsx'
import { CodeBlock, Moment } from '../../kit/text.tsx'
import { filtersOf } from '../../schema/columns.ts'
import { ShowAs } from '../../show-as/show-as.tsx'
import { DataTable, ListBar } from '../../tables/data-table.tsx'
import { FilterBar, useListSearch } from '../../tables/filters.tsx'
import { ExportDialog, RangeSelect } from '../records/export-dialog.tsx'
import { EntryPane } from './entry-pane.tsx'
import {
  type AuditEntry,
  chainSentence,
  interfaceOf,
  resourceOf,
  shortResourceOf,
  type Verification,
} from './words.ts'

const PAGE = 100
const TITLE = 'Audit'
/** Filters by the name of a column. */
const FILTERS: Readonly<Record<string, (entry: AuditEntry) => Readonly<Record<string, string>>>> = {
  actor: ({ actor }) => ({ actor: actor.id }),
  operation: ({ operation: name }) => ({ operation: name }),
  resource: ({ resource: { id, type } }): Readonly<Record<string, string>> =>
    id === null ? { resource_type: type } : { resource: id },
  surface: ({ surface }) => ({ surface }),
  outcome: ({ outcome }) => ({ outcome }),
}

const COLUMNS: Parameters<typeof DataTable<AuditEntry>>[0]['columns'] = [
  { name: 'time', label: 'Time (UTC)', width: 186, render: ({ time }) => <Moment value={time} /> },
  {
    name: 'actor',
    label: 'Actor',
    width: 130,
    render: ({ actor, agent }) => (
      <>
        {actor.name} {agent.name !== null && <Badge>{agent.name}</Badge>}
      </>
    ),
  },
  { name: 'operation', label: 'Operation', width: 210, render: ({ operation: name }) => <code>{name}</code> },
  {
    name: 'resource',
    label: 'Resource',
    render: (entry) => <span title={resourceOf(entry)}>{shortResourceOf(entry)}</span>,
  },
  {
    name: 'surface',
    label: 'Interface',
    width: 160,
    render: ({ surface }) => <span className="text-muted">{interfaceOf(surface)}</span>,
  },
  { name: 'outcome', label: 'Outcome', width: 100, render: ({ outcome }) => <Outcome outcome={outcome} /> },
  {
    name: 'reason',
    label: 'Reason',
    render: ({ reason }) => reason ?? <span className="text-muted">–</span>,
  },
]

/** The audit log: filters and the open entry stand in the address. */
export default function Audit() {
  const may = useMay()
  if (may('audit.list')) return <List />
  return (
    <Page name={TITLE} title={TITLE}>
      <Forbidden permission={operation('audit.list')!.permission} />
    </Page>
  )
}

function List() {
  const { search, change } = useListSearch()
  const navigate = useNavigate()
  const may = useMay()
  const isNarrow = useNarrow()
  const schemas = useSchemas('audit')
  const [isExporting, setExporting] = useState(false)
  const { entry, ...filters } = search
  const isFiltered = Object.keys(filters).some((name) => name !== 'order')
  const open = one(entry) ?? null
  const query = useInfiniteQuery({
    queryKey: ['audit.list', filters],
    queryFn: async ({ pageParam, signal }) => {
      const asked = { ...filters, limit: PAGE, ...(pageParam !== null && { cursor: pageParam }) }
      return (await client.call('audit.list', asked as Input<'audit.list'>, { signal })).body
    },
    initialPageParam: null as string | null,
    getNextPageParam: ({ next_cursor }) => next_cursor,
    placeholderData: keepPreviousData,
  })
  const close = (): void => change({ entry: undefined })
  useKeys({ Escape: () => (open === null ? false : close()) })
  const items = query.data?.pages.flatMap((page) => page.items) ?? []
  const row = operation('audit.list')!
  const pane = open !== null && (
    <EntryPane key={open} id={open} onClose={close} closeLabel={isNarrow ? 'Back to the list' : 'Close'} />
  )
  if (isNarrow && open !== null)
    return (
      <Page name="Audit entry" title="Audit entry">
        {pane}
      </Page>
    )
  return (
    <Page
      name={TITLE}
      title={TITLE}
      lead="Each change and each denied attempt creates one entry. Entries are chained, so that tampering is detected."
      actions={
        <>
          {may('audit.verify') && <ChainCheck />}
          {may('exports.create') && (
            <Button icon={Download} onClick={() => setExporting(true)}>
              Export
            </Button>
          )}
          <ShowAs request={{ operation: row, input: filters, options: {} }} />
        </>
      }
      isFull
    >
      <ListBar label="Search the audit log" schemas={schemas} search={search} onChange={change}>
        <RangeSelect search={search} onChange={change} />
        <FilterBar
          fields={schemas == null ? [] : filtersOf(schemas).filter(({ name }) => name !== 'bodies')}
          search={search}
          onChange={change}
        />
      </ListBar>
      {query.error !== null && <FaultBox fault={faultOf(query.error)} retry={() => void query.refetch()} />}
      {query.data === undefined && query.error === null && <SkeletonRows rows={12} />}
      {query.data !== undefined && items.length === 0 && (
        <Empty
          title={isFiltered ? 'No entries match the filters' : 'No entries yet'}
          action={
            isFiltered && (
              <Button onClick={() => void navigate({ to: '.', search: {} })}>Clear the filters</Button>
            )
          }
        />
      )}
      {items.length > 0 && (
        <div className="flex min-h-0 flex-1 gap-4">
          <DataTable
            label={TITLE}
            columns={COLUMNS}
            items={items}
            keyOf={({ id }) => id}
            linkOf={({ id }) => ({ to: '.', search: { ...search, entry: id } })}
            more={query.hasNextPage ? () => void query.fetchNextPage() : null}
            isFetching={query.isFetching}
            selected={open}
            onWalk={({ id }) => open !== null && change({ entry: id })}
            onFilter={(item, column) => {
              const filter = FILTERS[column]?.(item)
              if (filter !== undefined) change(filter)
            }}
          />
          {open !== null && (
            <aside
              aria-label="Audit entry"
              className="w-1/2 max-w-180 min-w-100 overflow-auto rounded-md border border-line p-4"
            >
              {pane}
            </aside>
          )}
        </div>
      )}
      {isExporting && <ExportDialog of="audit" filters={filters} onClose={() => setExporting(false)} />}
    </Page>
  )
}

/** Goes through the whole chain of the audit log, and says what it found. */
export function ChainCheck() {
  const [isOpen, setOpen] = useState(false)
  const [found, setFound] = useState<Verification | null>(null)
  const [fault, setFault] = useState<Fault | null>(null)
  const verify = async (): Promise<void> => {
    setOpen(true)
    setFound(null)
    setFault(null)
    try {
      setFound((await client.call('audit.verify', {})).body)
    } catch (error) {
      setFault(faultOf(error))
    }
  }
  return (
    <>
      <Button icon={ShieldCheck} onClick={() => void verify()}>
        Verify the chain
      </Button>
      {isOpen && (
        <Dialog title="Chain of the audit log" onClose={() => setOpen(false)}>
          <div className="flex flex-col gap-4" aria-live="polite">
            {fault !== null && <FaultBox fault={fault} retry={() => void verify()} />}
            {found === null && fault === null && <SkeletonRows rows={3} />}
            {found !== null && (
              <>
                <Status state={found.ok ? 'ok' : 'bad'}>
                  {found.ok ? 'The chain is intact' : 'The chain is broken'}
                </Status>
                <p className="break-words">{chainSentence(found)}</p>
                {found.head !== null && (
                  <>
                    <p className="text-sm text-muted">
                      Save the last link outside this instance. A later check with this link detects changes
                      to earlier entries, even if the whole log was rewritten.
                    </p>
                    <CodeBlock label="Last link" text={`--seq ${found.head.seq} --hash ${found.head.hash}`} />
                  </>
                )}
                <CodeBlock label="Public key of the signatures" text={found.public_key.trim()} />
              </>
            )}
            <div>
              <ShowAs request={{ operation: operation('audit.verify')!, input: {}, options: {} }} />
            </div>
          </div>
        </Dialog>
      )}
    </>
  )
}
