import { Link } from '@tanstack/react-router'
import { Plus } from 'lucide-react'
import { faultOf, type Output, useCall, useMay } from '../../api/client.ts'
import { buttonClasses } from '../../kit/controls.tsx'
import { Card, FaultBox, SkeletonRows } from '../../kit/page.tsx'
import { Status } from '../../kit/status.tsx'
import { Time } from '../../kit/text.tsx'
import type { PartProps } from '../hand-made.ts'
import { ActiveState, Facts, LastCall, Overview, ResourceLink } from '../resources/overview.tsx'
import { kindOfHost, peopleOf, tokenWords } from './words.ts'

/** Bindings that are shown in the table. */
const BINDINGS_MAX = 100
/** The last calls, among which people are looked for. */
const CALLS_MAX = 100

/** A host: what kind of application it is, what it may call and with which tokens, and who called with it lately. */
export default function HostOverview(props: PartProps) {
  const { slug, value } = props
  const may = useMay()
  const calls = useCall('records.list', {
    client: String(value['id']),
    limit: CALLS_MAX,
    fields: 'id,time,status,user,user_slug',
  })
  const people = peopleOf(calls.data?.items ?? [])
  return (
    <Overview {...props} without={['active', 'software', 'bindings', 'valid_tokens']}>
      <Card title="The application">
        <Facts
          facts={[
            ['Kind', kindOfHost(value['software'])],
            [
              'Recognized by',
              typeof value['software'] === 'string' ? (
                <code className="break-all">{value['software']}</code>
              ) : null,
            ],
            ['State', <ActiveState key="" active={value['active']} />],
            [
              'Last call',
              may('records.list') && calls.data !== undefined ? (
                <LastCall call={calls.data.items[0]} />
              ) : null,
            ],
          ]}
        />
      </Card>
      {may('bindings.list') && <Bindings host={slug} />}
      {calls.error !== null && <FaultBox fault={faultOf(calls.error)} retry={() => void calls.refetch()} />}
      {people.length > 0 && (
        <Card title={`People in its last ${CALLS_MAX} calls`}>
          <ul className="flex flex-col gap-1">
            {people.map(({ id, name, time }) => (
              <li key={id} className="flex flex-wrap gap-x-3">
                <ResourceLink resource="users" id={id}>
                  {name}
                </ResourceLink>
                <span className="text-muted">
                  last call <Time value={time} />
                </span>
              </li>
            ))}
          </ul>
        </Card>
      )}
    </Overview>
  )
}

function Bindings({ host }: { host: string }) {
  const may = useMay()
  const query = useCall('bindings.list', { host, limit: BINDINGS_MAX })
  const bindings = query.data?.items ?? []
  return (
    <Card
      title="Bindings"
      actions={
        may('bindings.create') && (
          <Link
            to="/$resource/new"
            params={{ resource: 'bindings' }}
            search={{ host }}
            className={buttonClasses('plain', true)}
          >
            <Plus size={16} aria-hidden="true" />
            New binding
          </Link>
        )
      }
    >
      {query.error !== null && <FaultBox fault={faultOf(query.error)} retry={() => void query.refetch()} />}
      {query.isPending && <SkeletonRows rows={3} />}
      {query.data !== undefined && bindings.length === 0 && (
        <p className="text-muted">
          No bindings. People who sign in with the host need no binding. Create one to issue a token to an
          agent.
        </p>
      )}
      {bindings.length > 0 && (
        <div className="overflow-auto" tabIndex={0} role="region" aria-label="Bindings">
          <table className="w-full border-collapse text-left">
            <thead>
              <tr className="text-sm text-muted">
                {['Binding', 'Virtual MCP', 'For', 'Token', 'Ends'].map((head) => (
                  <th key={head} scope="col" className="pr-4 pb-1 font-medium">
                    {head}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {bindings.map((binding) => (
                <Row key={binding.id} binding={binding} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      {query.data?.next_cursor != null && (
        <p className="mt-2">
          <Link to="/$resource" params={{ resource: 'bindings' }} search={{ host }} className="underline">
            All bindings of this host
          </Link>
        </p>
      )}
    </Card>
  )
}

type Binding = Output<'bindings.list'>['items'][number]

function Row({ binding }: { binding: Binding }) {
  const token = tokenWords(binding.token_state)
  return (
    <tr className="border-t border-line">
      <th scope="row" className="py-1 pr-4 font-normal">
        <ResourceLink resource="bindings" id={binding.id}>
          {binding.name}
        </ResourceLink>
        {!binding.active && (
          <>
            {' '}
            <Status state="off">inactive</Status>
          </>
        )}
      </th>
      <td className="pr-4">
        <ResourceLink resource="virtual_mcps" id={binding.virtual_mcp} />
      </td>
      <td className="pr-4">
        <CalledFor binding={binding} />
      </td>
      <td className="pr-4">
        <Status state={token.state}>{token.words}</Status>
      </td>
      <td>{binding.token_expires_at == null ? '–' : <Time value={binding.token_expires_at} />}</td>
    </tr>
  )
}

/** For whom the host calls by a binding, in a word. `bindingSentence` says it in full. */
function CalledFor({ binding }: { binding: Binding }) {
  if (binding.user !== null) return <ResourceLink resource="users" id={binding.user} />
  return binding.acts_for === null ? 'itself' : 'people'
}
