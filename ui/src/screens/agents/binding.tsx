import { Link } from '@tanstack/react-router'
import { Ban, KeyRound, RefreshCw } from 'lucide-react'
import { useRef } from 'react'
import { faultOf, useCall, useMay } from '../../api/client.ts'
import { RunButton } from '../../forms/operation-form.tsx'
import { Card, FaultBox } from '../../kit/page.tsx'
import { Badge, Status } from '../../kit/status.tsx'
import { Time } from '../../kit/text.tsx'
import { readingOf } from '../../schema/value.ts'
import type { PartProps } from '../hand-made.ts'
import { ActiveState, Facts, LastCall, Overview, ResourceLink } from '../resources/overview.tsx'
import { bindingSentence, isTokenLive, tokenWords } from './words.ts'

interface Key {
  readonly kid?: string
  readonly kty?: string
  readonly alg?: string
  readonly retires_at?: string
}

const SHOWN = ['active', 'host', 'virtual_mcp', 'user', 'acts_for', 'keys', 'expires_in']
const TOKEN = ['token_state', 'token_issued_at', 'token_expires_at']

/** A binding: for whom its host calls, and what proves it. */
export default function BindingOverview(props: PartProps) {
  const { value } = props
  const { host, user, active } = value
  const may = useMay()
  const keys = (value['keys'] ?? []) as unknown as readonly Key[]
  return (
    <Overview {...props} without={[...SHOWN, ...TOKEN]}>
      <Card title="What it allows">
        <p className="mb-3 break-words">{bindingSentence(value)}</p>
        <Facts
          facts={[
            ['Host', <ResourceLink key="" resource="hosts" id={String(host)} />],
            [
              'Virtual MCP',
              <ResourceLink key="" resource="virtual_mcps" id={String(value['virtual_mcp'])} />,
            ],
            [
              'Person',
              typeof user !== 'string' ? null : (
                <span className="flex flex-wrap gap-x-3">
                  <ResourceLink resource="users" id={user} />
                  {may('connections.list') && (
                    <Link
                      to="/$resource"
                      params={{ resource: 'connections' }}
                      search={{ user }}
                      className="underline"
                    >
                      Accounts at origins
                    </Link>
                  )}
                </span>
              ),
            ],
            ['State', <ActiveState key="" active={active} />],
          ]}
        />
      </Card>
      <Token {...props} />
      {keys.length > 0 && (
        <Card title="Keys">
          <ul className="flex flex-col gap-1">
            {keys.map(({ kid, kty, alg, retires_at }, index) => (
              <li key={kid ?? index} className="flex flex-wrap items-center gap-x-3">
                <code className="break-all">{kid ?? `key ${index + 1}`}</code>
                <Badge>{alg ?? kty ?? 'JWK'}</Badge>
                {retires_at !== undefined && (
                  <span className="text-muted">
                    retires <Time value={retires_at} />
                  </span>
                )}
              </li>
            ))}
          </ul>
        </Card>
      )}
    </Overview>
  )
}

/** Whether a token was issued, when it ends, when it was used, and what may be done about it. */
function Token({ slug, value, schemas }: PartProps) {
  const may = useMay()
  const calls = useCall('records.list', { profile: String(value['id']), limit: 1, fields: 'id,time,status' })
  const state = value['token_state']
  const isIssued = state !== 'none' && state !== undefined
  const { words, state: shape } = tokenWords(state)
  const { token_issued_at: issued, token_expires_at: ends, expires_in: lifetime } = value
  const target = { schemas, value, slug }
  // The button stays after the token has ended: its dialog shows what was done
  const isRevocable = useRef(false)
  if (isTokenLive(state)) isRevocable.current = true
  return (
    <Card
      title="Token"
      actions={
        <span className="flex flex-wrap gap-2">
          <RunButton
            name="bindings.issue_token"
            label={isIssued ? 'Issue a new token' : 'Issue a token'}
            icon={isIssued ? RefreshCw : KeyRound}
            {...target}
          />
          {isRevocable.current && (
            <RunButton name="bindings.revoke_token" label="Revoke" icon={Ban} tone="danger" {...target} />
          )}
        </span>
      }
    >
      <Facts
        facts={[
          [
            'State',
            <Status key="" state={shape}>
              {words}
            </Status>,
          ],
          ['Issued', typeof issued === 'string' ? <Time value={issued} /> : null],
          ['Ends', !isIssued ? null : typeof ends === 'string' ? <Time value={ends} /> : 'Never'],
          [
            'Last call',
            may('records.list') && calls.data !== undefined ? <LastCall call={calls.data.items[0]} /> : null,
          ],
          [
            'A new token lasts',
            typeof lifetime === 'string' ? (readingOf('duration', lifetime) ?? lifetime) : 'No expiry',
          ],
        ]}
      />
      {calls.error !== null && <FaultBox fault={faultOf(calls.error)} retry={() => void calls.refetch()} />}
      {isTokenLive(state) && (
        <p className="mt-3 text-sm text-muted">Issuing a new token revokes this one at once.</p>
      )}
    </Card>
  )
}
