import { Link, useSearch } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import type { JsonObject } from '../../../build/document.ts'
import { faultOf, operation, useCall, useMay } from '../../api/client.ts'
import type { Search } from '../../app/search.ts'
import { Card, FaultBox, SkeletonRows } from '../../kit/page.tsx'
import { Status } from '../../kit/status.tsx'
import { Time } from '../../kit/text.tsx'
import { ShowAs } from '../../show-as/show-as.tsx'
import { bindingSentence } from '../agents/words.ts'
import type { PartProps } from '../hand-made.ts'
import { Facts, ResourceLink } from '../resources/overview.tsx'
import { assigned, bindingHindrance, clientHindrance, opening, sharingOf } from './callers.ts'
import { authenticationOf, Snippets } from './snippets.tsx'

/** While no call has come, records are looked at this often, milliseconds. */
const AGAIN_MS = 5000
const WAYS = { sign_in: 'People who sign in', token: 'An agent with a token' }

/** Who may call a virtual MCP, how AI applications connect to it, one tab each, and the first call that came. */
export default function ConnectPart({ slug, value }: PartProps) {
  const search = useSearch({ strict: false }) as Search
  const input = { id: slug, authentication: authenticationOf(search) } as const
  const { data, error, refetch } = useCall('virtual_mcps.connect', input)
  if (error !== null) return <FaultBox fault={faultOf(error)} retry={() => void refetch()} />
  if (data === undefined) return <SkeletonRows rows={8} />
  return (
    <div className="flex max-w-220 flex-col gap-4">
      <FirstCall slug={slug} isPublished={data.status === 'published'} />
      <Callers slug={slug} value={value} />
      <Snippets connect={data.connect} ways={WAYS} />
      <div>
        <ShowAs request={{ operation: operation('virtual_mcps.connect')!, input, options: {} }} />
      </div>
    </div>
  )
}

function FirstCall({ slug, isPublished }: { slug: string; isPublished: boolean }) {
  const asked = { virtual_mcp: slug, limit: 1 } as const
  const seen = useCall('records.list', asked)
  const waiting = useCall(
    'records.list',
    { ...asked, order: 'oldest' },
    { again: AGAIN_MS, enabled: seen.data?.items.length === 0 },
  )
  const failed = [seen, waiting].find(({ error }) => error !== null)
  const [call] = seen.data?.items.length ? seen.data.items : (waiting.data?.items ?? [])
  if (failed !== undefined)
    return <FaultBox fault={faultOf(failed.error)} retry={() => void failed.refetch()} />
  if (seen.data === undefined) return null
  if (call === undefined)
    return (
      <p role="status">
        <Status state={isPublished ? 'pending' : 'draft'}>
          {isPublished ? 'No call seen yet' : 'The virtual MCP is a draft: publish it first'}
        </Status>
      </p>
    )
  return (
    <p role="status" className="flex flex-wrap gap-x-2">
      <Status state={call.status < 400 ? 'ok' : 'bad'}>{`Call received, status ${call.status}`}</Status>
      <Time value={call.time} />
      {call.agent_name !== null && <span className="text-muted">from {call.agent_name}</span>}
      <Link
        to="/$resource"
        params={{ resource: 'records' }}
        search={{ virtual_mcp: slug } as never}
        className="underline"
      >
        All its calls
      </Link>
    </p>
  )
}

/** As many as a list answers at once. */
const LOOKED_THROUGH = 200

/** Who may call a virtual MCP: people who sign in, clients with their profiles, and agents with bindings. */
function Callers({ slug, value }: { slug: string; value: JsonObject }) {
  return (
    <Card title="Who may call">
      <Facts
        facts={[
          ['People who sign in', <People key="" slug={slug} value={value} />],
          ['Clients', <Clients key="" slug={slug} />],
          ['Agents', <Agents key="" slug={slug} />],
        ]}
      />
    </Card>
  )
}

function People({ slug, value }: { slug: string; value: JsonObject }) {
  const may = useMay()
  const { everyone, teams } = sharingOf(value)
  return (
    <>
      {everyone ? (
        'Every active user.'
      ) : teams.length === 0 ? (
        'None. The virtual MCP is not shared with users.'
      ) : (
        <>
          Members of{' '}
          {teams.map((team, index) => (
            <span key={team}>
              {index > 0 && ', '}
              <ResourceLink resource="teams" id={team} />
            </span>
          ))}{' '}
          and of the teams below.
        </>
      )}{' '}
      {may('virtual_mcps.update') && (
        <Link
          to="/$resource/$id"
          params={{ resource: 'virtual_mcps', id: slug }}
          search={{ tab: 'edit' } as never}
          hash="/teams"
          className="underline"
        >
          Change
        </Link>
      )}
    </>
  )
}

function Clients({ slug }: { slug: string }) {
  const fields = 'id,slug,name,active,valid_until,virtual_mcps'
  const query = useCall('clients.list', { limit: LOOKED_THROUGH, fields })
  return (
    <Listed
      list="clients.list"
      query={query}
      none="None. The virtual MCP is not assigned to a client."
      lead="Each active profile of:"
      more="clients"
    >
      {assigned(query.data?.items ?? [], slug).map((client) => (
        <Line key={client.id} hindrance={clientHindrance(client, Date.now())}>
          <ResourceLink resource="clients" id={client.slug}>
            {client.name}
          </ResourceLink>
        </Line>
      ))}
    </Listed>
  )
}

function Agents({ slug }: { slug: string }) {
  const fields = 'id,slug,host,virtual_mcp,user,acts_for,active,keys,token_state'
  const query = useCall('bindings.list', { limit: LOOKED_THROUGH, fields })
  return (
    <Listed
      list="bindings.list"
      query={query}
      none="None. No binding gives access to the virtual MCP."
      more="bindings"
    >
      {opening(query.data?.items ?? [], slug).map((binding) => (
        <Line key={binding.id} hindrance={bindingHindrance(binding, Date.now())}>
          <ResourceLink resource="bindings" id={binding.id}>
            {bindingSentence(binding as unknown as JsonObject)}
          </ResourceLink>
        </Line>
      ))}
    </Listed>
  )
}

interface ListedProps {
  readonly list: 'clients.list' | 'bindings.list'
  readonly query: Pick<ReturnType<typeof useCall>, 'error' | 'refetch'> & {
    readonly data?: { readonly next_cursor: string | null } | undefined
  }
  readonly none: string
  readonly lead?: string
  /** What was looked through. */
  readonly more: string
  readonly children: readonly ReactNode[]
}

/** Callers out of a list of the management API, as far as the person may see them. */
function Listed({ list, query, none, lead, more, children }: ListedProps) {
  const may = useMay()
  if (!may(list))
    return (
      <span className="text-muted">
        Not shown: this needs the permission <code>{operation(list)!.permission}</code>.
      </span>
    )
  if (query.error !== null)
    return <FaultBox fault={faultOf(query.error)} retry={() => void query.refetch()} />
  if (query.data === undefined) return <SkeletonRows rows={1} />
  return (
    <>
      {children.length === 0 ? none : lead}
      <ul className="flex flex-col gap-1 empty:hidden">{children}</ul>
      {query.data.next_cursor !== null && (
        <p className="text-sm text-muted">
          Only the first {LOOKED_THROUGH} {more} were searched.
        </p>
      )}
    </>
  )
}

function Line({ hindrance, children }: { hindrance: string | null; children: ReactNode }) {
  return (
    <li className="flex flex-wrap gap-x-3">
      {children}
      {hindrance !== null && <Status state="off">{hindrance}</Status>}
    </li>
  )
}
