import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import type { JsonObject } from '../../../build/document.ts'
import { useMay } from '../../api/session.ts'
import { titleOf } from '../../app/navigation.ts'
import { Card } from '../../kit/page.tsx'
import { Time } from '../../kit/time.tsx'
import { COMMON, Details } from '../../tables/details.tsx'
import { RELATED } from './related.ts'

interface OverviewProps {
  readonly resource: string
  readonly slug: string
  readonly value: JsonObject
  /** What this kind of resource has to show before its settings. */
  readonly children?: ReactNode
  /** Members that the children show. */
  readonly without?: readonly string[]
}

/** What a resource is: its settings, what is related to it, and when it was changed. */
export function Overview({ resource, slug, value, children, without = [] }: OverviewProps) {
  const may = useMay()
  const related = (RELATED[resource] ?? []).filter(({ list }) => may(`${list}.list`))
  return (
    <div className="grid items-start gap-4 lg:grid-cols-[1fr_280px]">
      <div className="flex min-w-0 flex-col gap-4">
        {children}
        <Card title="Settings">
          <Details value={value} without={[...COMMON, ...without]} />
        </Card>
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
                    className="underline"
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
                  <dt className="text-muted">{name.replaceAll('_', ' ')}</dt>
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
