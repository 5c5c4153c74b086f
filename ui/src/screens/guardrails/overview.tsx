import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { faultOf, useCall, useMay } from '../../api/client.ts'
import { Select } from '../../kit/controls.tsx'
import { Card, FaultBox, SkeletonRows } from '../../kit/page.tsx'
import { Badge } from '../../kit/status.tsx'
import type { PartProps } from '../hand-made.ts'
import { RANGES } from '../records/list-state.ts'
import { Overview } from '../resources/overview.tsx'
import { findingsOf } from './words.ts'

/** The findings of at most so many calls are summed. */
const CALLS = 200
const HEAD = 'h-8 px-2 text-left text-sm font-medium text-muted'

/** A guardrail, and what it found in the calls of late. */
export default function GuardrailOverview(props: PartProps) {
  const may = useMay()
  return (
    <Overview {...props}>
      {may('records.list') && (
        <Findings
          id={String(props.value['id'])}
          slug={props.slug}
          isObserving={props.value['mode'] === 'observe'}
        />
      )}
    </Overview>
  )
}

function Findings({ id, slug, isObserving }: { id: string; slug: string; isObserving: boolean }) {
  const [from, setFrom] = useState('-24h')
  const query = useCall(
    'records.list',
    { guardrail: id, from, limit: CALLS, fields: 'guardrail_hits' },
    { isKept: true },
  )
  const calls = query.data?.items.length ?? 0
  const findings = findingsOf(query.data?.items ?? [], id)
  const isMore = query.data?.next_cursor != null
  return (
    <Card
      title="Findings"
      actions={
        <Select
          aria-label="Time of the findings"
          className="w-40 text-sm"
          value={from}
          onChange={(event) => setFrom(event.target.value)}
        >
          {RANGES.map((range) => (
            <option key={range.from} value={range.from}>
              {range.label}
            </option>
          ))}
        </Select>
      }
    >
      {query.error !== null && <FaultBox fault={faultOf(query.error)} retry={() => void query.refetch()} />}
      {query.isPending && <SkeletonRows rows={3} />}
      {query.data !== undefined && (
        <div className="flex flex-col gap-2">
          <p>
            {calls === 0
              ? 'No findings in this period.'
              : `Findings in ${isMore ? `the ${calls} latest calls of this time, and in earlier ones` : calls === 1 ? '1 call' : `${calls} calls`}.`}{' '}
            {isObserving && 'Observe mode: calls are not changed.'}
          </p>
          {calls > 0 && (
            <>
              <div className="overflow-x-auto">
                <table aria-label="Findings" className="w-full border-collapse tabular-nums">
                  <thead>
                    <tr className="border-b border-line">
                      <th className={HEAD}>Detector</th>
                      <th className={HEAD}>Leg</th>
                      <th className={HEAD}>Action</th>
                      <th className={`${HEAD} text-right`}>Calls</th>
                      <th className={`${HEAD} text-right`}>Values</th>
                    </tr>
                  </thead>
                  <tbody>
                    {findings.map(({ key, detector, leg, action, observed, calls: of, values }) => (
                      <tr key={key} className="border-b border-line last:border-0">
                        <td className="px-2 py-1">{detector}</td>
                        <td className="px-2 py-1">{leg}</td>
                        <td className="px-2 py-1">
                          {action} {observed && <Badge tone="dashed">observed</Badge>}
                        </td>
                        <td className="px-2 py-1 text-right">{of.toLocaleString('en')}</td>
                        <td className="px-2 py-1 text-right">{values.toLocaleString('en')}</td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              </div>
              <p>
                <Link
                  to="/$resource"
                  params={{ resource: 'records' }}
                  search={{ guardrail: slug, from } as never}
                  className="underline"
                >
                  Records of these calls
                </Link>
              </p>
            </>
          )}
        </div>
      )}
    </Card>
  )
}
