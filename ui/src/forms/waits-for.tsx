import { Link } from '@tanstack/react-router'
import type { WaitingChange } from '../api/problem.ts'
import { Diff } from '../kit/diff.tsx'
import { Badge, Status } from '../kit/status.tsx'

/** The change became a change request: the rules that apply, its difference, and its page. */
export function WaitsFor({ change }: { change: WaitingChange }) {
  const { id, rules, diff, diff_entries: count } = change
  return (
    <section aria-label="Waits for approval" className="flex flex-col gap-3">
      <Status state="pending">Waits for approval</Status>
      <p>
        Nothing has changed yet. Another person has to approve this change by{' '}
        {rules.length === 1 ? 'the rule' : 'the rules'}{' '}
        <span className="inline-flex flex-wrap gap-1 align-bottom">
          {rules.map((rule) => (
            <Badge key={rule}>{rule}</Badge>
          ))}
        </span>
        .
      </p>
      <Diff entries={diff} />
      {count > diff.length && (
        <p className="text-muted">The change request has {count - diff.length} further entries.</p>
      )}
      <Link
        to="/$resource/$id"
        params={{ resource: 'change_requests', id }}
        className="self-start text-accent underline"
      >
        Open the change request
      </Link>
    </section>
  )
}
