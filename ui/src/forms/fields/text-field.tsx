import { TextArea, TextInput } from '../../kit/inputs.tsx'
import { MarkdownPreview } from '../../markdown/markdown.tsx'
import type { EditorProps } from '../form-state.tsx'
import { RefInput } from '../ref-input.tsx'
import { cleared, Line, type Of, placeholderOf, useInput } from './field-line.tsx'
import { WithReading } from './with-reading.tsx'

/** A text: a line, several lines, or the name of another resource. */
export function TextField(props: EditorProps<Of<'text'>>) {
  return props.field.ref === null ? <PlainField {...props} /> : <RefField {...props} />
}

function PlainField({ field, path }: EditorProps<Of<'text'>>) {
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
