import { Link } from '@tanstack/react-router'
import { faultOf, operation, useCall, useMay } from '../../api/client.ts'
import { buttonClasses } from '../../kit/controls.tsx'
import { Empty, FaultBox, Forbidden, Page, SkeletonRows } from '../../kit/page.tsx'
import { Status } from '../../kit/status.tsx'
import { ShowAs } from '../../show-as/show-as.tsx'

const TITLE = 'Drift'
const SHOWN = 200

/** Virtual MCPs whose origins differ from what was approved. Each leads to its items. */
export default function DriftList() {
  const may = useMay()
  const row = operation('virtual_mcps.drifted')!
  const { data, error, refetch } = useCall('virtual_mcps.drifted', { limit: SHOWN })
  if (!may('virtual_mcps.drifted'))
    return (
      <Page name={TITLE} title={TITLE}>
        <Forbidden permission={row.permission} />
      </Page>
    )
  return (
    <Page
      name={TITLE}
      title={TITLE}
      lead="Items that MCP servers have added, changed or removed since the last approval."
      actions={<ShowAs request={{ operation: row, input: {}, options: {} }} />}
    >
      {error !== null && <FaultBox fault={faultOf(error)} retry={() => void refetch()} />}
      {data === undefined && error === null && <SkeletonRows rows={6} />}
      {data?.items.length === 0 && (
        <Empty
          title="No drift"
          action={
            <>
              <Link to="/$resource" params={{ resource: 'virtual_mcps' }} className={buttonClasses()}>
                Virtual MCPs
              </Link>
              <ShowAs request={{ operation: row, input: {}, options: {} }} />
            </>
          }
        >
          Every tool, prompt and resource of your virtual MCPs matches its approved version.
        </Empty>
      )}
      <ul aria-label="Virtual MCPs with drift" className="flex flex-col gap-2">
        {data?.items.map(({ id, slug, name, undecided, held, items }) => (
          <li
            key={id}
            className="flex flex-wrap items-center justify-between gap-3 rounded-md border border-line p-3"
          >
            <span className="min-w-0">
              <Link
                to="/$resource/$id"
                params={{ resource: 'virtual_mcps', id: slug }}
                search={{ tab: 'drift' } as never}
                className="font-semibold break-words underline"
              >
                {name}
              </Link>{' '}
              <code className="text-sm break-all text-muted">{slug}</code>
            </span>
            <span className="flex flex-wrap gap-4">
              <Status state={undecided > 0 ? 'changed' : 'ok'}>
                {undecided === 0 ? 'All decided' : `${undecided} of ${items} to decide`}
              </Status>
              {held > 0 && <Status state="pending">{`${held} hidden until approved`}</Status>}
            </span>
          </li>
        ))}
      </ul>
    </Page>
  )
}
