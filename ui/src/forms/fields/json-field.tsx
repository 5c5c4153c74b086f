import { useState } from 'react'
import type { Json } from '../../../build/document.ts'
import { TextArea } from '../../kit/inputs.tsx'
import type { EditorProps } from '../form-state.tsx'
import { cleared, Line, type Of, placeholderOf, useInput } from './field-line.tsx'

/** A value of any shape, as JSON. A text that is not JSON is not taken over, and the field says why. */
export function JsonField({ field, path }: EditorProps<Of<'json'>>) {
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
