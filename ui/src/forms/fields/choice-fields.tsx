import { Checkbox, Select } from '../../kit/inputs.tsx'
import { isOpenSwitch } from '../../schema/fields.ts'
import type { EditorProps } from '../form-state.tsx'
import { cleared, Line, Notes, type Of, useInput } from './field-line.tsx'

/** Yes or no: a box, or a choice if it may be left open. */
export function SwitchField({ field, path }: EditorProps<Of<'switch'>>) {
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
export function ChoiceField({ field, path }: EditorProps<Of<'choice'>>) {
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

/** Any of several values. */
export function ChoicesField({ field, path }: EditorProps<Of<'choices'>>) {
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
