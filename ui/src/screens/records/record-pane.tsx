import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { ExternalLink, GitCompareArrows, HelpCircle, RotateCcw, X } from 'lucide-react'
import { useId, useState } from 'react'
import { client, type Fault, faultOf, type Output, operation, useMay } from '../../api/client.ts'
import { Button, buttonClasses, Checkbox, Labeled, TextArea, TextInput } from '../../kit/controls.tsx'
import { Dialog } from '../../kit/dialog.tsx'
import { FaultBox, SkeletonRows } from '../../kit/page.tsx'
import { Status } from '../../kit/status.tsx'
import { classes } from '../../kit/style.ts'
import { CodeBlock } from '../../kit/text.tsx'
import { ShowAs } from '../../show-as/show-as.tsx'
import { CallStatus } from './columns.tsx'
import { Facts } from './facts.tsx'
import { type Bar, barsOf, phasesOf, placeOf } from './phases.ts'
import { type CallRecord, durationOf, endedOf, isRefusal, sentenceOf } from './sentence.ts'
import { linesOf } from './why-input.ts'

interface RecordPaneProps {
  readonly id: string
  /** Null: the record is a page of its own. */
  readonly onClose: (() => void) | null
  readonly closeLabel?: string
  /** Narrows the list of records. */
  readonly onFilter: (filter: Readonly<Record<string, string>>) => void
}

/** One call: what became of it in a sentence, where its time went, and what its record has. */
export function RecordPane({ id, onClose, closeLabel = 'Close', onFilter }: RecordPaneProps) {
  const may = useMay()
  const [isReplaying, setReplaying] = useState(false)
  const query = useQuery({
    queryKey: ['records.get', id],
    queryFn: async () => (await client.call('records.get', { id })).body,
    // A record never changes
    staleTime: Number.POSITIVE_INFINITY,
    retry: false,
  })
  const close = onClose !== null && (
    <Button isSmall icon={X} onClick={onClose}>
      {closeLabel}
    </Button>
  )
  if (query.error !== null)
    return (
      <div className="flex flex-col items-start gap-3">
        {close}
        <FaultBox fault={faultOf(query.error)} retry={() => void query.refetch()} />
      </div>
    )
  const record = query.data
  if (record === undefined)
    return (
      <div className="flex flex-col items-start gap-3">
        {close}
        <SkeletonRows rows={10} />
      </div>
    )
  const canReplay = may('requests.replay') && record.proxy !== null && record.client !== null
  return (
    <article className="flex min-w-0 flex-col gap-5">
      <header className="flex flex-col gap-2">
        <div className="flex flex-wrap items-center justify-between gap-2">
          <CallStatus {...record} />
          <div className="flex flex-wrap gap-2">
            {onClose !== null && (
              <Link
                to="/$resource/$id"
                params={{ resource: 'records', id }}
                className={buttonClasses('quiet', true)}
              >
                <ExternalLink size={16} aria-hidden="true" />
                Page
              </Link>
            )}
            {close}
          </div>
        </div>
        <h2 className="text-md font-semibold break-words">{sentenceOf(record)}</h2>
        <div className="flex flex-wrap gap-2">
          {may('requests.explain') && (
            <Link
              to="/run/$operation"
              params={{ operation: 'requests.explain' }}
              search={{ request_id: id } as never}
              className={buttonClasses(isRefusal(record) ? 'primary' : 'plain')}
            >
              <HelpCircle size={16} aria-hidden="true" />
              {isRefusal(record) ? 'Why denied' : 'Explain'}
            </Link>
          )}
          {record.code === 'capability_held' && record.virtual_mcp !== null && (
            <Link
              to="/$resource/$id"
              params={{ resource: 'virtual_mcps', id: record.virtual_mcp }}
              search={{ tab: 'drift' } as never}
              className={buttonClasses('primary')}
            >
              <GitCompareArrows size={16} aria-hidden="true" />
              Show drift
            </Link>
          )}
          {canReplay && (
            <Button icon={RotateCcw} onClick={() => setReplaying(true)}>
              Replay
            </Button>
          )}
          <ShowAs request={{ operation: operation('records.get')!, input: { id }, options: {} }} />
        </div>
      </header>
      <Waterfall record={record} />
      <Facts record={record} onFilter={onFilter} />
      {isReplaying && <ReplayDialog record={record} onClose={() => setReplaying(false)} />}
    </article>
  )
}

const COLORS: Readonly<Record<Bar['tone'], string>> = {
  gateway: 'bg-accent',
  upstream: 'bg-ok',
  node: 'bg-muted',
  failed: 'bg-bad',
}

/** Where the time of a call went, as bars that are a table too, and what each phase of the gateway came to. */
function Waterfall({ record }: { record: Output<'records.get'> }) {
  const bars = barsOf(record)
  const phases = phasesOf(record)
  const hasNodes = (record.workflow_trace?.nodes.length ?? 0) > 0
  return (
    <>
      <section aria-labelledby="timing" className="flex flex-col gap-2">
        <h3 id="timing" className="font-semibold">
          Time
        </h3>
        <table className="w-full table-fixed text-sm">
          <colgroup>
            <col className="w-2/5" />
            <col />
            <col className="w-20" />
          </colgroup>
          <thead className="sr-only">
            <tr>
              <th scope="col">Part</th>
              <th scope="col">Place in the call</th>
              <th scope="col">Duration</th>
            </tr>
          </thead>
          <tbody>
            {bars.map((bar, index) => {
              const { left, width } = placeOf(bar, bars)
              return (
                <tr key={`${bar.label}${index}`}>
                  <th scope="row" className="py-0.5 pr-2 text-left font-normal break-words">
                    {bar.label} <span className="text-muted">{bar.detail}</span>
                  </th>
                  <td>
                    <div className="relative h-4 rounded-md bg-sunken">
                      <div
                        className={classes('absolute inset-y-0 rounded-md', COLORS[bar.tone])}
                        style={{ left: `${left * 100}%`, width: `${width * 100}%` }}
                      />
                    </div>
                    <span className="sr-only">starts after {durationOf(bar.start)}</span>
                  </td>
                  <td className="pl-2 text-right tabular-nums">{durationOf(bar.duration)}</td>
                </tr>
              )
            })}
          </tbody>
        </table>
        <p className="text-sm text-muted">
          {record.upstream_ms === null
            ? 'The record has one duration for all work of the gateway.'
            : 'The gateway works before and after the upstream. The record has the total, which the chart shows first.'}
          {hasNodes && ' The start of a node is relative to the start of the workflow.'}
        </p>
      </section>
      {phases.length > 0 && (
        <section aria-labelledby="phases" className="flex flex-col gap-2">
          <h3 id="phases" className="font-semibold">
            Checks
          </h3>
          <table className="w-full text-sm">
            <thead>
              <tr className="text-left text-muted">
                <th scope="col" className="font-medium">
                  Phase
                </th>
                <th scope="col" className="font-medium">
                  Result
                </th>
              </tr>
            </thead>
            <tbody>
              {phases.map(({ label, result, state }) => (
                <tr key={label} className="border-t border-line">
                  <th scope="row" className="w-2/5 py-1 text-left font-normal">
                    {label}
                  </th>
                  <td className="py-1">
                    <Status state={state} className="whitespace-normal">
                      {result}
                    </Status>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      )}
    </>
  )
}

/** Methods that change nothing (RFC 9110 section 9.2.1). */
const SAFE = ['GET', 'HEAD', 'OPTIONS']

/** Sends a recorded request again, as the same client and profile. Records store no query, headers and body: a person gives them. */
function ReplayDialog({ record, onClose }: { record: CallRecord; onClose: () => void }) {
  const queries = useQueryClient()
  const queryId = useId()
  const headersId = useId()
  const bodyId = useId()
  const [query, setQuery] = useState('')
  const [headers, setHeaders] = useState('')
  const [body, setBody] = useState('')
  const [isMeant, setMeant] = useState(false)
  const [isBusy, setBusy] = useState(false)
  const [fault, setFault] = useState<Fault | null>(null)
  const [answer, setAnswer] = useState<Output<'requests.replay'> | null>(null)
  const changes = !SAFE.includes(record.method)
  const input = {
    id: record.id,
    ...(query !== '' && { query }),
    ...(headers.trim() !== '' && { headers: linesOf(headers) }),
    ...((body !== '' || record.bytes_in > 0) && { body }),
  }
  const options = changes ? { confirm: record.id } : {}
  const send = async (): Promise<void> => {
    setBusy(true)
    setFault(null)
    try {
      setAnswer((await client.call('requests.replay', input, options)).body)
      await queries.invalidateQueries({ queryKey: ['records.list'] })
    } catch (error) {
      setFault(faultOf(error))
    } finally {
      setBusy(false)
    }
  }
  return (
    <Dialog title={`Replay ${record.method} ${record.path}`} onClose={onClose} shape="wide">
      <form
        className="flex flex-col gap-4"
        onSubmit={(event) => {
          event.preventDefault()
          void send()
        }}
      >
        <p>
          Postern sends the request again as client {record.client_slug ?? record.client}. The replay counts
          against the limits and gets its own record.
        </p>
        <Labeled id={queryId} label="Query" hint="Without the question mark. Records do not store it.">
          <TextInput id={queryId} value={query} onChange={(event) => setQuery(event.target.value)} />
        </Labeled>
        <Labeled
          id={headersId}
          label="Headers"
          hint="One per line, such as Accept: text/html. No credentials."
        >
          <TextArea
            id={headersId}
            value={headers}
            className="font-mono"
            onChange={(event) => setHeaders(event.target.value)}
          />
        </Labeled>
        {(changes || record.bytes_in > 0) && (
          <Labeled id={bodyId} label="Body" hint={`The first request had ${record.bytes_in} bytes.`}>
            <TextArea
              id={bodyId}
              rows={6}
              value={body}
              className="font-mono"
              onChange={(event) => setBody(event.target.value)}
            />
          </Labeled>
        )}
        {changes && (
          <Checkbox
            label={`Send this ${record.method} again`}
            hint="The request may change data at the upstream a second time."
            checked={isMeant}
            onChange={(event) => setMeant(event.target.checked)}
          />
        )}
        {fault !== null && <FaultBox fault={fault} />}
        <div className="flex flex-wrap items-center justify-between gap-2">
          <ShowAs request={{ operation: operation('requests.replay')!, input, options }} />
          <Button
            type="submit"
            tone="primary"
            icon={RotateCcw}
            isBusy={isBusy}
            disabled={changes && !isMeant}
          >
            Replay
          </Button>
        </div>
      </form>
      {answer !== null && <Answered answer={answer} record={record} />}
    </Dialog>
  )
}

/** What the second call came to, beside the first. */
function Answered({ answer, record }: { answer: Output<'requests.replay'>; record: CallRecord }) {
  const { differs, status, duration_ms, headers, body, body_encoding, request_id, truncated } = answer
  const ended = endedOf(answer.check, answer.reason)
  // The number of a check says nothing to people: its name stands in its place
  const rows = differs.map(({ field, was, is }) =>
    field === 'stopped_at'
      ? {
          field: 'check',
          was: endedOf(record.check, record.reason)?.at ?? null,
          is: ended?.at ?? null,
        }
      : { field, was, is },
  )
  return (
    <section aria-label="Answer" className="mt-4 flex flex-col gap-3 border-t border-line pt-4">
      <div role="status" className="flex flex-wrap items-center gap-3">
        <CallStatus status={status} aborted={false} />
        <span>in {durationOf(duration_ms)}</span>
        <Link
          to="/$resource/$id"
          params={{ resource: 'records', id: request_id }}
          className="text-accent underline"
        >
          Open the record
        </Link>
        {differs.length === 0 && <Status state="ok">The outcome is the same as the first time</Status>}
      </div>
      {ended !== null && (
        <p>
          The call ended at {ended.at}
          {ended.why === null ? '.' : `: ${ended.why}`}
        </p>
      )}
      {differs.length > 0 && (
        <table className="w-full text-sm">
          <caption className="pb-1 text-left">
            <Status state="changed">The outcome differs</Status>
          </caption>
          <thead>
            <tr className="text-left text-muted">
              <th scope="col">Member</th>
              <th scope="col">The first time</th>
              <th scope="col">Now</th>
            </tr>
          </thead>
          <tbody>
            {rows.map(({ field, was, is }) => (
              <tr key={field} className="border-t border-line">
                <th scope="row" className="py-1 text-left font-normal">
                  <code>{field}</code>
                </th>
                <td>{was ?? 'none'}</td>
                <td>{is ?? 'none'}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <CodeBlock
        label="Headers of the response"
        text={Object.entries(headers)
          .map(([name, value]) => `${name}: ${value}`)
          .join('\n')}
      />
      <CodeBlock
        label={`Body of the response${body_encoding === 'base64' ? ', base64' : ''}${truncated ? ', cut' : ''}`}
        text={body}
      />
    </section>
  )
}
