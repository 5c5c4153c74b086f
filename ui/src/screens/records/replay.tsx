import { useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { RotateCcw } from 'lucide-react'
import { useId, useState } from 'react'
import { client, type Output } from '../../api/client.ts'
import { operation } from '../../api/operations.ts'
import { type Fault, faultOf } from '../../api/problem.ts'
import { Button } from '../../kit/button.tsx'
import { CodeBlock } from '../../kit/copy.tsx'
import { Dialog } from '../../kit/dialog.tsx'
import { Checkbox, Labeled, TextArea, TextInput } from '../../kit/inputs.tsx'
import { FaultBox } from '../../kit/states.tsx'
import { Status } from '../../kit/status.tsx'
import { ShowAs } from '../../show-as/show-as.tsx'
import { CallStatus } from './columns.tsx'
import { endedOf } from './ended.ts'
import { type CallRecord, durationOf } from './sentence.ts'
import { linesOf } from './why-input.ts'

/** Methods that change nothing (RFC 9110 section 9.2.1). */
const SAFE = ['GET', 'HEAD', 'OPTIONS']

/** Sends a recorded request again, as the same client and profile. Records store no query, headers and body: a person gives them. */
export function ReplayDialog({ record, onClose }: { record: CallRecord; onClose: () => void }) {
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
          Postern sends the request again as client {record.client_slug ?? record.client}. It counts against
          the limits, and it has a record of its own.
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
            hint="It may change something at the upstream a second time."
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
          Open its record
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
        label="Headers of the answer"
        text={Object.entries(headers)
          .map(([name, value]) => `${name}: ${value}`)
          .join('\n')}
      />
      <CodeBlock
        label={`Body of the answer${body_encoding === 'base64' ? ', base64' : ''}${truncated ? ', cut' : ''}`}
        text={body}
      />
    </section>
  )
}
