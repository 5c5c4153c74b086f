import { useState } from 'react'
import { TextArea } from '../../kit/inputs.tsx'
import type { EditorProps } from '../form-state.tsx'
import { RefInput } from '../ref-input.tsx'
import { Line, type Of, useInput } from './field-line.tsx'

/** Texts, one per line. Names of resources can also be searched and added. */
export function TextsField({ field, path }: EditorProps<Of<'texts'>>) {
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
