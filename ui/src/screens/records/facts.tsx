import { Link } from '@tanstack/react-router'
import { ListFilter } from 'lucide-react'
import type { ReactNode } from 'react'
import type { Output } from '../../api/client.ts'
import { IconButton } from '../../kit/controls.tsx'
import { ProblemCode } from '../../kit/page.tsx'
import { CodeBlock, CopyButton } from '../../kit/text.tsx'
import { durationOf, limitOf, sizeOf } from './sentence.ts'

type WholeRecord = Output<'records.get'>
type Filter = Readonly<Record<string, string>>

interface Fact {
  readonly label: string
  readonly value: ReactNode
  /** The text, where it is worth copying. */
  readonly copy?: string
  readonly filter?: Filter
}

/** A link to a resource by its id, with the slug that it has now as its text. */
function resource(type: string, id: string, slug: string | null): ReactNode {
  if (slug === null) return <code>{id} (deleted)</code>
  return (
    <Link to="/$resource/$id" params={{ resource: type, id }} className="underline">
      {slug}
    </Link>
  )
}

function text(label: string, value: string | null, filter?: string): Fact[] {
  if (value === null || value === '') return []
  return [{ label, value, ...(filter !== undefined && { filter: { [filter]: value } }) }]
}

function codeOf(code: string | null): Fact[] {
  if (code === null) return []
  return [{ label: 'Code', value: <ProblemCode code={code} isRead />, filter: { code } }]
}

function factsOf(record: WholeRecord): readonly Fact[] {
  const facts: Fact[] = [
    { label: 'Request id', value: <code>{record.id}</code>, copy: record.id },
    { label: 'Time', value: <time dateTime={record.time}>{record.time}</time> },
    ...text('Environment', record.environment),
    ...text('Interface', record.surface, 'surface'),
    ...text('Method', record.method, 'method'),
    { label: 'Path', value: <code>{record.path}</code>, filter: { path_exact: record.path } },
    ...text('Route', record.route, 'route'),
    ...text('MCP method', record.mcp_method, 'mcp_method'),
    ...text('Capability', record.capability, 'capability'),
    ...text('Tool', record.tool, 'tool'),
    ...text('Reason given by the agent', record.call_reason),
  ]
  const named = [
    ['Collection', 'collections', 'collection', record.collection_slug],
    ['Proxy', 'proxies', 'proxy', record.proxy_slug],
    ['Virtual MCP', 'virtual_mcps', 'virtual_mcp', record.virtual_mcp_slug],
    ['Origin', 'origins', 'origin', record.origin_slug],
    ['Client', 'clients', 'client', record.client_slug],
    ['Profile', 'profiles', 'profile', record.profile_slug],
  ] as const
  for (const [label, type, name, slug] of named) {
    const id = record[name]
    if (id !== null) facts.push({ label, value: resource(type, id, slug), filter: { [name]: id } })
  }
  facts.push(
    ...text('Credential', record.credential_id, 'credential_id'),
    ...text('Subject', record.subject, 'subject'),
    ...text('Address', record.ip, 'ip'),
    ...text('Agent', [record.agent_name, record.agent_version].filter(Boolean).join(' ')),
    ...text('OAuth client', record.agent_host, 'agent_host'),
    ...text('Session', record.session_id, 'session_id'),
    ...text('Conversation', record.conversation_id, 'conversation_id'),
    { label: 'Status', value: String(record.status), filter: { status: String(record.status) } },
    ...codeOf(record.code),
    ...text('Check', record.check, 'check'),
    ...text('Reason', record.reason),
    ...text('Failure origin', record.failure_origin, 'failure_origin'),
  )
  const limit = limitOf(record.nearest_limit)
  if (limit !== null)
    facts.push({
      label: 'Nearest limit',
      value: (
        <>
          {limit.limit} of{' '}
          <Link to="/$resource/$id" params={{ resource: 'policies', id: limit.policy }} className="underline">
            {limit.policy}
          </Link>
        </>
      ),
      filter: { nearest_limit: record.nearest_limit! },
    })
  if (record.contract_code !== null)
    facts.push({
      label: 'Contract',
      value: `${record.contract_code} at ${record.contract_pointer ?? '/'} (${record.contract_faults ?? 1} reported)`,
    })
  facts.push(
    ...text('Upstream target', record.upstream_target, 'upstream_target'),
    ...text('Upstream status', record.upstream_status === null ? null : String(record.upstream_status)),
    ...text('Retries', record.retries === null || record.retries === 0 ? null : String(record.retries)),
    ...text('Cache', record.cache, 'cache'),
    { label: 'Duration', value: durationOf(record.duration_ms) },
    { label: 'Request body', value: sizeOf(record.bytes_in) },
    { label: 'Response body', value: sizeOf(record.bytes_out) },
  )
  if (record.tokens_in !== null || record.tokens_out !== null)
    facts.push({
      label: 'Tokens, estimated',
      value: `${record.tokens_in ?? 0} in, ${record.tokens_out ?? 0} out`,
    })
  if (record.trace_id !== null)
    facts.push({
      label: 'Trace',
      value: <code>{record.trace_id}</code>,
      copy: record.trace_id,
      filter: { trace_id: record.trace_id },
    })
  if (record.replay_of !== null)
    facts.push({
      label: 'Replay of',
      value: (
        <Link
          to="/$resource/$id"
          params={{ resource: 'records', id: record.replay_of }}
          className="underline"
        >
          {record.replay_of}
        </Link>
      ),
    })
  return facts
}

/** What the record has, each with the filter that finds calls like it. Text of callers and upstreams is shown as text. */
export function Facts({ record, onFilter }: { record: WholeRecord; onFilter: (filter: Filter) => void }) {
  const hits = record.guardrail_hits ?? []
  const logs = record.workflow_trace?.logs ?? []
  return (
    <>
      <section aria-labelledby="facts" className="flex flex-col gap-2">
        <h3 id="facts" className="font-semibold">
          Record
        </h3>
        <dl className="grid grid-cols-[max-content_1fr] gap-x-4 gap-y-2 text-sm max-sm:grid-cols-1">
          {factsOf(record).map(({ label, value, copy, filter }) => (
            <div key={label} className="contents">
              <dt className="text-muted">{label}</dt>
              <dd className="flex min-w-0 items-start gap-1 break-all">
                <span className="min-w-0">{value}</span>
                {copy !== undefined && <CopyButton text={copy} label={`Copy: ${label}`} />}
                {filter !== undefined && (
                  <IconButton
                    icon={ListFilter}
                    label={`Show calls with the same ${label.toLowerCase()}`}
                    onClick={() => onFilter(filter)}
                    className="-my-1 shrink-0"
                  />
                )}
              </dd>
            </div>
          ))}
        </dl>
        <p className="text-sm text-muted">Postern does not store queries, headers and bodies.</p>
      </section>
      {hits.length > 0 && (
        <section aria-labelledby="hits" className="flex flex-col gap-1 text-sm">
          <h3 id="hits" className="text-base font-semibold">
            Guardrails
          </h3>
          <ul className="flex flex-col gap-1">
            {hits.map(({ rule, detector, leg, action, observed, count }, index) => (
              <li key={index}>
                <Link
                  to="/$resource/$id"
                  params={{ resource: 'guardrails', id: rule }}
                  className="break-all underline"
                >
                  {rule}
                </Link>
                : {detector} found {count} in the {leg}, {observed ? `${action} (only observed)` : action}
              </li>
            ))}
          </ul>
        </section>
      )}
      {logs.length > 0 && (
        <section aria-labelledby="logs" className="flex flex-col gap-1">
          <h3 id="logs" className="font-semibold">
            Log of the workflow
          </h3>
          <CodeBlock
            label="Log of the workflow"
            text={logs
              .map(
                ({ node, time_ms, level, message }) => `${durationOf(time_ms)} ${level} ${node}: ${message}`,
              )
              .join('\n')}
          />
        </section>
      )}
    </>
  )
}
