import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { useMay } from '../../api/client.ts'
import { Card, FaultBox, SkeletonRows } from '../../kit/page.tsx'
import { Status } from '../../kit/status.tsx'
import { Time } from '../../kit/text.tsx'
import { askedFor } from '../requests/words.ts'
import { useItems } from './use-items.ts'
import { driftWords, staleWords } from './waiting.ts'

const SHOWN = 5

interface WaitingProps {
  /** Clients have called. Before, nobody asks for access. */
  readonly isUsed: boolean
  /** Agents have called. Before, drift changes nothing for anybody. */
  readonly isUsedByAgents: boolean
}

/** Requests and drift that wait for a decision of the person. */
export function Waiting({ isUsed, isUsedByAgents }: WaitingProps) {
  const may = useMay()
  const decides = {
    changes: may('change_requests.approve'),
    accesses: may('access_requests.approve'),
    drift: may('virtual_mcps.resolve_drift'),
  }
  const changes = useItems('change_requests.list', { limit: SHOWN, state: 'open' }, decides.changes)
  const accesses = useItems(
    'access_requests.list',
    { limit: SHOWN, state: 'open' },
    decides.accesses && isUsed,
  )
  const drifted = useItems('virtual_mcps.drifted', { limit: SHOWN }, decides.drift && isUsedByAgents)
  const lists = [changes, accesses, drifted]
  if (!Object.values(decides).includes(true)) return null
  const undecided = (drifted.items ?? []).filter((one) => one.undecided > 0)
  const isEmpty = [changes.items, accesses.items, undecided].every((items) => (items ?? []).length === 0)
  const failed = lists.filter(({ fault }) => fault !== null)
  return (
    <Card title="Approvals">
      {failed.map(({ fault, retry }, index) => (
        <FaultBox key={index} fault={fault!} retry={retry} />
      ))}
      {lists.some(({ isLoading }) => isLoading) ? (
        <SkeletonRows rows={2} height={28} />
      ) : isEmpty && failed.length > 0 ? null : isEmpty ? (
        <p className="text-muted">Nothing to approve.</p>
      ) : (
        <ul className="flex flex-col gap-2">
          {changes.items?.map((one) => (
            <Row key={one.id} status={<Status state="pending">Change</Status>}>
              <Ref resource="change_requests" id={one.id}>
                {askedFor(one)}
              </Ref>
              <Asked by={one.requester.name} at={one.created_at} />
            </Row>
          ))}
          {accesses.items?.map((one) => (
            <Row key={one.id} status={<Status state="pending">Access</Status>}>
              <Ref resource="access_requests" id={one.id}>
                {one.client} to {one.collections.join(', ')}
              </Ref>
              <Asked by={one.requester} at={one.created_at} />
            </Row>
          ))}
          {undecided.map((one) => (
            <Row key={one.id} status={<Status state="changed">Drift</Status>}>
              <Ref resource="virtual_mcps" id={one.slug} search={{ tab: 'drift' }}>
                {one.name}
              </Ref>
              <span className="text-sm text-muted">{driftWords(one)}</span>
            </Row>
          ))}
        </ul>
      )}
    </Card>
  )
}

/** Credentials that have expired, will soon, or are older than they should be. */
export function Expiring() {
  const { items, isLoading, fault, retry } = useItems('credentials.stale', { limit: SHOWN })
  if (items === null) return null
  return (
    <Card title="Credentials to renew">
      {isLoading ? (
        <SkeletonRows rows={2} height={28} />
      ) : fault !== null ? (
        <FaultBox fault={fault} retry={retry} />
      ) : items.length === 0 ? (
        <p className="text-muted">No credential has expired, expires soon or is due for rotation.</p>
      ) : (
        <ul className="flex flex-col gap-2">
          {items.map((one) => {
            const { state, label, verb, age } = staleWords(one)
            return (
              <Row
                key={`${one.type} ${one.ref} ${one.credential_id}`}
                status={<Status state={state}>{label}</Status>}
              >
                <span>
                  {one.type}{' '}
                  <Ref resource={`${one.type}s`} id={one.ref}>
                    {one.ref}
                  </Ref>
                </span>
                <span className="text-sm text-muted">
                  {verb !== null && one.expires_at !== null && (
                    <>
                      {verb} <Time value={one.expires_at} />
                    </>
                  )}
                  {age}
                </span>
              </Row>
            )
          })}
        </ul>
      )}
    </Card>
  )
}

/** A state of fixed width, so that what it is about stands in one column. */
function Row({ status, children }: { status: ReactNode; children: ReactNode }) {
  return (
    <li className="grid grid-cols-1 gap-x-3 sm:grid-cols-[120px_minmax(0,1fr)]">
      <span>{status}</span>
      <span className="flex flex-wrap items-baseline gap-x-2">{children}</span>
    </li>
  )
}

interface RefProps {
  readonly resource: string
  readonly id: string
  readonly search?: Readonly<Record<string, string>>
  readonly children: ReactNode
}

function Ref({ resource, id, search = {}, children }: RefProps) {
  return (
    <Link
      to="/$resource/$id"
      params={{ resource, id }}
      search={search as never}
      className="min-w-0 break-words underline"
    >
      {children}
    </Link>
  )
}

function Asked({ by, at }: { by: string; at: string }) {
  return (
    <span className="text-sm text-muted">
      {by}, <Time value={at} />
    </span>
  )
}
