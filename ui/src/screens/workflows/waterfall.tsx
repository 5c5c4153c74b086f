import { classes } from '../../kit/style.ts'
import { type NodeRun, placeOf, type Run, runWords } from './run.ts'

/** Nodes of a run in its time, as bars that are a table too. Choosing a node opens it. */
export function RunWaterfall({
  run,
  selection,
  onPick,
}: {
  run: Run
  selection: readonly string[]
  onPick: (node: string) => void
}) {
  return (
    <table className="w-full table-fixed text-sm">
      <caption className="sr-only">Nodes of the run</caption>
      <thead className="sr-only">
        <tr>
          <th scope="col">Node</th>
          <th scope="col">Place in the run</th>
          <th scope="col">State</th>
        </tr>
      </thead>
      <tbody>
        {run.bars.map((bar, index) => {
          const { left, width } = placeOf(bar, run.bars)
          const own: NodeRun | undefined = bar.within === null ? run.nodes.get(bar.node) : undefined
          return (
            <tr
              key={`${bar.within} ${bar.node} ${index}`}
              className={classes(bar.within === null && selection.includes(bar.node) && 'bg-accent-soft')}
            >
              <th scope="row" className="w-1/3 py-0.5 pr-2 text-left font-normal break-words">
                {own === undefined ? (
                  `${bar.within === null ? '' : `${bar.within} `}${bar.node}`
                ) : (
                  <button
                    type="button"
                    className="min-h-6 max-w-full text-left break-words underline"
                    onClick={() => onPick(bar.node)}
                  >
                    {bar.node}
                  </button>
                )}
              </th>
              <td>
                <div className="relative h-4 rounded-md bg-sunken">
                  <div
                    className={classes(
                      'absolute inset-y-0 rounded-md',
                      bar.isFailed ? 'bg-bad' : 'bg-accent',
                    )}
                    style={{ left: `${left * 100}%`, width: `${width * 100}%` }}
                  />
                </div>
              </td>
              <td className="w-1/4 pl-2 text-right tabular-nums">
                {own === undefined ? `${Math.round(bar.duration)} ms` : runWords(own)}
              </td>
            </tr>
          )
        })}
      </tbody>
    </table>
  )
}
