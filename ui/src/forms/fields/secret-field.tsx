import type { ReactNode } from 'react'
import type { Json } from '../../../build/document.ts'
import { Select, TextInput } from '../../kit/inputs.tsx'
import { isObject } from '../../schema/value.ts'
import type { EditorProps } from '../form-state.tsx'
import { Line, type Of, useInput } from './field-line.tsx'

const SOURCES = ['text', 'env', 'file', 'vault'] as const

/** A secret that is typed, or the place where the server reads it. A stored secret is never shown. */
export function SecretField({ field, path }: EditorProps<Of<'secret'>>) {
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
