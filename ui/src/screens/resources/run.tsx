import { useParams, useSearch } from '@tanstack/react-router'
import type { JsonObject } from '../../../build/document.ts'
import { nameOf, operation, useMay, useSchemas } from '../../api/client.ts'
import { NotFound } from '../../app/router.tsx'
import { startOf } from '../../forms/actions.ts'
import { OperationForm } from '../../forms/operation-form.tsx'
import { Forbidden, Page } from '../../kit/page.tsx'

/** Any operation, as a form. Search parameters are its first values. */
export default function RunOperation() {
  const { operation: name } = useParams({ from: '/shell/run/$operation' })
  const search = useSearch({ strict: false })
  const may = useMay()
  const row = operation(name)
  const schemas = useSchemas(row?.resource ?? '')
  if (row === null) return <NotFound />
  if (!may(name))
    return (
      <Page name={row.summary} title={row.summary}>
        <Forbidden permission={row.permission} to="run this operation" />
      </Page>
    )
  const id = typeof search['id'] === 'string' ? search['id'] : null
  return (
    <Page name={row.summary} title={row.summary} lead={<code>{nameOf(row)}</code>}>
      <div className="max-w-200">
        {schemas != null && (
          <OperationForm
            key={name}
            isPage
            row={row}
            schemas={schemas}
            start={startOf(row, search as JsonObject)}
            confirmWith={id}
          />
        )}
      </div>
    </Page>
  )
}
