import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { type ReactNode, useMemo } from 'react'
import type { Json, JsonObject, ResourceSchemas } from '../../../build/document.ts'
import { client, faultOf, type Input, type OperationName, operation, useMay } from '../../api/client.ts'
import { titleOf } from '../../app/navigation.ts'
import { Diff } from '../../kit/diff.tsx'
import { Card, FaultBox, SkeletonRows } from '../../kit/page.tsx'
import { Badge, Status } from '../../kit/status.tsx'
import { Time } from '../../kit/text.tsx'
import { type Field, fieldsOf, labelOf, markdownOf, refsOf } from '../../schema/fields.ts'
import { COMMON, Details, isNothing } from '../../tables/details.tsx'
import { RELATED } from './related.ts'

interface OverviewProps {
  readonly resource: string
  readonly slug: string
  readonly value: JsonObject
  readonly schemas: ResourceSchemas
  /** What this kind of resource has to show before its settings. */
  readonly children?: ReactNode
  /** Members that the children show. */
  readonly without?: readonly string[]
}

/** What a resource is: its settings, what is related to it, and when it was changed. */
export function Overview({ resource, slug, value, schemas, children, without = [] }: OverviewProps) {
  const shape = schemas.actions['get']?.output
  const fields = useMemo(() => (shape === undefined ? [] : fieldsOf(shape, schemas.$defs)), [shape, schemas])
  const may = useMay()
  const related = (RELATED[resource] ?? []).filter(({ list }) => may(`${list}.list`))
  return (
    <div className="grid items-start gap-4 grid-cols-1 lg:grid-cols-[minmax(0,1fr)_280px]">
      <div className="flex min-w-0 flex-col gap-4">
        {value['pending_draft'] !== undefined && <DraftCard resource={resource} id={String(value['id'])} />}
        {children}
        <Settings value={value} without={[...COMMON, 'pending_draft', ...without]} fields={fields} />
      </div>
      <div className="flex flex-col gap-4">
        {related.length > 0 && (
          <Card title="Related">
            <ul className="flex flex-col gap-1">
              {related.map(({ list, filter }) => (
                <li key={list}>
                  <Link
                    to="/$resource"
                    params={{ resource: list }}
                    search={{ [filter]: slug }}
                    className="target inline-block underline"
                  >
                    {titleOf(list)}
                  </Link>
                </li>
              ))}
            </ul>
          </Card>
        )}
        <Card title="About">
          <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-2">
            {(
              [
                'id',
                'revision',
                'created_at',
                'created_by',
                'updated_at',
                'updated_by',
                'managed_by',
              ] as const
            ).map((name) =>
              value[name] === undefined || value[name] === null ? null : (
                <div key={name} className="contents">
                  <dt className="text-muted">{labelOf(name)}</dt>
                  <dd className="min-w-0 break-all">
                    {name.endsWith('_at') ? <Time value={String(value[name])} /> : String(value[name])}
                  </dd>
                </div>
              ),
            )}
          </dl>
        </Card>
      </div>
    </div>
  )
}

interface SettingsProps {
  readonly value: JsonObject
  readonly without: readonly string[]
  readonly fields: readonly Field[]
}

/** The members of a resource by section. Those that are not set are named in one line. */
function Settings({ value, without, fields }: SettingsProps) {
  const refs = refsOf(fields)
  const markdown = markdownOf(fields)
  const sectionOf = new Map(fields.map(({ name, section }) => [name, section]))
  const members = Object.entries(value).filter(([name]) => !without.includes(name))
  const unset = members.filter(([, member]) => isNothing(member)).map(([name]) => labelOf(name))
  const sections = Map.groupBy(
    members.filter(([, member]) => !isNothing(member)),
    ([name]) => sectionOf.get(name) ?? null,
  )
  if (members.length === 0) return null
  return (
    <Card title="Settings">
      <div className="flex flex-col gap-4">
        {[...sections].map(([section, own]) => (
          <section key={section ?? ''} className="flex flex-col gap-2">
            {sections.size > 1 && (
              <h3 className="text-sm font-semibold text-muted">{labelOf(section ?? 'more')}</h3>
            )}
            <Details value={Object.fromEntries(own)} refs={refs} markdown={markdown} />
          </section>
        ))}
        {unset.length > 0 && <p className="text-sm text-muted">Not set: {unset.join(', ')}.</p>}
      </div>
    </Card>
  )
}

/** The pending draft of a published resource: what publishing it would change, as the server computes it. */
function DraftCard({ resource, id }: { resource: string; id: string }) {
  const may = useMay()
  const publish = `${resource}.publish`
  const isAsked = operation(publish) !== null && may(publish)
  const query = useQuery({
    queryKey: [publish, 'dry_run', id],
    queryFn: async () => {
      const input = { id, status: 'published' } as unknown as Input<OperationName>
      return (await client.call(publish as OperationName, input, { dryRun: true })).diff
    },
    enabled: isAsked,
  })
  return (
    <Card
      title={
        <span className="inline-flex items-center gap-2">
          Draft <Badge tone="dashed">not live</Badge>
        </span>
      }
    >
      {!isAsked && <p>A draft is ready to publish. You do not have permission to publish it.</p>}
      {query.error !== null && <FaultBox fault={faultOf(query.error)} retry={() => void query.refetch()} />}
      {isAsked && query.isPending && <SkeletonRows rows={3} />}
      {query.data != null && (
        <div className="flex flex-col gap-2">
          <p className="text-muted">Callers get the live version. Publishing changes:</p>
          <Diff entries={query.data} />
        </div>
      )}
    </Card>
  )
}

/** Facts about a resource: terms with what is so. A fact that is null is left out. */
export function Facts({ facts }: { facts: readonly (readonly [term: string, fact: ReactNode])[] }) {
  return (
    <dl className="grid grid-cols-1 gap-x-4 gap-y-2 sm:grid-cols-[160px_minmax(0,1fr)]">
      {facts
        .filter(([, fact]) => fact !== null)
        .map(([term, fact]) => (
          <div key={term} className="contents">
            <dt className="text-muted">{term}</dt>
            <dd className="min-w-0 break-words max-sm:mb-2">{fact}</dd>
          </div>
        ))}
    </dl>
  )
}

/** The way to the page of a resource. */
export function ResourceLink({
  resource,
  id,
  children,
}: {
  resource: string
  id: string
  children?: ReactNode
}) {
  return (
    <Link to="/$resource/$id" params={{ resource, id }} className="min-w-0 underline">
      {children ?? id}
    </Link>
  )
}

/** Whether calls of a caller, such as a host or a service identity, are accepted. @param active as the caller has it */
export function ActiveState({ active }: { active: Json | undefined }) {
  return active === false ? (
    <Status state="off">Inactive: its calls are refused</Status>
  ) : (
    <Status state="ok">Active</Status>
  )
}

/** The newest call of a caller, as a link to its record. @param call undefined: there is none */
export function LastCall({
  call,
}: {
  call: { readonly id: string; readonly time: string; readonly status: number } | undefined
}) {
  if (call === undefined) return 'None on record'
  return (
    <ResourceLink resource="records" id={call.id}>
      <Time value={call.time} />, answered {call.status}
    </ResourceLink>
  )
}
