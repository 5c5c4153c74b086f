import { Link } from '@tanstack/react-router'
import { type ReactNode, useMemo } from 'react'
import type { JsonObject, ResourceSchemas } from '../../../build/document.ts'
import { useMay } from '../../api/session.ts'
import { titleOf } from '../../app/navigation.ts'
import { Card } from '../../kit/page.tsx'
import { Time } from '../../kit/time.tsx'
import { type Field, fieldsOf, labelOf, markdownOf, refsOf } from '../../schema/fields.ts'
import { COMMON, Details, isNothing } from '../../tables/details.tsx'
import { DraftCard } from './draft-card.tsx'
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
