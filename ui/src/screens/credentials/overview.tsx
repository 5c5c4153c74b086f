import { useMutation, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { RefreshCw, Undo2 } from 'lucide-react'
import { type FormEvent, useId, useState } from 'react'
import { client, faultOf, type Output, operation, useCall, useMay } from '../../api/client.ts'
import { RunButton } from '../../forms/operation-form.tsx'
import { RefInput } from '../../forms/ref-input.tsx'
import { Button, Labeled, TextInput } from '../../kit/controls.tsx'
import { Card, FaultBox, SkeletonRows } from '../../kit/page.tsx'
import { type State, Status } from '../../kit/status.tsx'
import { Time } from '../../kit/text.tsx'
import { ShowAs } from '../../show-as/show-as.tsx'
import type { PartProps } from '../hand-made.ts'
import { Overview } from '../resources/overview.tsx'

const STATES: Readonly<Record<Output<'credentials.state'>['state'], State>> = {
  ok: 'ok',
  unresolved: 'bad',
  expired: 'bad',
  failing: 'bad',
  expiring: 'warn',
}
const STEPS = { secret: 'Read the secret', token: 'Fetch a token', call: 'Call the upstream' } as const

/** A credential: its state, its users, a test with a real call, and its rotation. */
export default function CredentialOverview(props: PartProps) {
  const may = useMay()
  return (
    <Overview {...props}>
      {may('credentials.state') && <StateCard {...props} />}
      {may('credentials.test') && <Test {...props} />}
    </Overview>
  )
}

function StateCard({ slug, value, schemas }: PartProps) {
  const query = useCall('credentials.state', { id: slug })
  const state = query.data
  const isOverlap = state?.previous_until != null && Date.parse(state.previous_until) > Date.now()
  return (
    <Card
      title="State"
      actions={
        <span className="flex gap-2">
          {isOverlap && (
            <RunButton
              name="credentials.revert"
              label="Undo the rotation"
              icon={Undo2}
              schemas={schemas}
              value={value}
              slug={slug}
            />
          )}
          <RunButton
            name="credentials.rotate"
            label="Rotate"
            icon={RefreshCw}
            schemas={schemas}
            value={value}
            slug={slug}
          />
        </span>
      }
    >
      {query.error !== null && <FaultBox fault={faultOf(query.error)} retry={() => void query.refetch()} />}
      {state === undefined && query.error === null && <SkeletonRows rows={4} />}
      {state !== undefined && (
        <div className="flex flex-col gap-2">
          <p>
            <Status state={STATES[state.state]}>{state.state}</Status>
            {state.reason !== null && <span className="break-words"> {state.reason}</span>}
          </p>
          <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-1">
            <Moment label="Last used" value={state.last_used_at} absent="never" />
            <Moment label="Secret changed" value={state.secret_changed_at} absent="not known" />
            <Moment label="Rotation due" value={state.rotation_due_at} absent="not set" />
            <Moment label="Expires" value={state.expires_at} absent="not known" />
            {isOverlap && <Moment label="Previous secret works" value={state.previous_until} absent="" />}
          </dl>
          <UsedBy places={state.used_by} />
        </div>
      )}
    </Card>
  )
}

function Moment({ label, value, absent }: { label: string; value: string | null; absent: string }) {
  return (
    <>
      <dt className="text-muted">{label}</dt>
      <dd>{value === null ? <span className="text-muted">{absent}</span> : <Time value={value} />}</dd>
    </>
  )
}

/** `places` such as `collections/orders`. */
function UsedBy({ places }: { places: readonly string[] }) {
  if (places.length === 0)
    return (
      <p className="text-muted">
        No resource uses this credential. Attach it to a collection, a proxy or an origin.
      </p>
    )
  return (
    <p className="flex flex-wrap gap-x-3 gap-y-1">
      <span className="text-muted">Used by</span>
      {places.map((place) => {
        const [resource = '', id = ''] = place.split(/\/(.*)/s)
        return (
          <Link key={place} to="/$resource/$id" params={{ resource, id }} className="underline">
            {place}
          </Link>
        )
      })}
    </p>
  )
}

function Test({ slug, value }: PartProps) {
  const [collection, setCollection] = useState('')
  const [path, setPath] = useState('')
  const [token, setToken] = useState('')
  const prefix = useId()
  const queries = useQueryClient()
  const isExchange = (value['auth'] as { readonly type?: unknown } | undefined)?.type === 'token_exchange'
  const input = {
    id: slug,
    ...(collection !== '' && { collection }),
    ...(path !== '' && { path }),
    ...(token !== '' && { subject_token: token }),
  }
  const test = useMutation({
    mutationFn: async () => (await client.call('credentials.test', input)).body,
    onSettled: () => queries.invalidateQueries({ queryKey: ['credentials.state'] }),
  })
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    test.mutate()
  }
  const row = operation('credentials.test')!
  const { subject_token: _, ...shown } = { subject_token: '', ...input }
  return (
    <Card title="Test">
      <form className="flex flex-col gap-3" onSubmit={submit}>
        <p className="text-muted">
          Reads the secret, fetches a token if the type needs one, and calls the upstream of a published
          collection. It changes nothing.
        </p>
        <div className="grid gap-3 grid-cols-1 sm:grid-cols-2">
          <Labeled
            id={`${prefix}collection`}
            label="Collection"
            hint="Default: a published collection that uses the credential"
          >
            <RefInput
              id={`${prefix}collection`}
              resource="collections"
              value={collection}
              placeholder=""
              onValue={setCollection}
            />
          </Labeled>
          <Labeled id={`${prefix}path`} label="Path" hint="Below the path of the upstream">
            <TextInput
              id={`${prefix}path`}
              value={path}
              placeholder="/"
              onChange={(event) => setPath(event.target.value)}
            />
          </Labeled>
          {isExchange && (
            <Labeled id={`${prefix}token`} label="Token of a caller" hint="It is exchanged and not stored">
              <TextInput
                id={`${prefix}token`}
                type="password"
                value={token}
                onChange={(event) => setToken(event.target.value)}
              />
            </Labeled>
          )}
        </div>
        <div className="flex items-center justify-between">
          <ShowAs request={{ operation: row, input: shown, options: {} }} />
          <Button type="submit" tone="primary" isBusy={test.isPending}>
            Test
          </Button>
        </div>
      </form>
      <div role="status" className="mt-3 empty:hidden">
        {test.error !== null && <FaultBox fault={faultOf(test.error)} />}
        {test.data !== undefined && <TestResult result={test.data} />}
      </div>
    </Card>
  )
}

function TestResult({ result }: { result: Output<'credentials.test'> }) {
  return (
    <div className="flex flex-col gap-2">
      <p>
        <Status state={result.ok ? 'ok' : 'bad'} className="whitespace-normal">
          {result.summary}
        </Status>
      </p>
      <ol className="flex flex-col gap-1">
        {result.steps.map((step, index) => (
          <li key={index} className="flex flex-wrap items-baseline gap-x-3 border-t border-line py-1">
            <Status state={step.ok ? 'ok' : 'bad'}>{STEPS[step.step]}</Status>
            <span className="text-muted tabular-nums">{step.latency_ms.toLocaleString('en')} ms</span>
            {step.status !== null && <span className="tabular-nums">answered {step.status}</span>}
            {step.error !== null && <span className="min-w-0 break-words text-bad">{step.error}</span>}
          </li>
        ))}
      </ol>
    </div>
  )
}
