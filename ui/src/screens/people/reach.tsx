import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { faultOf, useCall } from '../../api/client.ts'
import { Card, FaultBox, SkeletonRows } from '../../kit/page.tsx'
import { Badge, Status } from '../../kit/status.tsx'
import { Time } from '../../kit/text.tsx'
import { inSentence } from '../../schema/fields.ts'
import { counted } from '../../schema/value.ts'
import type { PartProps } from '../hand-made.ts'
import { grantWords } from './access.ts'

interface Reason {
  readonly text: string
}

const TITLES = {
  grants: 'Grants',
  teams: 'Teams',
  profiles: 'Profiles at /mcp',
  virtual_mcps: 'Virtual MCPs',
  bindings: 'Bindings of hosts',
  agents: 'Agents that act for the user',
  connections: 'Connections to origins',
  personal_tokens: 'Personal tokens',
  sign_ins: 'Sign-ins',
} as const

/** All that a user can reach and may do, each with the reason. */
export default function UserReach({ slug }: PartProps) {
  const query = useCall('users.reach', { id: slug })
  const reach = query.data
  if (query.error !== null)
    return <FaultBox fault={faultOf(query.error)} retry={() => void query.refetch()} />
  if (reach === undefined) return <SkeletonRows rows={12} />
  const none = Object.entries(TITLES).flatMap(([part, title]) =>
    reach[part as keyof typeof TITLES]?.length === 0 ? [inSentence(title)] : [],
  )
  return (
    <div className="flex flex-col gap-4">
      {!reach.active && (
        <Status state="off" className="whitespace-normal">
          The user is inactive. None of this access works until the user is activated.
        </Status>
      )}
      <div className="grid items-start gap-4 grid-cols-1 lg:grid-cols-2">
        <Part title={TITLES.grants} items={reach.grants} needs="grants:read">
          {({ grant, name, expires_at, because }) => (
            <>
              <span className="break-words">{grantWords(grant)}</span>
              {name !== null && <Ref resource="grants" id={name} label={name} />}
              {expires_at !== null && (
                <span className="text-sm text-muted">
                  ends <Time value={expires_at} />
                </span>
              )}
              <Because reasons={because} />
            </>
          )}
        </Part>
        <Part title={TITLES.teams} items={reach.teams} needs="teams:read">
          {({ team, role, group, above }) => (
            <>
              <Ref resource="teams" id={team} label={team} />
              <Badge>{role}</Badge>
              {group !== null && <span className="text-sm text-muted">through the group {group}</span>}
              {above.length > 0 && <span className="text-sm text-muted">below {above.join(', ')}</span>}
            </>
          )}
        </Part>
        <Part title={TITLES.profiles} items={reach.profiles} needs="profiles:read">
          {({ profile, active, collections, because }) => (
            <>
              <Ref resource="profiles" id={profile} label={profile} />
              {!active && <Status state="off">inactive</Status>}
              <span className="text-sm text-muted">{collections.join(', ')}</span>
              <Because reasons={because} />
            </>
          )}
        </Part>
        <Part title={TITLES.virtual_mcps} items={reach.virtual_mcps} needs="virtual_mcps:read">
          {({ virtual_mcp, because }) => (
            <>
              <Ref resource="virtual_mcps" id={virtual_mcp} label={virtual_mcp} />
              <Because reasons={because} />
            </>
          )}
        </Part>
        <Part title={TITLES.bindings} items={reach.bindings} needs="bindings:read">
          {({ binding, virtual_mcp, active, tokens }) => (
            <>
              <Ref resource="bindings" id={binding} label={binding} />
              {!active && <Status state="off">inactive</Status>}
              <span className="text-sm text-muted">
                to {virtual_mcp}, {counted(tokens, 'token')}
              </span>
            </>
          )}
        </Part>
        <Part title={TITLES.agents} items={reach.agents} needs="bindings:read">
          {({ binding, virtual_mcp, active, because }) => (
            <>
              <Ref resource="bindings" id={binding} label={binding} />
              {!active && <Status state="off">inactive</Status>}
              <span className="text-sm text-muted">to {virtual_mcp}</span>
              <Because reasons={because} />
            </>
          )}
        </Part>
        <Part title={TITLES.connections} items={reach.connections} needs="users:read">
          {({ origin, state, active, account_label }) => (
            <>
              <Ref resource="origins" id={origin} label={origin} />
              <Status state={state === 'connected' && active ? 'ok' : 'bad'}>
                {active ? state.replace('_', ' ') : 'inactive'}
              </Status>
              <span className="text-sm text-muted">{account_label}</span>
            </>
          )}
        </Part>
        <Part title={TITLES.personal_tokens} items={reach.personal_tokens} needs="users:read">
          {({ name, id, grants, expires_at }) => (
            <>
              <Ref resource="personal_tokens" id={id} label={name} />
              <span className="text-sm text-muted">
                {grants.length === 0 ? 'All permissions of the user' : grants.map(grantWords).join(' ')},
                expires <Time value={expires_at} />
              </span>
            </>
          )}
        </Part>
        <Part title={TITLES.sign_ins} items={reach.sign_ins} needs="users:read">
          {({ kind, count }) => (
            <span>
              {kind}: {count}
            </span>
          )}
        </Part>
      </div>
      {none.length > 0 && <p className="text-muted">None: {none.join(', ')}.</p>}
    </div>
  )
}

interface PartOfReach<T> {
  readonly title: string
  /** Null: the signed-in person lacks the permission. */
  readonly items: readonly T[] | null
  readonly needs: string
  readonly children: (item: T) => ReactNode
}

function Part<T>({ title, items, needs, children }: PartOfReach<T>) {
  // Those without items are named in one line
  if (items?.length === 0) return null
  return (
    <Card title={title}>
      {items === null && (
        <p className="text-muted">
          To see this, you need the permission <code>{needs}</code> for all resources.
        </p>
      )}
      <ul className="flex flex-col gap-1">
        {items?.map((item, index) => (
          <li key={index} className="flex flex-wrap items-baseline gap-x-2">
            {children(item)}
          </li>
        ))}
      </ul>
    </Card>
  )
}

function Ref({ resource, id, label }: { resource: string; id: string; label: string }) {
  return (
    <Link to="/$resource/$id" params={{ resource, id }} className="break-all underline">
      {label}
    </Link>
  )
}

function Because({ reasons }: { reasons: readonly Reason[] }) {
  return <span className="text-sm text-muted">{reasons.map(({ text }) => text).join('; ')}</span>
}
