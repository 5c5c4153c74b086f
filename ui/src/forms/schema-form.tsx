import { useId, useMemo, useRef } from 'react'
import type { Json, JsonObject } from '../../build/document.ts'
import { Card } from '../kit/page.tsx'
import { type Field, labelOf } from '../schema/fields.ts'
import { type Path, withAt } from '../schema/value.ts'
import { FieldEditor } from './field-editor.tsx'
import { useFieldOfHash } from './focus-field.ts'
import { FormProvider } from './form-state.tsx'

interface SchemaFormProps {
  readonly fields: readonly Field[]
  readonly value: JsonObject
  readonly loaded?: JsonObject | null
  readonly onChange: (value: JsonObject) => void
  readonly errors?: Readonly<Record<string, string>>
  readonly isReadOnly?: boolean
}

/** Inputs for the members of an object, in sections. A default is shown and not sent; a cleared optional member is left out. */
export function SchemaForm({
  fields,
  value,
  loaded = null,
  onChange,
  errors = {},
  isReadOnly = false,
}: SchemaFormProps) {
  const prefix = useId()
  const sections = useMemo(() => [...Map.groupBy(fields, ({ section }) => section)], [fields])
  const form = useRef<HTMLDivElement>(null)
  useFieldOfHash(form, prefix)
  const set = (path: Path, next: Json | undefined): void => onChange(withAt(value, path, next) as JsonObject)
  return (
    <FormProvider value={{ value, loaded, set, errors, isReadOnly, prefix }}>
      <div ref={form} className="flex flex-col gap-4">
        {sections.length === 1 ? (
          <Members fields={fields} />
        ) : (
          sections.map(([section, members]) => (
            <Card key={section ?? ''} title={section === null ? 'More' : labelOf(section)}>
              <Members fields={members} />
            </Card>
          ))
        )}
      </div>
    </FormProvider>
  )
}

function Members({ fields }: { fields: readonly Field[] }) {
  return (
    <div className="flex flex-col gap-4">
      {fields.map((field) => (
        <div key={field.name} data-member={field.name}>
          <FieldEditor field={field} path={[field.name]} />
        </div>
      ))}
    </div>
  )
}
