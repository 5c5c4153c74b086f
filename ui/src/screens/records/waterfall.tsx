import type { Output } from '../../api/client.ts'
import { classes } from '../../kit/classes.ts'
import { Status } from '../../kit/status.tsx'
import { type Bar, barsOf, phasesOf, placeOf } from './phases.ts'
import { durationOf } from './sentence.ts'

const COLORS: Readonly<Record<Bar['tone'], string>> = {
  gateway: 'bg-accent',
  upstream: 'bg-ok',
  node: 'bg-muted',
  failed: 'bg-bad',
}

/** Where the time of a call went, as bars that are a table too, and what each phase of the gateway came to. */
export function Waterfall({ record }: { record: Output<'records.get'> }) {
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
            ? 'The record has one time for all work of the gateway.'
            : 'The gateway works before and after the upstream. The record has the sum, which is drawn first.'}
          {hasNodes && ' Nodes start at the time since the start of the workflow.'}
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
