import { Link, useNavigate, useParams } from '@tanstack/react-router'
import { operation, useMay } from '../../api/client.ts'
import { Forbidden, Page } from '../../kit/page.tsx'
import { RecordPane } from './record-pane.tsx'

/** One record as a page. */
export default function RecordPage() {
  const { id = '' } = useParams({ strict: false })
  const navigate = useNavigate()
  const may = useMay()
  return (
    <Page
      name={`Record ${id}`}
      title="Record"
      lead={
        <Link to="/$resource" params={{ resource: 'records' }} className="underline">
          Records
        </Link>
      }
    >
      {may('records.get') ? (
        <div className="max-w-220">
          <RecordPane
            key={id}
            id={id}
            onClose={null}
            onFilter={(filter) =>
              void navigate({ to: '/$resource', params: { resource: 'records' }, search: filter as never })
            }
          />
        </div>
      ) : (
        <Forbidden permission={operation('records.get')!.permission} />
      )}
    </Page>
  )
}
