/** Fields that have further fields in them. Together with the editor of a field, they render a schema of any depth. */
import { Plus, Trash2 } from 'lucide-react'
import { useId, useState } from 'react'
import type { Json, JsonObject } from '../../../build/document.ts'
import { Button, IconButton, Labeled, Select, TextInput } from '../../kit/controls.tsx'
import { type Field, inSentence, labelOf } from '../../schema/fields.ts'
import { isObject } from '../../schema/value.ts'
import { cleared, type EditorProps, Notes, type Of, useMember } from '../form-state.tsx'
import { FieldEditor } from './field-editor.tsx'

/** Members of an object within the object. An optional one is absent until somebody adds it. */
export function GroupField({ field, path }: EditorProps<Of<'group'>>) {
  const { value, set, isReadOnly } = useMember(path)
  const isThere = isObject(value)
  const isOptional = !field.required || field.nullable
  return (
    <fieldset className="rounded-md border border-line p-3">
      <legend className="px-1 font-medium">{field.label}</legend>
      <Notes field={field} path={path} />
      {isThere || !isOptional ? (
        <div className="mt-2 flex flex-col gap-3">
          {field.fields.map((inner) => (
            <FieldEditor key={inner.name} field={inner} path={[...path, inner.name]} />
          ))}
          {isOptional && !isReadOnly && (
            <div>
              <Button isSmall icon={Trash2} onClick={() => set(cleared(field))}>
                Remove {inSentence(field.label)}
              </Button>
            </div>
          )}
        </div>
      ) : (
        !isReadOnly && (
          <Button isSmall icon={Plus} onClick={() => set({})} className="mt-2">
            Set {inSentence(field.label)}
          </Button>
        )
      )}
    </fieldset>
  )
}

/** The value of a new item: the person fills it in. */
function emptyOf(field: Field): Json {
  if (field.kind === 'group') return {}
  if (field.kind === 'variant') return { [field.tag]: field.variants[0]?.value ?? '' }
  if (field.kind === 'list' || field.kind === 'texts' || field.kind === 'choices') return []
  if (field.kind === 'switch') return false
  return field.kind === 'map' ? {} : ''
}

/** Items of the same kind. */
export function ListField({ field, path }: EditorProps<Of<'list'>>) {
  const { value, set, setAt, isReadOnly } = useMember(path)
  const items = Array.isArray(value) ? value : []
  return (
    <fieldset className="flex flex-col gap-2">
      <legend className="font-medium">{field.label}</legend>
      <Notes field={field} path={path} />
      {items.map((_, index) => (
        // Items have no identity of their own
        <div key={index} className="flex items-start gap-2 rounded-md border border-line p-3">
          <div className="flex min-w-0 flex-1 flex-col gap-3">
            {field.item.kind === 'group' ? (
              field.item.fields.map((inner) => (
                <FieldEditor key={inner.name} field={inner} path={[...path, index, inner.name]} />
              ))
            ) : (
              <FieldEditor
                field={{ ...field.item, label: `${field.label} ${index + 1}` }}
                path={[...path, index]}
              />
            )}
          </div>
          {!isReadOnly && (
            <IconButton
              icon={Trash2}
              label={`Remove item ${index + 1} of ${field.label}`}
              onClick={() => setAt([index], undefined)}
            />
          )}
        </div>
      ))}
      {!isReadOnly && (
        <div>
          <Button isSmall icon={Plus} onClick={() => set([...items, emptyOf(field.item)])}>
            Add to {inSentence(field.label)}
          </Button>
        </div>
      )}
    </fieldset>
  )
}

/** Members whose names the person chooses. */
export function MapField({ field, path }: EditorProps<Of<'map'>>) {
  const { value, set, setAt, isReadOnly } = useMember(path)
  const [name, setName] = useState('')
  const id = useId()
  const members = isObject(value) ? value : {}
  return (
    <fieldset className="flex flex-col gap-2">
      <legend className="font-medium">{field.label}</legend>
      <Notes field={field} path={path} />
      {Object.keys(members).map((key) => (
        <div key={key} className="flex items-start gap-2 rounded-md border border-line p-3">
          <div className="min-w-0 flex-1">
            <FieldEditor field={{ ...field.item, label: key }} path={[...path, key]} />
          </div>
          {!isReadOnly && (
            <IconButton icon={Trash2} label={`Remove ${key}`} onClick={() => setAt([key], undefined)} />
          )}
        </div>
      ))}
      {!isReadOnly && (
        <div className="flex gap-2">
          <TextInput
            id={id}
            aria-label={`New name in ${field.label}`}
            placeholder="name"
            value={name}
            onChange={(event) => setName(event.target.value)}
            className="max-w-60"
          />
          <Button
            isSmall
            icon={Plus}
            disabled={name === '' || Object.hasOwn(members, name)}
            onClick={() => {
              set({ ...members, [name]: emptyOf(field.item) })
              setName('')
            }}
          >
            Add
          </Button>
        </div>
      )}
    </fieldset>
  )
}

/** One of several kinds of object. What was entered for a kind comes back when the person returns to that kind. */
export function VariantField({ field, path }: EditorProps<Of<'variant'>>) {
  const { id, value, set, error, isReadOnly, isChanged } = useMember(path)
  const [kept, setKept] = useState<Readonly<Record<string, JsonObject>>>({})
  const current = isObject(value) ? value : null
  const tag = current?.[field.tag]
  const variant = field.variants.find((one) => one.value === tag)
  const choose = (next: string): void => {
    if (current !== null && typeof tag === 'string') setKept({ ...kept, [tag]: current })
    set(next === '' ? cleared(field) : (kept[next] ?? { [field.tag]: next }))
  }
  return (
    <fieldset className="rounded-md border border-line p-3">
      <legend className="px-1 font-medium">{field.label}</legend>
      <div className="flex flex-col gap-3">
        <Labeled
          id={id}
          label={labelOf(field.tag)}
          hint={variant?.description ?? field.description}
          error={error}
          isChanged={isChanged}
        >
          <Select
            id={id}
            disabled={isReadOnly}
            className="max-w-80"
            value={typeof tag === 'string' ? tag : ''}
            onChange={(event) => choose(event.target.value)}
          >
            {(variant === undefined || !field.required || field.nullable) && (
              <option value="">{field.required ? 'choose' : 'not set'}</option>
            )}
            {field.variants.map((one) => (
              <option key={one.value} value={one.value}>
                {one.value}
              </option>
            ))}
          </Select>
        </Labeled>
        {variant?.fields.map((inner) => (
          <FieldEditor key={`${variant.value}.${inner.name}`} field={inner} path={[...path, inner.name]} />
        ))}
      </div>
    </fieldset>
  )
}
