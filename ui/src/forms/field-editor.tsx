import { Plus, Trash2 } from 'lucide-react'
import { type ReactNode, useId, useState } from 'react'
import type { Json, JsonObject } from '../../build/document.ts'
import { Button, IconButton } from '../kit/button.tsx'
import { Checkbox, describedBy, Labeled, Select, TextArea, TextInput } from '../kit/inputs.tsx'
import { MarkdownPreview } from '../markdown/markdown.tsx'
import { type Field, inSentence, isOpenSwitch, labelOf } from '../schema/fields.ts'
import { readingOf } from '../schema/reading.ts'
import { isObject, type Path } from '../schema/value.ts'
import { type EditorProps, useMember } from './form-state.tsx'
import { RefInput } from './ref-input.tsx'

type Of<K extends Field['kind']> = Extract<Field, { kind: K }>

/** The input of a field, with label, hint and error. */
export function FieldEditor({ field, path }: EditorProps) {
  switch (field.kind) {
    case 'text':
      return field.ref === null ? (
        <TextField field={field} path={path} />
      ) : (
        <RefField field={field} path={path} />
      )
    case 'number':
      return <NumberField field={field} path={path} />
    case 'switch':
      return <SwitchField field={field} path={path} />
    case 'choice':
      return <ChoiceField field={field} path={path} />
    case 'choices':
      return <ChoicesField field={field} path={path} />
    case 'texts':
      return <TextsField field={field} path={path} />
    case 'secret':
      return <SecretField field={field} path={path} />
    case 'group':
      return <GroupField field={field} path={path} />
    case 'list':
      return <ListField field={field} path={path} />
    case 'map':
      return <MapField field={field} path={path} />
    case 'variant':
      return <VariantField field={field} path={path} />
    case 'json':
      return <JsonField field={field} path={path} />
  }
}

/** What an input without a value shows in its place. */
function placeholderOf(field: Field): string {
  if (field.default === undefined || field.default === null || field.default === '')
    return field.nullable ? 'not set' : ''
  return `default: ${typeof field.default === 'string' ? field.default : JSON.stringify(field.default)}`
}

/** A cleared member: null if the schema has it, otherwise absent. */
function cleared(field: Field): Json | undefined {
  return field.nullable ? null : undefined
}

function Line({ field, path, children }: EditorProps & { children: ReactNode }) {
  const { id, error, isChanged } = useMember(path)
  return (
    <Labeled
      id={id}
      label={field.label}
      hint={field.description}
      error={error}
      isRequired={field.required && !field.nullable}
      isChanged={isChanged}
    >
      {children}
    </Labeled>
  )
}

function useInput(field: Field, path: Path) {
  const member = useMember(path)
  const attributes = {
    id: member.id,
    disabled: member.isReadOnly,
    'aria-invalid': member.error !== null || undefined,
    'aria-describedby': describedBy(member.id, field.description, member.error),
    'aria-required': field.required || undefined,
  }
  return { ...member, attributes }
}

function TextField({ field, path }: EditorProps<Of<'text'>>) {
  const { value, loaded, set, attributes } = useInput(field, path)
  const text = typeof value === 'string' ? value : ''
  const change = (next: string): void =>
    // What is stored as an empty text is not changed by going back to it
    set(next === '' && !field.required && loaded !== '' ? cleared(field) : next)
  const common = { ...attributes, value: text, placeholder: placeholderOf(field) }
  return (
    <Line field={field} path={path}>
      {field.format === 'area' ? (
        <>
          <TextArea {...common} onChange={(event) => change(event.target.value)} />
          {field.unit === 'markdown' && <MarkdownPreview text={text} />}
        </>
      ) : (
        <WithReading unit={field.unit} value={value ?? field.default}>
          <TextInput
            {...common}
            {...(field.unit === 'timezone' && { list: `${attributes.id}-zones` })}
            inputMode={field.format === 'email' ? 'email' : field.format === 'url' ? 'url' : undefined}
            onChange={(event) => change(event.target.value)}
            {...(field.unit === 'duration' && { className: 'max-w-40' })}
          />
          {field.unit === 'timezone' && <Zones id={`${attributes.id}-zones`} />}
        </WithReading>
      )}
    </Line>
  )
}

/** An input with its value in words beside it, where that says more. */
function WithReading({
  unit,
  value,
  children,
}: {
  unit: string | null
  value: unknown
  children: ReactNode
}) {
  const reading = readingOf(unit, value)
  return (
    <div className="flex items-center gap-2">
      {children}
      {reading !== null && <span className="text-sm whitespace-nowrap text-muted">{reading}</span>}
    </div>
  )
}

function Zones({ id }: { id: string }) {
  return (
    <datalist id={id}>
      {Intl.supportedValuesOf('timeZone').map((zone) => (
        <option key={zone} value={zone} />
      ))}
    </datalist>
  )
}

function RefField({ field, path }: EditorProps<Of<'text'>>) {
  const { value, set, attributes } = useInput(field, path)
  return (
    <Line field={field} path={path}>
      <RefInput
        {...attributes}
        resource={field.ref!}
        value={typeof value === 'string' ? value : ''}
        placeholder={placeholderOf(field)}
        onValue={(next) => set(next === '' && !field.required ? cleared(field) : next)}
      />
    </Line>
  )
}

function NumberField({ field, path }: EditorProps<Of<'number'>>) {
  const { value, set, attributes } = useInput(field, path)
  // Kept while it is no number yet, such as a lone minus; the server then refuses the text with a reason
  const change = (text: string): void => {
    const number = Number(text)
    if (text.trim() === '') set(cleared(field))
    else set(Number.isFinite(number) ? number : text)
  }
  return (
    <Line field={field} path={path}>
      <WithReading unit={field.unit} value={value ?? field.default}>
        <TextInput
          {...attributes}
          inputMode={field.isInteger ? 'numeric' : 'decimal'}
          value={value === undefined || value === null ? '' : String(value)}
          placeholder={placeholderOf(field)}
          onChange={(event) => change(event.target.value)}
          className="max-w-40 tabular-nums"
        />
        {field.unit !== null && <span className="text-muted">{field.unit}</span>}
      </WithReading>
    </Line>
  )
}

function SwitchField({ field, path }: EditorProps<Of<'switch'>>) {
  const { value, set, attributes, error, isChanged, id } = useInput(field, path)
  if (isOpenSwitch(field)) {
    return (
      <Line field={field} path={path}>
        <Select
          {...attributes}
          className="max-w-60"
          value={value === undefined || value === null ? '' : String(value)}
          onChange={(event) =>
            set(event.target.value === '' ? cleared(field) : event.target.value === 'true')
          }
        >
          <option value="">not set</option>
          <option value="true">yes</option>
          <option value="false">no</option>
        </Select>
      </Line>
    )
  }
  const shown = typeof value === 'boolean' ? value : field.default === true
  return (
    <div>
      <Checkbox
        {...attributes}
        label={
          <>
            {field.label}
            {isChanged && <span className="ml-2 text-xs text-accent">changed</span>}
          </>
        }
        hint={field.description}
        checked={shown}
        onChange={(event) => set(event.target.checked)}
      />
      {error !== null && (
        <p id={`${id}-error`} className="text-sm text-bad">
          {error}
        </p>
      )}
    </div>
  )
}

function ChoiceField({ field, path }: EditorProps<Of<'choice'>>) {
  const { value, set, attributes } = useInput(field, path)
  const usual = typeof field.default === 'string' ? `default: ${field.default}` : 'not set'
  return (
    <Line field={field} path={path}>
      <Select
        {...attributes}
        className="max-w-60"
        value={typeof value === 'string' ? value : ''}
        onChange={(event) => set(event.target.value === '' ? cleared(field) : event.target.value)}
      >
        {(!field.required || typeof value !== 'string') && (
          <option value="">{field.required ? 'choose' : usual}</option>
        )}
        {field.values.map((one) => (
          <option key={one}>{one}</option>
        ))}
      </Select>
    </Line>
  )
}

function ChoicesField({ field, path }: EditorProps<Of<'choices'>>) {
  const { value, set, attributes } = useInput(field, path)
  const chosen = Array.isArray(value) ? value : []
  return (
    <fieldset id={attributes.id} aria-describedby={attributes['aria-describedby']}>
      <legend className="font-medium">{field.label}</legend>
      <div className="flex flex-wrap gap-x-4">
        {field.values.map((one) => (
          <Checkbox
            key={one}
            label={one}
            disabled={attributes.disabled}
            checked={chosen.includes(one)}
            onChange={(event) =>
              set(event.target.checked ? [...chosen, one] : chosen.filter((other) => other !== one))
            }
          />
        ))}
      </div>
      <Notes field={field} path={path} />
    </fieldset>
  )
}

/** The hint and the error of a field. */
export function Notes({ field, path }: EditorProps) {
  const { id, error } = useMember(path)
  return (
    <>
      {field.description !== '' && (
        <p id={`${id}-hint`} className="text-sm break-words text-muted">
          {field.description}
        </p>
      )}
      {error !== null && (
        <p id={`${id}-error`} className="text-sm text-bad">
          {error}
        </p>
      )}
    </>
  )
}

function TextsField({ field, path }: EditorProps<Of<'texts'>>) {
  const { value, set, attributes } = useInput(field, path)
  const items = Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []
  // An empty last line is where the next text goes, and no text yet
  const [text, setText] = useState<string | null>(null)
  const change = (next: string): void => {
    setText(next)
    const lines = next
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '')
    set(lines.length === 0 && !field.required && value === undefined ? undefined : lines)
  }
  const shown =
    text !== null &&
    text
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '')
      .join('\n') === items.join('\n')
      ? text
      : items.join('\n')
  const ref = field.ref
  return (
    <Line field={field} path={path}>
      {ref !== null && (
        <RefInput
          aria-label={`Add to ${field.label}`}
          resource={ref}
          value=""
          disabled={attributes.disabled}
          placeholder="Search and add"
          onValue={(next) => next !== '' && !items.includes(next) && set([...items, next])}
          isPickOnly
        />
      )}
      <TextArea
        {...attributes}
        rows={Math.min(8, Math.max(2, items.length + 1))}
        value={shown}
        placeholder={items.length === 0 ? 'one per line' : ''}
        onChange={(event) => change(event.target.value)}
        onBlur={() => setText(null)}
      />
    </Line>
  )
}

const SOURCES = ['text', 'env', 'file', 'vault'] as const

function SecretField({ field, path }: EditorProps<Of<'secret'>>) {
  const { value, set, attributes } = useInput(field, path)
  const source = isObject(value) ? (SOURCES.find((name) => Object.hasOwn(value, name)) ?? 'text') : 'text'
  const start: Record<string, Json | undefined> = {
    text: undefined,
    env: { env: '' },
    file: { file: '' },
    vault: { vault: { path: '', field: '' } },
  }
  return (
    <Line field={field} path={path}>
      <div className="flex flex-wrap gap-2">
        {field.sources && (
          <Select
            aria-label={`Source of ${field.label}`}
            disabled={attributes.disabled}
            className="w-32"
            value={source}
            onChange={(event) => set(start[event.target.value])}
          >
            <option value="text">typed here</option>
            <option value="env">environment</option>
            <option value="file">file</option>
            <option value="vault">Vault</option>
          </Select>
        )}
        <div className="min-w-50 flex-1">
          <SecretInput attributes={attributes} source={source} value={value} set={set} />
        </div>
      </div>
    </Line>
  )
}

interface SecretInputProps {
  readonly attributes: Readonly<Record<string, unknown>>
  readonly source: (typeof SOURCES)[number]
  readonly value: Json | undefined
  readonly set: (next: Json | undefined) => void
}

function SecretInput({ attributes, source, value, set }: SecretInputProps) {
  if (source === 'text')
    return (
      <TextInput
        {...attributes}
        type="password"
        autoComplete="new-password"
        value={typeof value === 'string' ? value : ''}
        placeholder="unchanged unless you type a new one"
        onChange={(event) => set(event.target.value === '' ? undefined : event.target.value)}
      />
    )
  const members = isObject(value) ? value : {}
  if (source !== 'vault') {
    const name = typeof members[source] === 'string' ? members[source] : ''
    const hint =
      source === 'env' ? 'Name of the environment variable' : 'Name of the file in the secrets directory'
    return (
      <TextInput
        {...attributes}
        placeholder={hint}
        value={name}
        onChange={(event) => set({ [source]: event.target.value })}
      />
    )
  }
  const vault = isObject(members['vault']) ? members['vault'] : {}
  const line = (name: 'path' | 'field', hint: string): ReactNode => (
    <TextInput
      aria-label={hint}
      placeholder={hint}
      value={typeof vault[name] === 'string' ? vault[name] : ''}
      onChange={(event) => set({ vault: { ...vault, [name]: event.target.value } })}
    />
  )
  return (
    <div className="flex flex-col gap-2">
      {line('path', 'Path, such as secret/data/orders')}
      {line('field', 'Member of the secret')}
    </div>
  )
}

/** Members of an object within the object. An optional one is absent until somebody adds it. */
function GroupField({ field, path }: EditorProps<Of<'group'>>) {
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

function ListField({ field, path }: EditorProps<Of<'list'>>) {
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

function MapField({ field, path }: EditorProps<Of<'map'>>) {
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
function VariantField({ field, path }: EditorProps<Of<'variant'>>) {
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

function JsonField({ field, path }: EditorProps<Of<'json'>>) {
  const { value, set, attributes } = useInput(field, path)
  const written = value === undefined ? '' : JSON.stringify(value, null, 2)
  const [text, setText] = useState<string | null>(null)
  const [fault, setFault] = useState<string | null>(null)
  const change = (next: string): void => {
    setText(next)
    if (next.trim() === '') {
      setFault(null)
      set(cleared(field))
      return
    }
    try {
      set(JSON.parse(next) as Json)
      setFault(null)
    } catch (error) {
      setFault(error instanceof Error ? error.message : 'This is not JSON.')
    }
  }
  return (
    <Line field={field} path={path}>
      <TextArea
        {...attributes}
        rows={Math.min(16, Math.max(3, (text ?? written).split('\n').length))}
        className="font-mono text-sm"
        value={text ?? written}
        placeholder={placeholderOf(field) || 'JSON'}
        aria-invalid={fault !== null || attributes['aria-invalid']}
        onChange={(event) => change(event.target.value)}
        onBlur={() => fault === null && setText(null)}
      />
      {fault !== null && (
        <p role="alert" className="text-sm text-bad">
          {fault}
        </p>
      )}
    </Line>
  )
}
