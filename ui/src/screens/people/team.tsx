import { Link } from '@tanstack/react-router'
import { faultOf, useCall } from '../../api/client.ts'
import { Card, FaultBox, SkeletonRows } from '../../kit/page.tsx'
import type { PartProps } from '../hand-made.ts'
import { Overview } from '../resources/overview.tsx'
import { type TeamNode, treeOf } from './team-tree.ts'

/** Teams that are fetched for the tree. */
const TEAMS_MAX = 200

/** A team: its place in the tree of teams. */
export default function TeamOverview(props: PartProps) {
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
