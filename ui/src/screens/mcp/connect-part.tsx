import { Link, useSearch } from '@tanstack/react-router'
import { operation } from '../../api/operations.ts'
import { faultOf } from '../../api/problem.ts'
import { useCall } from '../../api/use-call.ts'
import type { Search } from '../../app/search.ts'
import { FaultBox, SkeletonRows } from '../../kit/states.tsx'
import { Status } from '../../kit/status.tsx'
import { Time } from '../../kit/time.tsx'
import { ShowAs } from '../../show-as/show-as.tsx'
import type { PartProps } from '../hand-made.ts'
import { Callers } from './callers-card.tsx'
import { authenticationOf, Snippets } from './snippets.tsx'

/** While no call has come, records are looked at this often, milliseconds. */
const AGAIN_MS = 5000
const WAYS = { sign_in: 'People, who sign in', token: 'An agent, with a token' }

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
      <Status state={call.status < 400 ? 'ok' : 'bad'}>{`Call seen, answered ${call.status}`}</Status>
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
