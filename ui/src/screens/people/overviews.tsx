/** What a grant, a role and a team show before their settings. */
import { Link } from '@tanstack/react-router'
import { Check } from 'lucide-react'
import { faultOf, useCall } from '../../api/client.ts'
import { titleOf } from '../../app/navigation.ts'
import { Card, FaultBox, SkeletonRows } from '../../kit/page.tsx'
import type { PartProps } from '../hand-made.ts'
import { Overview } from '../resources/overview.tsx'
import { grantSentence, gridOf, type TeamNode, treeOf } from './access.ts'

/** A grant, read back as a sentence before its settings. */
export function GrantOverview(props: PartProps) {
  return (
    <Overview {...props}>
      <Card title="What it allows">
        <p className="break-words">{grantSentence(props.value)}</p>
      </Card>
    </Overview>
  )
}

/** A role: its permissions as a grid of resources and verbs. */
export function RoleOverview(props: PartProps) {
  const { verbs, rows } = gridOf((props.value['permissions'] ?? []) as readonly string[])
  return (
    <Overview {...props} without={['permissions']}>
      <Card title="Permissions">
        <div className="overflow-auto" tabIndex={0} role="region" aria-label="Permissions">
          <table className="border-collapse">
            <thead>
              <tr className="text-sm text-muted">
                <th scope="col" className="pr-4 pb-1 text-left font-medium">
                  Resource
                </th>
                {verbs.map((verb) => (
                  <th key={verb} scope="col" className="px-2 pb-1 font-medium">
                    {verb.replaceAll('_', ' ')}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {rows.map((row) => (
                <tr key={row.resource} className="border-t border-line">
                  <th scope="row" className="py-1 pr-4 text-left font-normal whitespace-nowrap">
                    {titleOf(row.resource)}
                  </th>
                  {verbs.map((verb) => (
                    <td key={verb} className="px-2 text-center">
                      {row.verbs.has(verb) ? (
                        <Check size={16} aria-label="yes" className="inline text-ok" />
                      ) : (
                        <span className="sr-only">no</span>
                      )}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </Card>
    </Overview>
  )
}

/** Teams that are fetched for the tree. */
const TEAMS_MAX = 200

/** A team: its place in the tree of teams. */
export function TeamOverview(props: PartProps) {
  const query = useCall('teams.list', { limit: TEAMS_MAX, fields: 'slug,name,parent' })
  const tree = query.data && treeOf(query.data.items)
  return (
    <Overview {...props}>
      <Card title="All teams">
        {query.error !== null && <FaultBox fault={faultOf(query.error)} retry={() => void query.refetch()} />}
        {query.isPending && <SkeletonRows rows={4} />}
        {tree !== undefined && <Branch nodes={tree} current={props.slug} />}
        {query.data?.next_cursor != null && (
          <p className="text-sm text-muted">Only the first {TEAMS_MAX} teams are shown.</p>
        )}
      </Card>
    </Overview>
  )
}

function Branch({ nodes, current }: { nodes: readonly TeamNode[]; current: string }) {
  return (
    <ul className="flex flex-col gap-1">
      {nodes.map(({ slug, name, below }) => (
        <li key={slug}>
          {slug === current ? (
            <span aria-current="page" className="font-medium">
              {name}
            </span>
          ) : (
            <Link to="/$resource/$id" params={{ resource: 'teams', id: slug }} className="underline">
              {name}
            </Link>
          )}
          {below.length > 0 && (
            <div className="mt-1 ml-1 border-l border-line pl-3">
              <Branch nodes={below} current={current} />
            </div>
          )}
        </li>
      ))}
    </ul>
  )
}
