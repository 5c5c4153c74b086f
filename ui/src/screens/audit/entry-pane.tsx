import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { ExternalLink, X } from 'lucide-react'
import { client, type DiffEntry, faultOf, operation } from '../../api/client.ts'
import { Button, buttonClasses } from '../../kit/controls.tsx'
import { Diff } from '../../kit/diff.tsx'
import { FaultBox, SkeletonRows } from '../../kit/page.tsx'
import { Outcome } from '../../kit/status.tsx'
import { CodeBlock, Moment } from '../../kit/text.tsx'
import { ShowAs } from '../../show-as/show-as.tsx'
import { Terms } from '../requests/request-page.tsx'
import { entrySentence, interfaceOf } from './words.ts'

interface EntryPaneProps {
  readonly id: string
  /** Null: the entry is a page of its own. */
  readonly onClose: (() => void) | null
  readonly closeLabel?: string
}

/** One audit entry: who did what over which interface, why, and the difference that it made. */
export function EntryPane({ id, onClose, closeLabel = 'Close' }: EntryPaneProps) {
  const query = useQuery({
    queryKey: ['audit.get', id],
    queryFn: async () => (await client.call('audit.get', { id })).body,
    // An entry never changes
    staleTime: Number.POSITIVE_INFINITY,
    retry: false,
  })
  const close = onClose !== null && (
    <Button isSmall icon={X} onClick={onClose}>
      {closeLabel}
    </Button>
  )
  const entry = query.data
  if (entry === undefined)
    return (
      <div className="flex flex-col items-stretch gap-3">
        <div>{close}</div>
        {query.error === null ? (
          <SkeletonRows rows={10} />
        ) : (
          <FaultBox fault={faultOf(query.error)} retry={() => void query.refetch()} />
        )}
      </div>
    )
  const { actor, agent, approver, http, resource } = entry
  return (
    <article className="flex min-w-0 flex-col gap-5">
      <header className="flex flex-col gap-2">
        <div className="flex flex-wrap items-center justify-between gap-2">
          <Outcome outcome={entry.outcome} />
          <div className="flex flex-wrap gap-2">
            <ShowAs request={{ operation: operation('audit.get')!, input: { id }, options: {} }} />
            {onClose !== null && (
              <Link
                to="/$resource/$id"
                params={{ resource: 'audit', id }}
                className={buttonClasses('quiet', true)}
              >
                <ExternalLink size={16} aria-hidden="true" />
                Page
              </Link>
            )}
            {close}
          </div>
        </div>
        <h2 className="text-md font-semibold break-words">{entrySentence(entry)}</h2>
        {entry.detail !== null && <p className="break-words">{entry.detail}</p>}
      </header>
      <section aria-labelledby="difference" className="flex flex-col gap-2">
        <h3 id="difference" className="font-semibold">
          Difference
        </h3>
        <Diff entries={entry.diff as readonly DiffEntry[]} />
      </section>
      <section aria-labelledby="entry" className="flex flex-col gap-2 text-sm">
        <h3 id="entry" className="text-base font-semibold">
          Entry
        </h3>
        <Terms
          terms={[
            ['Id', <code key="i">{entry.id}</code>],
            ['Time (UTC)', <Moment key="t" value={entry.time} />],
            ['Environment', entry.environment],
            ['Actor', `${actor.name} (${actor.type}, ${actor.auth_method})`],
            ['Approved by', approver?.name],
            ['Agent', [agent.name, agent.version].filter(Boolean).join(' ')],
            ['Session of the agent', agent.session_id],
            ['Interface', interfaceOf(entry.surface)],
            ['Operation', <code key="o">{entry.operation}</code>],
            ['Resource', <Subject key="r" type={resource.type} id={resource.id} slug={resource.slug} />],
            ['Reason', entry.reason],
            [
              'Revision of the resource',
              entry.revision_after === null
                ? null
                : `${entry.revision_before ?? 'none'} to ${entry.revision_after}`,
            ],
            [
              'Revision of the configuration',
              entry.config_revision === null ? null : (
                <Link
                  to="/$resource/$id"
                  params={{ resource: 'revisions', id: String(entry.config_revision) }}
                  className="underline"
                >
                  {entry.config_revision}
                </Link>
              ),
            ],
            ['Plan', entry.plan_id],
            ['HTTP', http === null ? null : `${http.method} ${http.url} ${http.status}`],
            ['Address', entry.ip],
            ['User agent', entry.user_agent],
            ['Request id', entry.request_id],
            ['Error', entry.error],
          ]}
        />
      </section>
      {entry.request !== undefined && entry.request !== null && (
        <Body label="Request" value={entry.request} />
      )}
      {entry.response !== undefined && entry.response !== null && (
        <Body label="Response" value={entry.response} />
      )}
    </article>
  )
}

function Body({ label, value }: { label: string; value: unknown }) {
  return (
    <section className="flex flex-col gap-1">
      <h3 className="font-semibold">{label}</h3>
      <CodeBlock label={label} text={JSON.stringify(value, null, 2)} />
    </section>
  )
}

/** The audit log names types in the singular; resources have a page if `get` is an operation. */
function Subject({ type, id, slug }: { type: string; id: string | null; slug: string | null }) {
  const resource = type.endsWith('y') ? `${type.slice(0, -1)}ies` : `${type}s`
  if (id === null || operation(`${resource}.get`) === null)
    return <>{[type, slug ?? id].filter(Boolean).join(' ')}</>
  return (
    <Link to="/$resource/$id" params={{ resource, id }} className="underline">
      {type} {slug ?? id}
    </Link>
  )
}
