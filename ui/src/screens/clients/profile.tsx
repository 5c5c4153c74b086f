import { Link } from '@tanstack/react-router'
import { Ban, RefreshCw } from 'lucide-react'
import { useId, useState } from 'react'
import { faultOf, type Output, operation, useCall, useMay, useSession } from '../../api/client.ts'
import { RunButton } from '../../forms/operation-form.tsx'
import { RefInput } from '../../forms/ref-input.tsx'
import { Button, Labeled, TextInput } from '../../kit/controls.tsx'
import { Card, FaultBox, ProblemCode, SkeletonRows } from '../../kit/page.tsx'
import { type State, Status } from '../../kit/status.tsx'
import { CodeBlock, Time } from '../../kit/text.tsx'
import { ShowAs } from '../../show-as/show-as.tsx'
import type { PartProps } from '../hand-made.ts'
import { publicUrl } from '../proxies/target.ts'
import { Overview } from '../resources/overview.tsx'
import { useFirstEndpoint } from './first-endpoint.ts'
import { callerOf, curlOf } from './first-request.ts'

type Held = Output<'profiles.state'>['credentials'][number]
export const HELD_STATES: Readonly<Record<Held['state'], State>> = {
  valid: 'ok',
  expiring_soon: 'warn',
  retiring: 'pending',
  expired: 'bad',
  revoked: 'blocked',
}

/** A profile: how to call with it, its tokens and keys, and whether it may call an endpoint. */
export default function ProfileOverview(props: PartProps) {
  const may = useMay()
  return (
    <Overview {...props}>
      <HowToCall value={props.value} />
      {may('profiles.state') && <Held {...props} />}
      {may('profiles.access') && <Access id={String(props.value['id'])} />}
    </Overview>
  )
}

function HowToCall({ value }: { value: PartProps['value'] }) {
  const session = useSession()
  const caller = callerOf(value)
  const isCertificate = (value['auth'] as { readonly type?: unknown } | undefined)?.type === 'mtls'
  const gateway = session?.instance.gateway_url ?? ''
  const query = useFirstEndpoint(value)
  const first = query.data ?? null
  if (query.isLoading)
    return (
      <Card title="How to call">
        <SkeletonRows rows={4} />
      </Card>
    )
  const url = publicUrl(gateway, first?.collection ?? {}, first?.target ?? '/')
  const replaced = [
    caller.replace,
    first?.endpoint === null && `${first.target} with the path of an endpoint of ${first.collection.slug}`,
  ].filter((one) => typeof one === 'string')
  return (
    <Card title="How to call">
      <div className="flex flex-col gap-2">
        {query.error !== null && <FaultBox fault={faultOf(query.error)} retry={() => void query.refetch()} />}
        {caller.headers.length > 0 && (
          <CodeBlock
            label="Headers of a request"
            text={caller.headers.map(({ name, value: text }) => `${name}: ${text}`).join('\n')}
          />
        )}
        <CodeBlock label="curl" text={curlOf(caller, url, isCertificate, first?.method)} />
        {query.data === null ? (
          <p>
            <Status state="warn">No endpoint</Status> No published collection is assigned to this profile.
            Until one is assigned, its calls reach no API.
          </p>
        ) : (
          first !== null &&
          first.endpoint !== null && (
            <p>
              Calls{' '}
              <Link
                to="/$resource/$id"
                params={{ resource: 'proxies', id: first.endpoint }}
                className="break-all underline"
              >
                {first.endpoint}
              </Link>
              , the first endpoint that this profile may call.
            </p>
          )
        )}
        {replaced.length > 0 && <p>Replace {replaced.join(', and ')}.</p>}
        <p className="text-muted">{caller.hint}</p>
      </div>
    </Card>
  )
}

/** Tokens, signing secrets, keys and certificates of a profile. */
function Held({ value, slug, schemas }: PartProps) {
  const query = useCall('profiles.state', { id: String(value['id']) })
  const items = query.data?.credentials ?? []
  return (
    <Card
      title="Tokens and keys"
      actions={
        <span className="flex gap-2">
          <RunButton
            name="profiles.rotate"
            label="Rotate"
            icon={RefreshCw}
            schemas={schemas}
            value={value}
            slug={slug}
          />
          <RunButton
            name="profiles.revoke"
            label="Revoke"
            icon={Ban}
            tone="danger"
            schemas={schemas}
            value={value}
            slug={slug}
          />
        </span>
      }
    >
      {query.error !== null && <FaultBox fault={faultOf(query.error)} retry={() => void query.refetch()} />}
      {query.isPending && <SkeletonRows rows={2} />}
      {query.data !== undefined && items.length === 0 && (
        <p className="text-muted">Postern stores no token or key of this profile.</p>
      )}
      <ul className="flex flex-col">
        {items.map((item) => (
          <li
            key={item.id}
            className="flex flex-wrap items-baseline justify-between gap-x-3 border-t border-line py-1 first:border-0"
          >
            <span className="inline-flex items-baseline gap-2">
              <code className="break-all">{item.lookup}</code>
              <Status state={HELD_STATES[item.state]}>{item.state.replace('_', ' ')}</Status>
            </span>
            <span className="text-sm text-muted">
              {item.expires_at !== null && (
                <>
                  expires <Time value={item.expires_at} />,{' '}
                </>
              )}
              {item.retires_at !== null && (
                <>
                  overlap ends <Time value={item.retires_at} />,{' '}
                </>
              )}
              {item.last_used_at === null ? (
                'never used'
              ) : (
                <>
                  last used <Time value={item.last_used_at} />
                </>
              )}
            </span>
          </li>
        ))}
      </ul>
    </Card>
  )
}

/** Asks the server whether the profile may call an endpoint. */
function Access({ id }: { id: string }) {
  const prefix = useId()
  const [endpoint, setEndpoint] = useState('')
  const [ip, setIp] = useState('')
  const [asked, setAsked] = useState<{ id: string; endpoint: string; ip?: string } | null>(null)
  const query = useCall('profiles.access', asked ?? { id, endpoint }, { enabled: asked !== null })
  const answer = asked === null ? undefined : query.data
  return (
    <Card title="Check access to an endpoint">
      <form
        className="flex flex-wrap items-end gap-3"
        onSubmit={(event) => {
          event.preventDefault()
          setAsked({ id, endpoint, ...(ip !== '' && { ip }) })
        }}
      >
        <div className="min-w-40 flex-1">
          <Labeled id={`${prefix}endpoint`} label="Endpoint">
            <RefInput
              id={`${prefix}endpoint`}
              resource="proxies"
              value={endpoint}
              placeholder="orders:get-order"
              onValue={setEndpoint}
            />
          </Labeled>
        </div>
        <div className="w-40">
          <Labeled id={`${prefix}ip`} label="IP address">
            <TextInput
              id={`${prefix}ip`}
              value={ip}
              placeholder="not checked"
              onChange={(event) => setIp(event.target.value)}
            />
          </Labeled>
        </div>
        <Button type="submit" tone="primary" disabled={endpoint === ''} isBusy={query.isFetching}>
          Check
        </Button>
        <ShowAs
          request={{
            operation: operation('profiles.access')!,
            input: { id, endpoint, ...(ip !== '' && { ip }) },
            options: {},
          }}
        />
      </form>
      <div role="status" className="mt-3 empty:hidden">
        {asked !== null && query.error !== null && <FaultBox fault={faultOf(query.error)} />}
        {answer !== undefined && (
          <div className="flex flex-col gap-1">
            <p>
              <Status state={answer.allowed ? 'ok' : 'blocked'}>
                {answer.allowed ? 'Allowed' : 'Refused'}
              </Status>{' '}
              <code className="break-all">
                {answer.method} {answer.target}
              </code>
            </p>
            {!answer.allowed && (
              <p className="break-words">
                {answer.status} {answer.code !== null && <ProblemCode code={answer.code} />}: {answer.reason}
              </p>
            )}
            {answer.setting !== null && <SettingLink setting={answer.setting} />}
            {answer.not_judged.length > 0 && (
              <p className="text-sm text-muted">Not checked here: {answer.not_judged.join(', ')}.</p>
            )}
          </div>
        )}
      </div>
    </Card>
  )
}

/** A setting that decides, such as `profiles/acme:live ip_allowlist`, as a link to the form that changes it. */
function SettingLink({ setting }: { setting: string }) {
  const [, resource = '', id = '', member = ''] = /^([a-z_]+)\/(\S+)(?: (.*))?$/.exec(setting) ?? []
  if (operation(`${resource}.get`) === null) return <p className="text-sm text-muted">{setting}</p>
  return (
    <p>
      Decided by{' '}
      <Link to="/$resource/$id" params={{ resource, id }} search={{ tab: 'edit' }} className="underline">
        {member === '' ? setting : `${member} of ${resource}/${id}`}
      </Link>
    </p>
  )
}
