import { useNavigate, useParams, useSearch } from '@tanstack/react-router'
import type { JsonObject } from '../../../build/document.ts'
import { aboutOf, operation, useMay, useSchemas } from '../../api/client.ts'
import { singularOf, titleOf } from '../../app/navigation.ts'
import { NotFound } from '../../app/router.tsx'
import { startOf } from '../../forms/actions.ts'
import { secretsOf } from '../../forms/answers.ts'
import { OperationForm } from '../../forms/operation-form.tsx'
import { Forbidden, Page } from '../../kit/page.tsx'
import { inSentence } from '../../schema/fields.ts'
import { FIRST_PARTS } from '../hand-made.ts'
import { OWN_FIELDS } from '../own-fields.ts'

/** A new item of the resource that the address names. */
export default function CreateResource() {
  const { resource } = useParams({ from: '/shell/$resource/new' })
  return <Create resource={resource} />
}

/** A new item of a resource. Search parameters are its first values, such as `?collection=orders`. */
export function Create({ resource }: { resource: string }) {
  const search = useSearch({ strict: false })
  const navigate = useNavigate()
  const may = useMay()
  const schemas = useSchemas(resource)
  const row = operation(`${resource}.create`)
  if (row === null || schemas === null) return <NotFound />
  const title = `New ${singularOf(resource)}`
  if (!may(`${resource}.create`))
    return (
      <Page name={title} title={title}>
        <Forbidden permission={row.permission} to={`create ${inSentence(titleOf(resource))}`} />
      </Page>
    )
  const open = (output: JsonObject): void => {
    const id = String(output['id'] ?? output['slug'] ?? '')
    navigate(
      id === ''
        ? { to: '/$resource', params: { resource } }
        : { to: '/$resource/$id', params: { resource, id }, search: { tab: FIRST_PARTS[resource] } as never },
    ).catch(() => {})
  }
  return (
    <Page name={title} title={title} lead={aboutOf(resource)}>
      <div className="max-w-240">
        {schemas !== undefined && (
          <OperationForm
            key={resource}
            row={row}
            isPage
            own={OWN_FIELDS[resource] ?? {}}
            schemas={schemas}
            start={startOf(row, search as JsonObject)}
            onCancel={() => history.back()}
            onDone={(answer) => open(answer.body as unknown as JsonObject)}
            showsResult={(output) =>
              secretsOf(output, schemas.actions['create']?.output, schemas.$defs).length > 0
            }
          />
        )}
      </div>
    </Page>
  )
}

/** A path of its own: the page of one request would take `new` for an id. */
export function NewAccessRequest() {
  return <Create resource="access_requests" />
}
