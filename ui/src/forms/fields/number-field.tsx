import { TextInput } from '../../kit/inputs.tsx'
import type { EditorProps } from '../form-state.tsx'
import { cleared, Line, type Of, placeholderOf, useInput } from './field-line.tsx'
import { WithReading } from './with-reading.tsx'

export function NumberField({ field, path }: EditorProps<Of<'number'>>) {
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
