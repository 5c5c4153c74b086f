import { useNavigate, useSearch } from '@tanstack/react-router'
import { ListFilter, Search as SearchIcon, X } from 'lucide-react'
import { type ComponentProps, useEffect, useId, useRef, useState } from 'react'
import { useKeys } from '../app/keys.ts'
import { one, type Search } from '../app/search.ts'
import { Button, IconButton, Select, TextInput } from '../kit/controls.tsx'
import { Listbox } from '../kit/listbox.tsx'
import { type Field, labelOf } from '../schema/fields.ts'

/** A text that narrows the list a moment after the last key. `/` leads to it. */
export function SearchBox({
  value,
  onChange,
  label,
}: {
  value: string
  onChange: (text: string) => void
  label: string
}) {
  const [text, setText] = useState(value)
  const input = useRef<HTMLInputElement>(null)
  const sent = useRef(value)
  useEffect(() => {
    // The address has changed by other means, such as Back
    if (value !== sent.current) setText(value)
    sent.current = value
  }, [value])
  useEffect(() => {
    if (text === sent.current) return
    const timer = setTimeout(() => {
      sent.current = text
      onChange(text)
    }, 250)
    return () => clearTimeout(timer)
  }, [text, onChange])
  useKeys({ '/': () => input.current?.focus() })
  return (
    <div className="relative w-full sm:w-70">
      <TextInput
        ref={input}
        type="search"
        aria-label={label}
        placeholder={label}
        value={text}
        maxLength={200}
        onChange={(event) => setText(event.target.value)}
        className="pl-7"
      />
      <SearchIcon
        size={14}
        aria-hidden="true"
        className="pointer-events-none absolute inset-y-0 left-2 my-auto text-muted"
      />
    </div>
  )
}

/** Filters that are set, as chips `field: value`, and a way to add one. Names and values are those of REST. */
export function FilterBar({
  fields,
  search,
  onChange,
}: {
  fields: readonly Field[]
  search: Search
  onChange: Change
}) {
  const [adding, setAdding] = useState<string | null>(null)
  const set = fields.flatMap((field) => {
    const value = search[field.name]
    const values = value === undefined ? [] : typeof value === 'string' ? [value] : value
    return values.map((text) => ({ field, text }))
  })
  const remove = (name: string, text: string): void => {
    const value = search[name]
    const rest = Array.isArray(value) ? value.filter((other) => other !== text) : []
    onChange({ [name]: rest.length > 0 ? rest : undefined })
  }
  const added = fields.find(({ name }) => name === adding)
  return (
    <>
      {set.map(({ field, text }) => (
        <span
          key={field.name + text}
          className="inline-flex min-h-8 items-center gap-1 rounded-md border border-line bg-accent-soft pl-2 text-sm"
        >
          {field.name}: <span className="font-medium">{text}</span>
          <IconButton
            icon={X}
            label={`Remove the filter ${field.name}: ${text}`}
            onClick={() => remove(field.name, text)}
          />
        </span>
      ))}
      {added === undefined ? (
        fields.length > 0 && <AddFilter fields={fields} onPick={setAdding} />
      ) : (
        <FilterValue
          field={added}
          onCancel={() => setAdding(null)}
          onSet={(text) => {
            setAdding(null)
            const before = search[added.name]
            const isList = added.kind === 'texts' || added.kind === 'choices'
            const all = before === undefined ? [] : typeof before === 'string' ? [before] : before
            onChange({ [added.name]: isList ? [...all, text] : text })
          }}
        />
      )}
      {set.length > 1 && (
        <Button
          tone="quiet"
          isSmall
          onClick={() => onChange(Object.fromEntries(set.map(({ field }) => [field.name, undefined])))}
        >
          Clear
        </Button>
      )}
    </>
  )
}

function AddFilter({ fields, onPick }: { fields: readonly Field[]; onPick: (name: string) => void }) {
  return (
    <span className="relative inline-flex w-36">
      <PickOne
        aria-label="Add a filter"
        placeholder="Filter"
        className="pl-7"
        values={fields.map(({ name }) => name)}
        onPick={onPick}
      />
      <ListFilter
        size={14}
        aria-hidden="true"
        // After the input, which would be painted over it
        className="pointer-events-none absolute inset-y-0 left-2 my-auto text-muted"
      />
    </span>
  )
}

interface PickOneProps extends Omit<ComponentProps<'input'>, 'value' | 'onChange'> {
  readonly values: readonly string[]
  readonly onPick: (value: string) => void
}

/**
 * A value of a list is picked: the text narrows the list. In the place of a select element, whose value changes with the first arrow key,
 * because a pick takes effect at once.
 */
function PickOne({ values, onPick, ...rest }: PickOneProps) {
  const id = useId()
  const [text, setText] = useState<string | null>(null)
  const wanted = plain((text ?? '').trim())
  const options = values
    .filter((value) => plain(value).includes(wanted))
    .toSorted((one, other) => fit(other, wanted) - fit(one, wanted))
    .map((value) => ({ value, label: value, hint: '' }))
  return (
    <Listbox
      id={id}
      isOpen={text !== null && options.length > 0}
      options={options}
      isFirstActive={wanted !== ''}
      onPick={(value) => {
        setText(null)
        onPick(value)
      }}
      onClose={() => setText(null)}
    >
      {(attributes) => (
        <TextInput
          {...rest}
          {...attributes}
          value={text ?? ''}
          onFocus={() => setText('')}
          onClick={() => setText((now) => now ?? '')}
          onChange={(event) => setText(event.target.value)}
        />
      )}
    </Listbox>
  )
}

/** 2 for a value that is the text, 1 for one that starts with it, 0 for another. */
function fit(value: string, text: string): number {
  const own = plain(value)
  return own === text ? 2 : own.startsWith(text) ? 1 : 0
}

/** A value as people type it: `mcp method` for `mcp_method`. */
function plain(value: string): string {
  return value.toLowerCase().replaceAll('_', ' ')
}

function FilterValue({
  field,
  onSet,
  onCancel,
}: {
  field: Field
  onSet: (text: string) => void
  onCancel: () => void
}) {
  const id = useId()
  const [text, setText] = useState('')
  const values =
    field.kind === 'choice' || field.kind === 'choices'
      ? field.values
      : field.kind === 'switch'
        ? ['true', 'false']
        : null
  return (
    <form
      className="inline-flex items-center gap-1"
      onSubmit={(event) => {
        event.preventDefault()
        if (text !== '') onSet(text)
      }}
    >
      <label htmlFor={id} className="text-sm">
        {labelOf(field.name)}
      </label>
      {values === null ? (
        <TextInput
          id={id}
          autoFocus
          value={text}
          onChange={(event) => setText(event.target.value)}
          className="w-40"
        />
      ) : (
        <PickOne id={id} autoFocus className="w-40" values={values} onPick={onSet} />
      )}
      {values === null && (
        <Button isSmall type="submit">
          Apply
        </Button>
      )}
      <IconButton icon={X} label="Cancel the filter" onClick={onCancel} />
    </form>
  )
}

/** The order of a list, if it can be chosen. */
export function OrderSelect({ field, search, onChange }: { field: Field; search: Search; onChange: Change }) {
  if (field.kind !== 'choice') return null
  const usual = typeof field.default === 'string' ? field.default : ''
  return (
    <Select
      aria-label="Order"
      value={one(search['order']) ?? usual}
      onChange={(event) => onChange({ order: event.target.value === usual ? undefined : event.target.value })}
      className="w-28 text-sm"
    >
      {field.values.map((value) => (
        <option key={value}>{value}</option>
      ))}
    </Select>
  )
}

/** Sets parameters of the address; undefined takes one away. */
export type Change = (changes: Readonly<Record<string, string | readonly string[] | undefined>>) => void

/** What a list shows, as its address has it. A typed text replaces the entry of the browser's history, other changes add one. */
export function useListSearch(): { readonly search: Search; readonly change: Change } {
  const search = useSearch({ strict: false }) as Search
  const navigate = useNavigate()
  const change: Change = (changes) => {
    navigate({ to: '.', search: { ...search, ...changes } as never, replace: 'text' in changes }).catch(
      () => {},
    )
  }
  return { search, change }
}
