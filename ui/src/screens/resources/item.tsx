import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate, useParams, useSearch } from '@tanstack/react-router'
import { FileCog, Pencil, Trash2 } from 'lucide-react'
import { type ComponentProps, Suspense, useState } from 'react'
import type { JsonObject } from '../../../build/document.ts'
import {
  client,
  type DiffEntry,
  faultOf,
  type Input,
  nameOf,
  type OperationName,
  type OperationRow,
  operation,
  operationsOf,
  useMay,
  useSchemas,
} from '../../api/client.ts'
import { useKeys } from '../../app/keys.ts'
import { singularOf, titleOf } from '../../app/navigation.ts'
import { NotFound } from '../../app/router.tsx'
import { one } from '../../app/search.ts'
import { NOT_IF_MANAGED, nameOfItem, setOf, wordOf } from '../../forms/actions.ts'
import { EditForm } from '../../forms/edit-form.tsx'
import { RunDialog } from '../../forms/operation-form.tsx'
import { Button } from '../../kit/controls.tsx'
import { Diff } from '../../kit/diff.tsx'
import { Empty, FaultBox, Forbidden, Page, SkeletonRows } from '../../kit/page.tsx'
import { Badge, Outcome, Status, stateOf } from '../../kit/status.tsx'
import { classes } from '../../kit/style.ts'
import { CopyButton, Moment } from '../../kit/text.tsx'
import { addressOf, counted, isObject } from '../../schema/value.ts'
import { ShowAs } from '../../show-as/show-as.tsx'
import { type AuditEntry, interfaceOf } from '../audit/words.ts'
import { EDITED_ELSEWHERE, PARTS } from '../hand-made.ts'
import { OWN_FIELDS, ownFieldsOf } from '../own-fields.ts'
import { Overview } from './overview.tsx'

const TABS = [
  { tab: 'overview', label: 'Overview' },
  { tab: 'edit', label: 'Edit' },
  { tab: 'history', label: 'History' },
] as const
/** Actions that have a place of their own on the page. */
const PLACED = ['list', 'get', 'create', 'put', 'update', 'delete', 'resolve_drift']

/** One resource: what it is, how to change it, what may be done with it, and what was done. */
export default function ResourceItem() {
  const { resource, id } = useParams({ from: '/shell/$resource/$id' })
  if (operation(`${resource}.get`) === null) return <NotFound />
  return <Item key={`${resource}/${id}`} resource={resource} id={id} />
}

function Item({ resource, id }: { resource: string; id: string }) {
  const search = useSearch({ strict: false })
  const navigate = useNavigate()
  const may = useMay()
  const schemas = useSchemas(resource)
  const [running, setRunning] = useState<OperationRow | null>(null)
  const get = operation(`${resource}.get`)!
  const query = useQuery({
    queryKey: [nameOf(get), id],
    queryFn: async () =>
      (await client.call(nameOf(get), { id } as Input<OperationName>)).body as unknown as JsonObject,
    enabled: may(nameOf(get)),
  })
  const mayEdit = may(`${resource}.update`) || may(`${resource}.put`)
  useKeys({
    e: () =>
      mayEdit && setOf(query.data?.['managed_by']) === null
        ? void navigate({ to: '.', search: { ...search, tab: 'edit' } as never })
        : false,
  })
  const kind = singularOf(resource)
  if (!may(nameOf(get)))
    return (
      <Page name={kind} title={kind}>
        <Forbidden permission={get.permission} />
      </Page>
    )
  if (query.error !== null && query.data === undefined)
    return (
      <Page name={kind} title={id}>
        <FaultBox fault={faultOf(query.error)} retry={() => void query.refetch()} />
      </Page>
    )
  const value = query.data
  const parts = (PARTS[resource] ?? []).filter(({ needs }) => may(needs))
  const first = parts.find(({ isFirst }) => isFirst === true)?.tab ?? 'overview'
  const wanted = one(search['tab']) ?? first
  if (value === undefined || schemas == null)
    return (
      <Page
        name={kind}
        title={<span className="skeleton h-7 w-60" />}
        lead={<span className="skeleton h-5 w-40" />}
      >
        <Tabs
          tabs={tabsOf(parts, first, { overview: true, edit: mayEdit, history: may('audit.list') })}
          first={first}
          tab={wanted}
        />
        <SkeletonRows rows={10} />
      </Page>
    )

  const name = nameOfItem(value, id)
  const slug = addressOf(resource, value)
  // The documents decide: a change here would be undone the next time that they are applied
  const set = setOf(value['managed_by'])
  const isManaged = set !== null
  const tab = isManaged && wanted === 'edit' ? first : wanted
  const part = parts.find((one) => one.tab === tab)
  const denied = part === undefined ? PARTS[resource]?.find((one) => one.tab === tab) : undefined
  const isShown = { overview: true, edit: mayEdit && !isManaged, history: may('audit.list') }
  const update = operation(`${resource}.update`)
  const draft = isObject(value['pending_draft']) ? value['pending_draft'] : null
  const isDraft = draft !== null && one(search['version']) === 'draft'
  // The draft takes the place of what callers get, and stays known as a draft
  const shown = isDraft ? { ...value, ...draft } : value
  const tabs = tabsOf(parts, first, isShown)
  const actions = operationsOf(resource).filter(
    (row) =>
      row.byId &&
      row.effect !== 'read' &&
      !PLACED.includes(row.action) &&
      part?.actions?.includes(row.action) !== true &&
      !(isManaged && NOT_IF_MANAGED.includes(row.action)) &&
      may(nameOf(row)),
  )
  const remove = operation(`${resource}.delete`)
  return (
    <Page
      name={`${name} · ${titleOf(resource)}`}
      title={
        <>
          {name} <States value={value} />
        </>
      }
      lead={
        <span className="inline-flex flex-wrap items-center gap-1">
          <Link to="/$resource" params={{ resource }} className="underline">
            {titleOf(resource)}
          </Link>
          <span aria-hidden="true">/</span> <code>{slug}</code>{' '}
          <CopyButton text={slug} label="Copy the slug" />
        </span>
      }
      actions={
        <>
          <ShowAs request={{ operation: get, input: { id: slug }, options: {} }} />
          {actions.map((row) => (
            <Button key={row.action} onClick={() => setRunning(row)}>
              {wordOf(row, value)}
            </Button>
          ))}
          {isShown.edit && tab !== 'edit' && (
            <Button
              icon={Pencil}
              onClick={() => void navigate({ to: '.', search: { ...search, tab: 'edit' } as never })}
            >
              Edit
            </Button>
          )}
          {remove !== null && !isManaged && may(nameOf(remove)) && (
            <Button tone="danger" icon={Trash2} onClick={() => setRunning(remove)}>
              Delete
            </Button>
          )}
        </>
      }
    >
      <Tabs tabs={tabs} first={first} tab={tab} />
      {set !== null && <Managed set={set} />}
      {draft !== null && tab === 'overview' && (
        <fieldset aria-label="Version" className="flex flex-wrap gap-2">
          {(['live', 'draft'] as const).map((version) => (
            <Button
              key={version}
              isSmall
              aria-pressed={isDraft === (version === 'draft')}
              className={classes(
                isDraft === (version === 'draft') && 'border-accent! bg-accent-soft! text-accent!',
              )}
              onClick={() =>
                void navigate({
                  to: '.',
                  search: { ...search, version: version === 'draft' ? version : undefined } as never,
                })
              }
            >
              {version === 'draft' ? 'Draft' : 'Live'}
            </Button>
          ))}
        </fieldset>
      )}
      {part !== undefined && (
        <Suspense fallback={<SkeletonRows rows={10} />}>
          <part.component
            resource={resource}
            slug={slug}
            value={tab === 'overview' ? shown : value}
            schemas={schemas}
          />
        </Suspense>
      )}
      {denied !== undefined && <Forbidden permission={operation(denied.needs)?.permission ?? denied.needs} />}
      {part === undefined && tab === 'overview' && (
        <Overview resource={resource} slug={slug} value={shown} schemas={schemas} />
      )}
      {part === undefined && tab === 'edit' && !isShown.edit && (
        <Forbidden permission={update?.permission ?? get.permission} to="change this" />
      )}
      {part === undefined && tab === 'edit' && isShown.edit && (
        <EditForm
          resource={resource}
          id={String(value['id'] ?? id)}
          loaded={value}
          schemas={schemas}
          hidden={EDITED_ELSEWHERE[resource] ?? []}
          own={OWN_FIELDS[resource] ?? {}}
          onDone={() => void navigate({ to: '.', search: { ...search, tab: undefined } as never })}
        />
      )}
      {tab === 'history' && !isShown.history && <Forbidden permission="audit:read" />}
      {tab === 'history' && isShown.history && <History resource={resource} id={String(value['id'] ?? id)} />}
      {running !== null && (
        <Running
          key={running.action}
          row={running}
          schemas={schemas}
          value={value}
          slug={slug}
          onClose={() => setRunning(null)}
          onDeleted={() => void navigate({ to: '/$resource', params: { resource } })}
        />
      )}
    </Page>
  )
}

interface Tab {
  readonly tab: string
  readonly label: string
}

/** The tabs of the page: derived ones around those that are made by hand, the first one at the left. */
function tabsOf(
  parts: readonly Tab[],
  first: string,
  isShown: Readonly<Record<(typeof TABS)[number]['tab'], boolean>>,
): readonly Tab[] {
  const derived = TABS.filter((one) => isShown[one.tab])
  return [
    ...derived.filter((one) => one.tab !== 'history'),
    ...parts.filter((one) => !Object.hasOwn(isShown, one.tab)),
    ...derived.filter((one) => one.tab === 'history'),
  ].sort((a, b) => Number(b.tab === first) - Number(a.tab === first))
}

function Tabs({ tabs, first, tab }: { tabs: readonly Tab[]; first: string; tab: string }) {
  const search = useSearch({ strict: false })
  return (
    <nav aria-label="Parts of the page" className="flex flex-wrap gap-x-4 border-b border-line">
      {tabs.map((one) => (
        <Link
          key={one.tab}
          to="."
          search={{ ...search, tab: one.tab === first ? undefined : one.tab } as never}
          aria-current={tab === one.tab ? 'page' : undefined}
          className={classes(
            '-mb-px border-b-2 py-1.5 no-underline',
            tab === one.tab ? 'border-accent font-medium' : 'border-transparent text-muted hover:text-text',
          )}
        >
          {one.label}
        </Link>
      ))}
    </nav>
  )
}

/** An action in its dialog, with the fields that are made by hand. */
function Running(props: Omit<ComponentProps<typeof RunDialog>, 'own'>) {
  // As the resource was when the dialog was opened
  const [own] = useState(() => ownFieldsOf(props.row, props.value))
  return <RunDialog {...props} own={own} />
}

function States({ value }: { value: JsonObject }) {
  const status = value['status'] ?? value['state']
  const state = typeof status === 'string' ? stateOf(status) : null
  return (
    <>
      {state !== null && <Status state={state}>{String(status)}</Status>}
      {value['active'] === false ? (
        <Status state="off">inactive</Status>
      ) : (
        value['active'] === true && state === null && <Status state="ok">active</Status>
      )}
      {value['pending_draft'] !== undefined && <Badge tone="dashed">draft</Badge>}
      {typeof value['managed_by'] === 'string' && <Badge>managed by {value['managed_by']}</Badge>}
    </>
  )
}

/** Says which documents manage the resource: here it is read-only. */
function Managed({ set }: { set: string }) {
  const may = useMay()
  return (
    <div role="note" className="flex items-start gap-2 rounded-md border border-line bg-raised px-3 py-2">
      <FileCog size={16} aria-hidden="true" className="mt-0.5 shrink-0 text-muted" />
      <p className="min-w-0 break-words">
        <span className="font-semibold">Managed by a file.</span> The set of documents <code>{set}</code>{' '}
        manages this. It is read-only here. Change the documents, then{' '}
        {may('config.plan') ? (
          <Link
            to="/run/$operation"
            params={{ operation: 'config.plan' }}
            search={{ managed_by: set } as never}
            className="text-accent underline"
          >
            apply them
          </Link>
        ) : (
          'apply them'
        )}
        .
      </p>
    </div>
  )
}

const SHOWN = 50

/** Changes of a resource from the audit log: who, over which interface, why, and the difference. */
function History({ resource, id }: { resource: string; id: string }) {
  const query = useQuery({
    queryKey: ['audit.list', resource, id],
    queryFn: async () => (await client.call('audit.list', { resource: id, limit: SHOWN })).body,
  })
  if (query.error !== null)
    return <FaultBox fault={faultOf(query.error)} retry={() => void query.refetch()} />
  if (query.data === undefined) return <SkeletonRows rows={4} height={48} />
  const { items, next_cursor } = query.data
  if (items.length === 0)
    return (
      <Empty title="No entries">
        Within its retention period, the audit log has no entry about this resource.
      </Empty>
    )
  return (
    <div className="flex flex-col gap-2">
      <ol aria-label="History" className="flex flex-col rounded-md border border-line">
        {items.map((entry) => (
          <li key={entry.id} className="flex flex-col gap-1 border-b border-line px-3 py-2 last:border-0">
            <Entry entry={entry} />
          </li>
        ))}
      </ol>
      <p className="text-sm text-muted">
        Times are in UTC.{' '}
        {next_cursor !== null && (
          <Link
            to="/$resource"
            params={{ resource: 'audit' }}
            search={{ resource: id } as never}
            className="underline"
          >
            All entries in the audit log
          </Link>
        )}
      </p>
    </div>
  )
}

function Entry({ entry }: { entry: AuditEntry }) {
  const may = useMay()
  const { id, time, actor, approver, operation, surface, outcome, reason, diff } = entry
  const count = diff.length
  return (
    <>
      <div className="flex flex-wrap items-baseline gap-x-3 gap-y-1">
        <Moment value={time} />
        {may('audit.get') ? (
          <Link to="/$resource/$id" params={{ resource: 'audit', id }} className="underline">
            <code>{operation}</code>
          </Link>
        ) : (
          <code>{operation}</code>
        )}
        <span>{actor.name}</span>
        <span className="text-muted">{interfaceOf(surface)}</span>
        {approver !== null && <span className="text-muted">approved by {approver.name}</span>}
        {outcome !== 'ok' && <Outcome outcome={outcome} />}
      </div>
      {reason !== null && <p className="break-words">{reason}</p>}
      {count > 0 && (
        <details>
          <summary className="text-sm text-muted">{counted(count, 'change')}</summary>
          <div className="pt-2">
            <Diff entries={diff as readonly DiffEntry[]} />
          </div>
        </details>
      )}
    </>
  )
}
