import { useQuery } from '@tanstack/react-query'
import type { JsonObject } from '../../../build/document.ts'
import { client } from '../../api/client.ts'
import { operation } from '../../api/operations.ts'
import { faultOf } from '../../api/problem.ts'
import { useMay } from '../../api/session.ts'
import { EditForm } from '../../forms/edit-form.tsx'
import { Page } from '../../kit/page.tsx'
import { FaultBox, Forbidden, SkeletonRows } from '../../kit/states.tsx'
import { useSchemas } from '../../schema/load.ts'
import { ShowAs } from '../../show-as/show-as.tsx'
import { Details } from '../../tables/details.tsx'

/** The settings, of which there is one. */
export default function Settings() {
  const may = useMay()
  const schemas = useSchemas('settings')
  const row = operation('settings.get')!
  const query = useQuery({
    queryKey: ['settings.get'],
    queryFn: async () => (await client.call('settings.get', {})).body as unknown as JsonObject,
    enabled: may('settings.get'),
  })
  if (!may('settings.get'))
    return (
      <Page name="Settings" title="Settings">
        <Forbidden permission={row.permission} />
      </Page>
    )
  return (
    <Page
      name="Settings"
      title="Settings"
      lead="Settings of the gateway that can change while it runs."
      actions={<ShowAs request={{ operation: row, input: {}, options: {} }} />}
    >
      {query.error !== null && <FaultBox fault={faultOf(query.error)} retry={() => void query.refetch()} />}
      {query.data === undefined || schemas == null ? (
        <SkeletonRows rows={10} />
      ) : may('settings.update') ? (
        <EditForm resource="settings" id={null} loaded={query.data} schemas={schemas} onDone={() => {}} />
      ) : (
        <Details value={query.data} />
      )}
    </Page>
  )
}
