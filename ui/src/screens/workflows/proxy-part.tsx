import { Link } from '@tanstack/react-router'
import { Plus } from 'lucide-react'
import { useState } from 'react'
import type { Json } from '../../../build/document.ts'
import { faultOf, operation, useCall, useMay, useSchemas } from '../../api/client.ts'
import { setOf } from '../../forms/actions.ts'
import { Button } from '../../kit/controls.tsx'
import { Empty, FaultBox, SkeletonRows } from '../../kit/page.tsx'
import { ShowAs } from '../../show-as/show-as.tsx'
import type { PartProps } from '../hand-made.ts'
import { toJson } from './definition.ts'
import { WorkflowEditor } from './editor.tsx'
import type { Source } from './use-editor.ts'

/** The workflow of a proxy: its own, one that it shares, or none. */
export default function ProxyPart({ slug, value }: PartProps) {
  const may = useMay()
  const schemas = useSchemas('workflows')
  const [isStarted, setStarted] = useState(false)
  const { data, error, refetch } = useCall('proxies.workflow', { id: slug })
  if (error !== null) return <FaultBox fault={faultOf(error)} retry={() => void refetch()} />
  if (data === undefined || schemas == null) return <SkeletonRows rows={10} />
  const isReadOnly = setOf(value['managed_by']) !== null || !may('proxies.set_workflow')
  if (data.workflow !== null)
    return (
      <Empty
        title="The proxy runs a shared workflow"
        action={
          <Link
            to="/$resource/$id"
            params={{ resource: 'workflows', id: data.workflow }}
            search={{ tab: 'graph' } as never}
            className="text-accent underline"
          >
            Open the workflow {data.workflow}
          </Link>
        }
      >
        Other proxies may run this workflow too. A change to the workflow affects all of them.
      </Empty>
    )
  if (data.definition === null && !isStarted)
    return (
      <Empty
        title="The proxy runs no workflow"
        action={
          <>
            {!isReadOnly && (
              <Button icon={Plus} onClick={() => setStarted(true)}>
                Add a workflow
              </Button>
            )}
            <ShowAs
              request={{
                operation: operation(isReadOnly ? 'proxies.workflow' : 'proxies.set_workflow')!,
                input: { id: slug },
                options: {},
              }}
            />
          </>
        }
      >
        Requests go to the upstream. A workflow answers in its place: it checks, calls, transforms and
        responds.
      </Empty>
    )
  const source: Source = {
    key: `proxies/${data.id}`,
    slug,
    revision: data.revision,
    definition: data.definition as unknown as Json,
    settings: null,
    row: operation('proxies.set_workflow')!,
    inputOf: (definition) => ({ id: slug, definition: toJson(definition) }),
    proxies: [slug],
    isInline: true,
  }
  return <WorkflowEditor source={source} schemas={schemas} isReadOnly={isReadOnly} />
}
