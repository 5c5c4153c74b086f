import { Link } from '@tanstack/react-router'
import type { OverTime } from './lines.ts'

const NUMBER = 'px-2 py-1 text-right tabular-nums'

/** The points of the charts as a table. Each time leads to its records. */
export function PointsTable({
  answer,
  width,
  asked,
}: {
  answer: OverTime
  /** Of a point, milliseconds. */
  width: number
  asked: Readonly<Record<string, string>>
}) {
  return (
    <div
      role="region"
      aria-label="Figures of the charts"
      tabIndex={0}
      className="mt-2 max-h-80 overflow-auto rounded-md border border-line"
    >
      <table className="w-full text-sm">
        <thead className="sticky top-0 bg-raised">
          <tr>
            <th className="px-2 py-1 text-left">Time (UTC)</th>
            {['Requests', '4xx', '5xx', 'p50 ms', 'p95 ms', 'p99 ms'].map((label) => (
              <th key={label} className="px-2 py-1 text-right">
                {label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {answer.items.map(({ time, requests, client_errors, server_errors, duration_ms }) => (
            <tr key={time} className="border-t border-line">
              <td className="px-2 py-1 whitespace-nowrap">
                <Link
                  to="/$resource"
                  params={{ resource: 'records' }}
                  search={
                    { ...asked, from: time, to: new Date(Date.parse(time) + width).toISOString() } as never
                  }
                  title="Records of this time"
                  className="underline"
                >
                  {time.slice(0, 19).replace('T', ' ')}
                </Link>
              </td>
              <td className={NUMBER}>{requests}</td>
              <td className={NUMBER}>{client_errors}</td>
              <td className={NUMBER}>{server_errors}</td>
              <td className={NUMBER}>{duration_ms.p50 ?? '–'}</td>
              <td className={NUMBER}>{duration_ms.p95 ?? '–'}</td>
              <td className={NUMBER}>{duration_ms.p99 ?? '–'}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
