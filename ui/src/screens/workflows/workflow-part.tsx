import { faultOf, operation, useCall, useMay } from '../../api/client.ts'
import { setOf } from '../../forms/actions.ts'
import { FaultBox } from '../../kit/page.tsx'
import { addressOf } from '../../schema/value.ts'
import type { PartProps } from '../hand-made.ts'
import { toJson } from './definition.ts'
import { WorkflowEditor } from './editor.tsx'
import type { Source } from './use-editor.ts'

const PROXIES_MAX = 50

/** The graph of a shared workflow. */
export default function WorkflowPart({ slug, value, schemas }: PartProps) {
  const may = useMay()
  const users = useCall('proxies.list', { workflow: slug, limit: PROXIES_MAX })
  const source: Source = {
    key: `workflows/${String(value['id'])}`,
    slug,
    revision: Number(value['revision']),
    definition: value['definition'],
    settings: null,
    row: operation('workflows.update')!,
    inputOf: (definition) => ({ id: slug, definition: toJson(definition) }),
    proxies: (users.data?.items ?? []).map((item) => addressOf('proxies', item as never)),
    isInline: false,
  }
  const isReadOnly = setOf(value['managed_by']) !== null || !may('workflows.update')
  return (
    <div className="flex min-w-0 flex-col gap-4">
      {users.error !== null && <FaultBox fault={faultOf(users.error)} retry={() => void users.refetch()} />}
      <WorkflowEditor source={source} schemas={schemas} isReadOnly={isReadOnly} />
    </div>
  )
}
