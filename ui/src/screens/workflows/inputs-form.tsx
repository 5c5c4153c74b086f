import { Plus, Trash2 } from 'lucide-react'
import { useId, useState } from 'react'
import type { Json, JsonObject } from '../../../build/document.ts'
import { Button, describedBy, IconButton, Labeled, Select, TextInput } from '../../kit/controls.tsx'
import { pointerOf } from '../../schema/value.ts'
import { type Known, lastValueOf } from './expression.ts'
import { ExpressionInput } from './expression-input.tsx'

interface InputsFormProps {
  /** As the type of the node tells them: a name that ends with `?` may be left out, and `*` takes any names. */
  readonly types: Readonly<Record<string, string>>
  readonly value: JsonObject
  readonly known: readonly Known[]
  /** By pointer below the node, such as `/inputs/path`. */
  readonly errors: Readonly<Record<string, string>>
  readonly isReadOnly: boolean
  readonly onChange: (value: JsonObject, name: string) => void
  readonly onSeal: () => void
  readonly onFocus: (input: HTMLTextAreaElement) => void
}

/** What each run computes for a node: texts with expressions, or JSON with expressions in its texts. */
export function InputsForm(props: InputsFormProps) {
  const { types, value, isReadOnly, onChange } = props
  const names = Object.keys(types).filter((name) => name !== '*')
  const isOpen = Object.hasOwn(types, '*')
  const listed = names.map((name) => name.replace(/\?$/, ''))
  const further = Object.keys(value).filter((name) => !listed.includes(name))
  const set = (name: string, next: Json | undefined): void =>
    onChange(
      next === undefined
        ? Object.fromEntries(Object.entries(value).filter(([one]) => one !== name))
        : { ...value, [name]: next },
      name,
    )
  return (
    <div className="flex flex-col gap-3">
      {names.length === 0 && further.length === 0 && !isOpen && (
        <p className="text-muted">This type of node takes no inputs.</p>
      )}
      {names.map((key) => {
        const name = key.replace(/\?$/, '')
        return (
          <Field
            key={name}
            {...props}
            name={name}
            type={types[key]!}
            isRequired={!key.endsWith('?')}
            set={(next) => set(name, next)}
          />
        )
      })}
      {further.map((name) => (
        <div key={name} className="flex items-start gap-1">
          <div className="min-w-0 flex-1">
            <Field
              {...props}
              name={name}
              type={types['*'] ?? 'no input of this type of node'}
              isRequired={false}
              set={(next) => set(name, next ?? '')}
            />
          </div>
          {!isReadOnly && (
            <IconButton icon={Trash2} label={`Remove ${name}`} onClick={() => set(name, undefined)} />
          )}
        </div>
      ))}
      {isOpen && !isReadOnly && <NewName taken={Object.keys(value)} onAdd={(name) => set(name, '')} />}
    </div>
  )
}

function NewName({ taken, onAdd }: { taken: readonly string[]; onAdd: (name: string) => void }) {
  const [name, setName] = useState('')
  const add = (): void => {
    if (name === '' || taken.includes(name)) return
    onAdd(name)
    setName('')
  }
  return (
    <div className="flex gap-2">
      <TextInput
        aria-label="Name of a further input"
        placeholder="name"
        value={name}
        onChange={(event) => setName(event.target.value)}
        onKeyDown={(event) => event.key === 'Enter' && add()}
      />
      <Button isSmall icon={Plus} disabled={name === '' || taken.includes(name)} onClick={add}>
        Add
      </Button>
    </div>
  )
}

interface FieldProps extends InputsFormProps {
  readonly name: string
  readonly type: string
  readonly isRequired: boolean
  readonly set: (next: Json | undefined) => void
}

/** Texts stay as they are typed; any other value is written as JSON. */
function Field({
  name,
  type,
  isRequired,
  value,
  known,
  errors,
  isReadOnly,
  set,
  onSeal,
  onFocus,
}: FieldProps) {
  const id = useId()
  const stored = value[name]
  const isText = stored === undefined ? !/^(?:object|list)/.test(type) : typeof stored === 'string'
  const [chosen, setChosen] = useState<'text' | 'json' | null>(null)
  // As it is typed, until the field is left: JSON would be written anew with each letter
  const [typed, setTyped] = useState<string | null>(null)
  const [fault, setFault] = useState<string | null>(null)
  const mode = chosen ?? (isText ? 'text' : 'json')
  const written =
    stored === undefined
      ? ''
      : mode === 'text' && typeof stored === 'string'
        ? stored
        : JSON.stringify(stored, null, 2)
  const pointer = pointerOf(['inputs', name])
  const below = Object.entries(errors).find(([at]) => at === pointer || at.startsWith(`${pointer}/`))
  const error = fault ?? (below === undefined ? null : withPlace(below, pointer))
  const change = (next: string): void => {
    setFault(null)
    setTyped(mode === 'json' ? next : null)
    if (next.trim() === '') set(undefined)
    else if (mode === 'text') set(next)
    else
      try {
        set(JSON.parse(next) as Json)
      } catch {
        setFault('This is not valid JSON yet.')
      }
  }
  const last = typeof stored === 'string' ? lastValueOf(stored, known) : undefined
  return (
    <Labeled
      id={id}
      label={name}
      hint={type}
      error={error}
      isRequired={isRequired}
      aside={
        <Select
          aria-label={`Form of ${name}`}
          className="w-20 text-sm"
          disabled={isReadOnly}
          value={mode}
          onChange={(event) => {
            const next = event.target.value as 'text' | 'json'
            setChosen(next)
            setTyped(null)
            setFault(null)
            if (next === 'text' && stored !== undefined && typeof stored !== 'string')
              set(JSON.stringify(stored))
          }}
        >
          <option value="text">text</option>
          <option value="json">JSON</option>
        </Select>
      }
    >
      <ExpressionInput
        id={id}
        value={typed ?? written}
        known={known}
        isReadOnly={isReadOnly}
        isInvalid={error !== null}
        describedBy={describedBy(id, type, error)}
        placeholder={mode === 'json' ? 'JSON' : '{{ $. }}'}
        onChange={change}
        onFocus={onFocus}
        onBlur={() => {
          if (fault === null) setTyped(null)
          onSeal()
        }}
      />
      {last !== undefined && (
        <p className="truncate text-sm text-muted">
          In the last run: <code>{JSON.stringify(last)}</code>
        </p>
      )}
    </Labeled>
  )
}

function withPlace([at, message]: readonly [string, string], pointer: string): string {
  return at === pointer ? message : `${at.slice(pointer.length)}: ${message}`
}
