import { useMutation } from '@tanstack/react-query'
import { useNavigate, useSearch } from '@tanstack/react-router'
import { Radio } from 'lucide-react'
import { useId, useState } from 'react'
import type { JsonObject } from '../../../build/document.ts'
import { client, faultOf, type Input, type Output, operation, useMay } from '../../api/client.ts'
import { one, type Search } from '../../app/search.ts'
import { RefInput } from '../../forms/ref-input.tsx'
import { ReviewWrite } from '../../forms/write.tsx'
import { Button, Labeled, Select, TextInput } from '../../kit/controls.tsx'
import { Dialog } from '../../kit/dialog.tsx'
import { useLeaveGuard } from '../../kit/leave-guard.ts'
import { Card, FaultBox, Forbidden, Page } from '../../kit/page.tsx'
import { Status } from '../../kit/status.tsx'
import { HiddenText } from '../../kit/text.tsx'
import { ShowAs } from '../../show-as/show-as.tsx'
import {
  type Asked,
  AUTH_MODES,
  type AuthMode,
  createInput,
  definitionOf,
  KINDS,
  type Kind,
  nameFrom,
} from './definition.ts'
import { PickTools } from './pick-tools.tsx'

const TITLE = 'Add an MCP server'
const PLACES: Readonly<Record<Kind, { readonly label: string; readonly hint: string }>> = {
  http: { label: 'URL', hint: 'The MCP endpoint, such as https://mcp.example.com/mcp' },
  stdio: { label: 'Entry', hint: 'The name of the entry in the file of the runner' },
  collection: { label: 'Collection', hint: 'Its published endpoints become tools' },
}

/**
 * From a URL to tools: the server is asked, the origin is created by what it answered, and its tools are put into a virtual MCP.
 * `?url=` fills in the URL; `?origin=` goes on with an origin that exists.
 */
export default function AddOrigin() {
  const search = useSearch({ strict: false }) as Search
  const may = useMay()
  const origin = one(search['origin'])
  return (
    <Page
      name={TITLE}
      title={TITLE}
      lead="Ask the server, create the origin, then choose the tools that callers get"
    >
      {!may('origins.create') ? (
        <Forbidden permission={operation('origins.create')!.permission} />
      ) : origin === undefined ? (
        <Server first={one(search['url']) ?? ''} />
      ) : (
        <PickTools key={origin} slug={origin} />
      )}
    </Page>
  )
}

function Server({ first }: { first: string }) {
  const id = useId()
  const may = useMay()
  const [asked, setAsked] = useState<Asked>({ kind: 'http', place: first, credential: '' })
  const [isRequested, setRequested] = useState(false)
  const probe = useMutation({
    mutationFn: async (definition: JsonObject) =>
      (await client.call('origins.probe', { definition } as Input<'origins.probe'>)).body,
  })
  const { kind, place, credential } = asked
  const isProbed = kind !== 'collection'
  useLeaveGuard(!isRequested && ((place !== first && place !== '') || credential !== ''))
  const change = (changes: Partial<Asked>): void => {
    probe.reset()
    setRequested(false)
    setAsked({ ...asked, ...changes })
  }
  const isReady = place.trim() !== ''
  const mayProbe = may('origins.probe')
  const request = {
    operation: operation('origins.probe')!,
    input: { definition: definitionOf(asked) },
    options: {},
  }
  return (
    <div className="flex max-w-220 flex-col gap-4">
      <Card title="1. Server">
        <form
          className="flex flex-col gap-3"
          onSubmit={(event) => {
            event.preventDefault()
            if (isProbed && isReady) probe.mutate(definitionOf(asked))
          }}
        >
          <Labeled id={`${id}kind`} label="Kind">
            <Select
              id={`${id}kind`}
              value={kind}
              onChange={(event) => change({ kind: event.target.value as Kind, place: '' })}
            >
              {KINDS.map((row) => (
                <option key={row.kind} value={row.kind}>
                  {row.label}
                </option>
              ))}
            </Select>
          </Labeled>
          <Labeled id={`${id}place`} label={PLACES[kind].label} hint={PLACES[kind].hint} isRequired>
            {kind === 'collection' ? (
              <RefInput
                id={`${id}place`}
                resource="collections"
                value={place}
                required
                aria-describedby={`${id}place-hint`}
                onValue={(next) => change({ place: next })}
              />
            ) : (
              <TextInput
                id={`${id}place`}
                type={kind === 'http' ? 'url' : 'text'}
                className="font-mono"
                required
                autoFocus
                aria-describedby={`${id}place-hint`}
                value={place}
                onChange={(event) => change({ place: event.target.value })}
              />
            )}
          </Labeled>
          {kind === 'http' && (
            <Labeled
              id={`${id}credential`}
              label="Credential"
              hint="Postern sends it to the server. Leave it empty if the server needs no credential, or requires a sign-in."
            >
              <RefInput
                id={`${id}credential`}
                resource="credentials"
                value={credential}
                aria-describedby={`${id}credential-hint`}
                onValue={(next) => change({ credential: next })}
              />
            </Labeled>
          )}
          {isProbed && (
            <div className="flex flex-wrap items-center justify-between gap-2">
              <ShowAs request={request} />
              <Button
                type="submit"
                tone="primary"
                icon={Radio}
                disabled={!isReady || !mayProbe}
                isBusy={probe.isPending}
              >
                Ask the server
              </Button>
            </div>
          )}
        </form>
      </Card>
      {probe.error !== null && <FaultBox fault={faultOf(probe.error)} />}
      {probe.data !== undefined && <Answer answer={probe.data} />}
      {isReady && (probe.data !== undefined || !isProbed) && (
        <Create
          key={JSON.stringify(asked)}
          asked={asked}
          answer={probe.data ?? null}
          isRequested={isRequested}
          onWaiting={() => setRequested(true)}
        />
      )}
    </div>
  )
}

interface CreateProps {
  readonly asked: Asked
  /** Of the server; null for a collection, which is no server. */
  readonly answer: Output<'origins.probe'> | null
  /** The origin became a change request. */
  readonly isRequested: boolean
  readonly onWaiting: () => void
}

function Create({ asked, answer, isRequested, onWaiting }: CreateProps) {
  const id = useId()
  const navigate = useNavigate()
  const [first] = useState({
    name: nameFrom(asked, answer?.protocol?.server?.name ?? null),
    mode: answer?.recommended_auth_mode ?? 'static',
  })
  const [name, setName] = useState(first.name)
  const [mode, setMode] = useState<AuthMode>(first.mode)
  useLeaveGuard(!isRequested && (name !== first.name || mode !== first.mode))
  const [isReviewing, setReviewing] = useState(false)
  // A server that wants a sign-in is read once an account is connected; the others answer at the create as they did now
  const isAsked = answer === null || answer.ok || mode !== 'static'
  const input = createInput(asked, { name, mode, isAsked })
  const row = operation('origins.create')!
  return (
    <Card title="3. Origin">
      <form
        className="flex flex-col gap-3"
        onSubmit={(event) => {
          event.preventDefault()
          setReviewing(true)
        }}
      >
        <Labeled id={`${id}name`} label="Name" isRequired>
          <TextInput
            id={`${id}name`}
            required
            value={name}
            onChange={(event) => setName(event.target.value)}
          />
        </Labeled>
        {asked.kind === 'http' && (
          <Labeled
            id={`${id}mode`}
            label="What Postern sends to the server"
            hint={AUTH_MODES.find((row_) => row_.mode === mode)!.hint}
          >
            <Select
              id={`${id}mode`}
              value={mode}
              aria-describedby={`${id}mode-hint`}
              onChange={(event) => setMode(event.target.value as AuthMode)}
            >
              {AUTH_MODES.map((row_) => (
                <option key={row_.mode} value={row_.mode}>
                  {row_.label}
                  {row_.mode === answer?.recommended_auth_mode ? ' (recommended)' : ''}
                </option>
              ))}
            </Select>
          </Labeled>
        )}
        {!isAsked && (
          <p className="text-muted">
            The server did not answer. Postern stores the origin, and asks again later.
          </p>
        )}
        <div className="flex flex-wrap items-center justify-between gap-2">
          <ShowAs request={{ operation: row, input, options: {} }} />
          <Button type="submit" tone="primary" disabled={name.trim() === ''}>
            Create the origin
          </Button>
        </div>
      </form>
      {isReviewing && (
        <Dialog title="Create the origin" onClose={() => setReviewing(false)} shape="wide">
          <ReviewWrite
            row={row}
            input={input}
            slug=""
            expectedRevision={undefined}
            done="The origin is created"
            isSeen
            onBack={() => setReviewing(false)}
            onWaiting={onWaiting}
            onDone={({ body }) => {
              const origin = String((body as unknown as JsonObject)['slug'])
              navigate({ to: '.', search: { origin } as never }).catch(() => {})
            }}
          />
        </Dialog>
      )}
    </Card>
  )
}

/** What a server answered that was asked: how it is spoken to, what it lists, and each request. */
export function Answer({ answer }: { answer: Output<'origins.probe'> }) {
  const { ok, needs_sign_in, summary, protocol, warnings, steps } = answer
  return (
    <Card title="2. Answer">
      <div className="flex flex-col gap-3">
        <p role="status" className="flex flex-wrap items-baseline gap-2">
          <Status state={ok ? 'ok' : needs_sign_in ? 'warn' : 'bad'}>
            {ok ? 'Answers' : needs_sign_in ? 'Sign-in required' : 'No valid response'}
          </Status>
          <span className="min-w-0 break-words">{summary}</span>
        </p>
        {protocol?.server?.name != null && (
          <p className="text-muted">
            Server name: <HiddenText text={protocol.server.name} />
            {protocol.server.version != null && (
              <>
                {' '}
                <HiddenText text={protocol.server.version} />
              </>
            )}
            .
          </p>
        )}
        {warnings.map((warning) => (
          <Status key={warning} state="warn" className="whitespace-normal">
            {warning}
          </Status>
        ))}
        <details>
          <summary className="font-medium">Requests: {steps.length}</summary>
          <ol className="mt-1 flex flex-col">
            {steps.map(({ step, ok: isOk, latency_ms, status, error }, index) => (
              <li key={index} className="flex flex-wrap items-baseline gap-x-3 border-t border-line py-1">
                <Status state={isOk ? 'ok' : 'bad'}>{step}</Status>
                <span className="text-sm text-muted tabular-nums">
                  {status === null ? 'no response' : `status ${status}`}, {Math.round(latency_ms)} ms
                </span>
                {error !== null && <span className="min-w-0 text-sm break-words">{error}</span>}
              </li>
            ))}
          </ol>
        </details>
      </div>
    </Card>
  )
}
