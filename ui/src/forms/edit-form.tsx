import { useQuery, useQueryClient } from '@tanstack/react-query'
import { type ReactNode, useEffect, useMemo, useRef, useState } from 'react'
import type { JsonObject, ResourceSchemas } from '../../build/document.ts'
import {
  client,
  type DiffEntry,
  type Fault,
  type Input,
  type OperationName,
  operation,
  refreshPage,
} from '../api/client.ts'
import { Button } from '../kit/controls.tsx'
import { Diff } from '../kit/diff.tsx'
import { useLeaveGuard } from '../kit/leave-guard.ts'
import { Status } from '../kit/status.tsx'
import { type Field, fieldsOf } from '../schema/fields.ts'
import { changesOf, entriesOf, isObject, writableMembers } from '../schema/value.ts'
import { ShowAs } from '../show-as/show-as.tsx'
import type { OwnFields } from './form-state.tsx'
import { SchemaForm } from './schema-form.tsx'
import { errorsOf, FormBar, FormFault, Review, sayStored, useWrite, WaitsFor } from './write.tsx'

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
  const wasReviewed = useRef(false)
  if (state.step === 'review') wasReviewed.current = true
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
      isBack={wasReviewed.current}
      showAs={showAs}
      onReview={() => {
        write.review(input).catch(() => {})
      }}
    />
  )
}

interface EditConflictProps {
  readonly resource: string
  readonly id: string | null
  readonly start: JsonObject
  readonly mine: JsonObject
  readonly names: readonly string[]
  readonly onKeep: () => void
  readonly onDiscard: () => void
}

/** Somebody else saved first: their changes and yours, since the revision that this form was opened with. */
function EditConflict({ resource, id, start, mine, names, onKeep, onDiscard }: EditConflictProps) {
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
    <TheirsAndMine
      theirs={theirs === null ? null : entriesOf(start, theirs)}
      mine={entriesOf(start, mine)}
      heading="h2"
    >
      <Button onClick={onKeep}>Keep editing</Button>
      <Button tone="primary" onClick={onDiscard}>
        Discard mine and load theirs
      </Button>
    </TheirsAndMine>
  )
}

interface EditFieldsProps {
  readonly editable: Editable
  /** Members that are changed elsewhere. */
  readonly hidden: readonly string[]
  readonly own: OwnFields
  readonly value: JsonObject
  readonly onChange: (value: JsonObject) => void
  readonly isDirty: boolean
  /** The server judges the change. */
  readonly isAsking: boolean
  /** Why the server refused the change. */
  readonly fault: Fault | null
  /** The person comes back from the review: the button that led there has the focus. */
  readonly isBack: boolean
  readonly showAs: ReactNode
  readonly onReview: () => void
}

/** The step in which a resource is edited: its fields, whether they differ from what is stored, and the way to the difference. */
function EditFields(props: EditFieldsProps) {
  const { editable, hidden, own, value, onChange, isDirty, isAsking, fault, isBack, showAs, onReview } = props
  const { fields, start, fixed } = editable
  return (
    <form
      className="flex max-w-240 flex-col gap-4"
      onSubmit={(event) => {
        event.preventDefault()
        if (isDirty) onReview()
      }}
    >
      <SchemaForm
        fields={fields.filter(({ name }) => !hidden.includes(name))}
        value={value}
        loaded={start}
        onChange={onChange}
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
        <Button disabled={!isDirty} onClick={() => onChange(start)}>
          Undo all
        </Button>
        <Button
          type="submit"
          tone="primary"
          disabled={!isDirty}
          isBusy={isAsking}
          autoFocus={isBack && fault === null}
        >
          Review the change
        </Button>
      </FormBar>
    </form>
  )
}

interface TheirsAndMineProps {
  /** Null until it is loaded. */
  readonly theirs: readonly DiffEntry[] | null
  readonly mine: readonly DiffEntry[]
  /** Level of the two headings. */
  readonly heading: 'h2' | 'h3'
  /** The ways out. */
  readonly children: ReactNode
}

/** Somebody else saved first: their changes and yours, since the revision that both began with. */
export function TheirsAndMine({ theirs, mine, heading: Heading, children }: TheirsAndMineProps) {
  return (
    <div className="flex flex-col gap-4">
      <Status state="warn" className="whitespace-normal">
        Another person changed this after you opened it. Your changes are not saved.
      </Status>
      <div className="grid grid-cols-1 gap-4 lg:grid-cols-2">
        <section className="flex flex-col gap-2">
          <Heading className="font-semibold">Their changes</Heading>
          {theirs === null ? <p className="text-muted">Loading</p> : <Diff entries={theirs} />}
        </section>
        <section className="flex flex-col gap-2">
          <Heading className="font-semibold">Your changes</Heading>
          <Diff entries={mine} />
        </section>
      </div>
      <div className="flex flex-wrap justify-end gap-2">{children}</div>
    </div>
  )
}

// What the edit form of a resource shows, and what it may change.

interface Editable {
  /** Members of the input that replaces the resource; of the one that updates it if it cannot be replaced. */
  readonly fields: readonly Field[]
  /** Their values as loaded. */
  readonly start: JsonObject
  /** Names of the fields that are shown and never changed. */
  readonly fixed: readonly string[]
}

function editableOf(resource: string, loaded: JsonObject, schemas: ResourceSchemas): Editable {
  const { actions, $defs } = schemas
  const shape = actions[operation(`${resource}.put`) === null ? 'update' : 'put']!.input
  const fields = fieldsOf(shape, $defs).filter(({ name }) => name !== 'id')
  const changing = fieldsOf(actions['update']!.input, $defs).map(({ name }) => name)
  return {
    fields,
    start: only(
      loaded,
      fields.map(({ name }) => name),
    ),
    fixed: fields.filter(({ name, isFixed }) => isFixed || !changing.includes(name)).map(({ name }) => name),
  }
}

/** The value without a member. */
function without(value: JsonObject, name: string): JsonObject {
  return Object.fromEntries(Object.entries(value).filter(([one]) => one !== name))
}

/** The members of a value that have these names. */
function only(value: JsonObject, names: readonly string[]): JsonObject {
  return Object.fromEntries(
    names.filter((name) => Object.hasOwn(value, name)).map((name) => [name, value[name]!]),
  )
}
