import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useEffect, useMemo, useState } from 'react'
import type { JsonObject, ResourceSchemas } from '../../build/document.ts'
import { client, type Input, type OperationName } from '../api/client.ts'
import { operation } from '../api/operations.ts'
import { refreshPage } from '../api/refresh.ts'
import { Button } from '../kit/button.tsx'
import { Diff } from '../kit/diff.tsx'
import { useLeaveGuard } from '../kit/leave-guard.ts'
import { Status } from '../kit/status.tsx'
import { fieldsOf } from '../schema/fields.ts'
import { writableMembers } from '../schema/stored-secret.ts'
import { changesOf, entriesOf, isObject } from '../schema/value.ts'
import { ShowAs } from '../show-as/show-as.tsx'
import { FormBar } from './form-bar.tsx'
import { FormFault } from './form-fault.tsx'
import type { OwnFields } from './form-state.tsx'
import { Review, WaitsFor } from './operation-form.tsx'
import { sayStored } from './say-stored.ts'
import { SchemaForm } from './schema-form.tsx'
import { errorsOf, useWrite } from './use-write.ts'

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
  const shape = schemas.actions[put === null ? 'update' : 'put']!.input
  const fields = useMemo(
    () => fieldsOf(shape, schemas.$defs).filter(({ name }) => name !== 'id'),
    [shape, schemas],
  )
  const start = useMemo(
    () =>
      only(
        loaded,
        fields.map(({ name }) => name),
      ),
    [loaded, fields],
  )
  const fixed = useMemo(() => {
    const changing = fieldsOf(schemas.actions['update']!.input, schemas.$defs).map(({ name }) => name)
    return fields.filter(({ name, isFixed }) => isFixed || !changing.includes(name)).map(({ name }) => name)
  }, [fields, schemas])
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
  if (state.step === 'waiting') return <WaitsFor changeRequest={state.changeRequest} />
  const document = { slug: String(loaded['slug']), spec: without(value, 'slug') }
  const showAs = <ShowAs request={{ operation: row, input, options: {}, document }} />
  if (state.step === 'conflict')
    return (
      <Conflict
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
  const fault = state.step === 'editing' ? state.fault : null
  return (
    <form
      className="flex max-w-240 flex-col gap-4"
      onSubmit={(event) => {
        event.preventDefault()
        if (isDirty) write.review(input).catch(() => {})
      }}
    >
      <SchemaForm
        fields={fields.filter(({ name }) => !hidden.includes(name))}
        value={value}
        loaded={start}
        onChange={setValue}
        errors={errorsOf(fault)}
        readOnly={fixed}
        own={own}
      />
      <FormFault fault={fault} />
      <FormBar
        isSticky
        aside={
          <>
            {showAs}
            {isDirty && <Status state="changed">Not saved</Status>}
          </>
        }
      >
        <Button disabled={!isDirty} onClick={() => setValue(start)}>
          Undo all
        </Button>
        <Button type="submit" tone="primary" disabled={!isDirty} isBusy={state.step === 'asking'}>
          Review the change
        </Button>
      </FormBar>
    </form>
  )
}

function without(value: JsonObject, name: string): JsonObject {
  return Object.fromEntries(Object.entries(value).filter(([one]) => one !== name))
}

function only(value: JsonObject, names: readonly string[]): JsonObject {
  return Object.fromEntries(
    names.filter((name) => Object.hasOwn(value, name)).map((name) => [name, value[name]!]),
  )
}

interface ConflictProps {
  readonly resource: string
  readonly id: string | null
  readonly start: JsonObject
  readonly mine: JsonObject
  readonly names: readonly string[]
  readonly onKeep: () => void
  readonly onDiscard: () => void
}

/** Somebody else saved first: their changes and yours, since the revision that this form was opened with. */
function Conflict({ resource, id, start, mine, names, onKeep, onDiscard }: ConflictProps) {
  const name = `${resource}.get` as OperationName
  const query = useQuery({
    queryKey: [name, id, 'conflict'],
    queryFn: async () =>
      (await client.call(name, (id === null ? {} : { id }) as Input<OperationName>))
        .body as unknown as JsonObject,
    gcTime: 0,
    staleTime: 0,
  })
  const theirs = isObject(query.data) ? only(query.data, names) : null
  return (
    <div className="flex flex-col gap-4">
      <Status state="warn" className="whitespace-normal">
        Somebody else changed this after you opened it. Nothing of yours was saved.
      </Status>
      <div className="grid gap-4 grid-cols-1 lg:grid-cols-2">
        <section className="flex flex-col gap-2">
          <h2 className="font-semibold">Their changes</h2>
          {theirs === null ? (
            <p className="text-muted">Loading</p>
          ) : (
            <Diff entries={entriesOf(start, theirs)} />
          )}
        </section>
        <section className="flex flex-col gap-2">
          <h2 className="font-semibold">Your changes</h2>
          <Diff entries={entriesOf(start, mine)} />
        </section>
      </div>
      <div className="flex justify-end gap-2">
        <Button onClick={onKeep}>Keep editing</Button>
        <Button tone="primary" onClick={onDiscard}>
          Discard mine and load theirs
        </Button>
      </div>
    </div>
  )
}
