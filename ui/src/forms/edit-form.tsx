import { useQueryClient } from '@tanstack/react-query'
import { useEffect, useMemo, useState } from 'react'
import type { JsonObject, ResourceSchemas } from '../../build/document.ts'
import { operation } from '../api/operations.ts'
import { refreshPage } from '../api/refresh.ts'
import { useLeaveGuard } from '../kit/leave-guard.ts'
import { writableMembers } from '../schema/stored-secret.ts'
import { changesOf } from '../schema/value.ts'
import { ShowAs } from '../show-as/show-as.tsx'
import { EditConflict } from './edit-conflict.tsx'
import { EditFields } from './edit-fields.tsx'
import { editableOf, without } from './editable.ts'
import type { OwnFields } from './form-state.tsx'
import { Review } from './operation-form.tsx'
import { sayStored } from './say-stored.ts'
import { useWrite } from './use-write.ts'
import { WaitsFor } from './waits-for.tsx'

interface EditFormProps {
  readonly resource: string
  /** Null for a resource of which there is one. */
  readonly id: string | null
  readonly loaded: JsonObject
  readonly schemas: ResourceSchemas
  /** Members that are changed elsewhere. */
  readonly hidden?: readonly string[]
  readonly own?: OwnFields
  readonly onDone: () => void
}

/** Changes a resource: only what was changed is sent, after its difference was seen, and only if nobody else was faster. */
export function EditForm(props: EditFormProps) {
  const { loaded } = props
  const queries = useQueryClient()
  // Edits belong to the revision that they began with. Without edits, the form shows the newest one
  const [opened, setOpened] = useState(loaded)
  const [isEdited, setEdited] = useState(false)
  if (opened !== loaded && !isEdited) setOpened(loaded)
  return (
    <Form
      {...props}
      key={String(opened['revision'])}
      loaded={opened}
      onEdited={setEdited}
      onDiscard={() => {
        setEdited(false)
        void refreshPage(queries)
      }}
    />
  )
}

interface FormProps extends EditFormProps {
  readonly onEdited: (isEdited: boolean) => void
  /** Told when the person gives their edits up for what is stored. */
  readonly onDiscard: () => void
}

function Form({
  resource,
  id,
  loaded,
  schemas,
  hidden = [],
  own = {},
  onDone,
  onEdited,
  onDiscard,
}: FormProps) {
  const update = operation(`${resource}.update`)!
  const put = operation(`${resource}.put`)
  const editable = useMemo(() => editableOf(resource, loaded, schemas), [resource, loaded, schemas])
  const { fields, start } = editable
  const [value, setValue] = useState<JsonObject>(start)
  const { patch, removes } = changesOf(start, value)
  const isDirty = removes || Object.keys(patch).length > 0
  // PATCH cannot take a member away
  const row = removes && put !== null ? put : update
  const write = useWrite(row)
  const { state } = write
  const input = { ...(id !== null && { id }), ...writableMembers(row === put ? value : patch) }
  const expectedRevision = typeof loaded['revision'] === 'number' ? loaded['revision'] : undefined
  const isEdited = isDirty && state.step !== 'done' && state.step !== 'waiting'
  useLeaveGuard(isEdited)
  useEffect(() => {
    onEdited(isEdited)
  }, [onEdited, isEdited])
  useEffect(() => {
    if (state.step !== 'done') return
    sayStored(state.answer.body, 'Saved')
    onDone()
  }, [state, onDone])

  if (state.step === 'done') return null
  if (state.step === 'waiting') return <WaitsFor change={state.change} />
  const document = { slug: String(loaded['slug']), spec: without(value, 'slug') }
  const showAs = <ShowAs request={{ operation: row, input, options: {}, document }} />
  if (state.step === 'conflict')
    return (
      <EditConflict
        resource={resource}
        id={id}
        start={start}
        mine={value}
        names={fields.map(({ name }) => name)}
        onKeep={write.edit}
        onDiscard={onDiscard}
      />
    )
  if (state.step === 'review')
    return (
      <Review
        row={row}
        state={state}
        confirmWith={null}
        slug={typeof loaded['slug'] === 'string' ? loaded['slug'] : null}
        showAs={showAs}
        onBack={write.edit}
        onConfirm={(options) =>
          write.confirm(input, { ...options, ...(expectedRevision !== undefined && { expectedRevision }) })
        }
      />
    )
  return (
    <EditFields
      editable={editable}
      hidden={hidden}
      own={own}
      value={value}
      onChange={setValue}
      isDirty={isDirty}
      isAsking={state.step === 'asking'}
      fault={state.step === 'editing' ? state.fault : null}
      showAs={showAs}
      onReview={() => {
        write.review(input).catch(() => {})
      }}
    />
  )
}
