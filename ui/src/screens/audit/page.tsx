import { Link, useParams } from '@tanstack/react-router'
import { operation, useMay } from '../../api/client.ts'
import { Forbidden, Page } from '../../kit/page.tsx'
import { EntryPane } from './entry-pane.tsx'

/** One audit entry as a page. */
export default function EntryPage() {
  const { id = '' } = useParams({ strict: false })
  const may = useMay()
  return (
    <Page
      name={`Audit entry ${id}`}
      title="Audit entry"
      lead={
        <Link to="/$resource" params={{ resource: 'audit' }} className="underline">
          Audit
        </Link>
      }
    >
      {may('audit.get') ? (
        <div className="max-w-220">
          <EntryPane key={id} id={id} onClose={null} />
        </div>
      ) : (
        <Forbidden permission={operation('audit.get')!.permission} />
      )}
    </Page>
  )
}
