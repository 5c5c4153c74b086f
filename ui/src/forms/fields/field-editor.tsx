import { X } from 'lucide-react'
import { type ReactNode, useState } from 'react'
import type { Json } from '../../../build/document.ts'
import { Checkbox, IconButton, Select, TextArea, TextInput } from '../../kit/controls.tsx'
import { MarkdownPreview } from '../../markdown/markdown.tsx'
import { type Field, inSentence, isOpenSwitch } from '../../schema/fields.ts'
import { isObject, momentOf, timeOf } from '../../schema/value.ts'
import {
  cleared,
  type EditorProps,
  Line,
  Notes,
  type Of,
  placeholderOf,
  useInput,
  WithReading,
} from '../form-state.tsx'
import { RefInput } from '../ref-input.tsx'
import { GroupField, ListField, MapField, VariantField } from './nested-fields.tsx'

/** The input of a field, with label, hint and error. */
export function FieldEditor({ field, path }: EditorProps) {
  switch (field.kind) {
    case 'text':
      return <TextField field={field} path={path} />
    case 'number':
      return <NumberField field={field} path={path} />
    case 'switch':
      return <SwitchField field={field} path={path} />
    case 'choice':
      return <ChoiceField field={field} path={path} />
    case 'choices':
      return <ChoicesField field={field} path={path} />
    case 'texts':
      return field.ref === null ? (
        <TextsField field={field} path={path} />
      ) : (
        <RefsField field={field} path={path} />
      )
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

function NumberField({ field, path }: EditorProps<Of<'number'>>) {
  const { value, set, attributes } = useInput(field, path)
  const usual = useDefault(field, value)
  // Kept while it is no number yet, such as a lone minus; the server then refuses the text with a reason
  const change = (text: string): void => {
    const number = Number(text)
    if (text.trim() === '') {
      usual.clear()
      set(cleared(field))
    } else set(Number.isFinite(number) ? number : text)
  }
  return (
    <Line field={field} path={path}>
      <WithReading unit={field.unit} value={value ?? field.default}>
        <TextInput
          {...attributes}
          inputMode={field.isInteger ? 'numeric' : 'decimal'}
          value={value === undefined || value === null ? usual.text : String(value)}
          placeholder={placeholderOf(field)}
          onChange={(event) => change(event.target.value)}
          onBlur={usual.show}
          className="max-w-40 tabular-nums"
        />
        {field.unit !== null && <span className="text-muted">{field.unit}</span>}
      </WithReading>
    </Line>
  )
}

/** A value of any shape, as JSON. A text that is not JSON is not taken over, and the field says why. */
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
      setFault(error instanceof Error ? error.message : 'This is not valid JSON.')
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

/** Names of resources: they are searched and added, and each has a button that takes it away. */
function RefsField({ field, path }: EditorProps<Of<'texts'>>) {
  const { value, set, attributes } = useInput(field, path)
  const items = Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []
  return (
    <Line field={field} path={path}>
      {items.length > 0 && (
        <ul aria-label={`Chosen ${inSentence(field.label)}`} className="flex flex-wrap gap-2">
          {items.map((item) => (
            <li
              key={item}
              className="inline-flex max-w-full items-center gap-1 rounded-md border border-line bg-raised pl-2"
            >
              <span className="truncate" title={item}>
                {item}
              </span>
              {attributes.disabled !== true && (
                <IconButton
                  icon={X}
                  label={`Remove ${item}`}
                  onClick={() => set(items.filter((other) => other !== item))}
                />
              )}
            </li>
          ))}
        </ul>
      )}
      <RefInput
        {...attributes}
        aria-label={`Add to ${field.label}`}
        resource={field.ref!}
        value=""
        placeholder="Search and add"
        onValue={(next) => next !== '' && !items.includes(next) && set([...items, next])}
        isPickOnly
      />
    </Line>
  )
}

/** Texts, one in a line. */
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
  return (
    <Line field={field} path={path}>
      <TextArea
        {...attributes}
        rows={Math.min(8, Math.max(2, items.length + 1))}
        value={shown}
        placeholder={items.length === 0 ? 'One value in each line' : ''}
        onChange={(event) => change(event.target.value)}
        onBlur={() => setText(null)}
      />
    </Line>
  )
}

/** A text: a line, several lines, or the name of another resource. */
function TextField(props: EditorProps<Of<'text'>>) {
  return props.field.ref === null ? <PlainField {...props} /> : <RefField {...props} />
}

function PlainField({ field, path }: EditorProps<Of<'text'>>) {
  const { value, loaded, set, attributes } = useInput(field, path)
  const usual = useDefault(field, value)
  const text = typeof value === 'string' ? value : usual.text
  const change = (next: string): void => {
    if (next === '') usual.clear()
    // What is stored as an empty text is not changed by going back to it
    set(next === '' && !field.required && loaded !== '' ? cleared(field) : next)
  }
  const common = { ...attributes, value: text, placeholder: placeholderOf(field), onBlur: usual.show }
  return (
    <Line field={field} path={path}>
      {field.format === 'time' ? (
        <TimeInput attributes={attributes} value={text} onChange={change} />
      ) : field.format === 'area' ? (
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

/**
 * A time in UTC, with the picker of the browser. A text that is no time, such as one that a link has brought, is shown as it is: the
 * server says what is wrong with it.
 */
function TimeInput({
  attributes,
  value,
  onChange,
}: {
  attributes: Readonly<Record<string, unknown>>
  value: string
  onChange: (next: string) => void
}) {
  const moment = momentOf(value)
  if (moment === null)
    return <TextInput {...attributes} value={value} onChange={(event) => onChange(event.target.value)} />
  return (
    <span className="flex items-center gap-2">
      <TextInput
        {...attributes}
        type="datetime-local"
        step={1}
        value={moment}
        onChange={(event) => onChange(timeOf(event.target.value))}
        className="max-w-60 tabular-nums"
      />
      <span className="text-muted">UTC</span>
    </span>
  )
}

/** The default of a member without a value, as the text of its input. While somebody types anew, the input may be empty. */
function useDefault(field: Field, value: Json | undefined) {
  const [isCleared, setCleared] = useState(false)
  const { default: usual } = field
  const isShown =
    value === undefined && !isCleared && (typeof usual === 'string' || typeof usual === 'number')
  return {
    text: isShown ? String(usual) : '',
    clear: () => setCleared(true),
    show: () => setCleared(false),
  }
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
  const usual = typeof field.default === 'string' && value === undefined ? field.default : ''
  return (
    <Line field={field} path={path}>
      <RefInput
        {...attributes}
        resource={field.ref!}
        value={typeof value === 'string' ? value : usual}
        placeholder={placeholderOf(field)}
        onValue={(next) => set(next === '' && !field.required ? cleared(field) : next)}
      />
    </Line>
  )
}

const SOURCES = ['text', 'env', 'file', 'vault'] as const

/** A secret that is typed, or the place where the server reads it. A stored secret is never shown. */
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
            <option value="text">entered here</option>
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
        placeholder="leave empty to keep the current one"
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

/** Yes or no: a box, or a choice if it may be left open. */
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

/** One of several values. */
function ChoiceField({ field, path }: EditorProps<Of<'choice'>>) {
  const { value, set, attributes } = useInput(field, path)
  const usual = typeof field.default === 'string' ? field.default : null
  // The default is the value of a member that is not set. A member that may be null has that beside it
  const isDefault = usual !== null && value === undefined
  return (
    <Line field={field} path={path}>
      <Select
        {...attributes}
        className="max-w-60"
        value={isDefault ? usual : typeof value === 'string' ? value : ''}
        onChange={(event) => set(event.target.value === '' ? cleared(field) : event.target.value)}
      >
        {(usual === null || field.nullable) && (!field.required || typeof value !== 'string') && (
          <option value="">{field.required ? 'choose' : 'not set'}</option>
        )}
        {field.values.map((one) => (
          <option key={one}>{one}</option>
        ))}
      </Select>
    </Line>
  )
}

/** Any of several values. */
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
