import { type RefObject, useEffect, useId, useMemo, useRef } from 'react'
import type { Json, JsonObject } from '../../build/document.ts'
import { Card } from '../kit/page.tsx'
import { Status } from '../kit/status.tsx'
import { classes } from '../kit/style.ts'
import { type Field, labelOf } from '../schema/fields.ts'
import { isEqual, type Path, pointerOf, pointerOfHash, pointersAround, withAt } from '../schema/value.ts'
import { FieldEditor } from './fields/field-editor.tsx'
import { FormProvider, hasFault, type OwnFields } from './form-state.tsx'

interface SchemaFormProps {
  readonly fields: readonly Field[]
  readonly value: JsonObject
  readonly loaded?: JsonObject | null
  readonly onChange: (value: JsonObject) => void
  readonly errors?: Readonly<Record<string, string>>
  readonly isReadOnly?: boolean
  /** Members that are shown and cannot be changed. */
  readonly readOnly?: readonly string[]
  readonly own?: OwnFields
}

/** Inputs for the members of an object, in sections. A default is shown and not sent; a cleared optional member is left out. */
export function SchemaForm({
  fields,
  value,
  loaded = null,
  onChange,
  errors = {},
  isReadOnly = false,
  readOnly = [],
  own = {},
}: SchemaFormProps) {
  const prefix = useId()
  const sections = useMemo(() => [...Map.groupBy(fields, ({ section }) => section)], [fields])
  const form = useRef<HTMLDivElement>(null)
  useFieldOfHash(form, prefix)
  const set = (path: Path, next: Json | undefined): void => onChange(withAt(value, path, next) as JsonObject)
  return (
    <FormProvider value={{ value, loaded, set, errors, isReadOnly, readOnly, prefix }}>
      <div ref={form}>
        {sections.length === 1 ? (
          <Members fields={fields} own={own} />
        ) : (
          <div
            className={classes('flex flex-col gap-4', sections.length > 2 && 'lg:flex-row lg:items-start')}
          >
            {sections.length > 2 && (
              <SectionList
                prefix={prefix}
                marks={sections.map(([section, members]) => ({
                  section,
                  isFaulty: members.some(({ name }) => hasFault(errors, pointerOf([name]))),
                  isChanged:
                    loaded !== null && members.some(({ name }) => !isEqual(loaded[name], value[name])),
                }))}
              />
            )}
            <div className="flex min-w-0 flex-1 flex-col gap-4">
              {sections.map(([section, members]) => (
                <Card key={section ?? ''} id={prefix + titleOf(section)} title={titleOf(section)}>
                  <Members fields={members} own={own} />
                </Card>
              ))}
            </div>
          </div>
        )}
      </div>
    </FormProvider>
  )
}

function titleOf(section: string | null): string {
  return section === null ? 'More' : labelOf(section)
}

interface SectionListProps {
  readonly prefix: string
  readonly marks: readonly {
    readonly section: string | null
    readonly isFaulty: boolean
    readonly isChanged: boolean
  }[]
}

/** The sections of a long form: where something is changed or wrong, and a way to get there. */
function SectionList({ prefix, marks }: SectionListProps) {
  return (
    <nav aria-label="Sections of the form" className="lg:sticky lg:top-4 lg:w-40 lg:shrink-0">
      <ol className="flex flex-wrap gap-x-1 gap-y-1 lg:flex-col">
        {marks.map(({ section, isFaulty, isChanged }) => (
          <li key={section ?? ''}>
            <button
              type="button"
              className="flex h-7 w-full items-center gap-2 rounded-md px-2 text-left hover:bg-sunken"
              onClick={() => {
                const card = document.getElementById(prefix + titleOf(section))
                card?.scrollIntoView({ block: 'start' })
                card?.querySelector<HTMLElement>('input, select, textarea, button')?.focus({
                  preventScroll: true,
                })
              }}
            >
              {titleOf(section)}
              {isFaulty ? (
                <Status state="bad">wrong</Status>
              ) : (
                isChanged && <Status state="changed">changed</Status>
              )}
            </button>
          </li>
        ))}
      </ol>
    </nav>
  )
}

function Members({ fields, own }: { fields: readonly Field[]; own: OwnFields }) {
  return (
    <div className="flex flex-col gap-4">
      {fields.map((field) => {
        const Editor = own[field.name] ?? FieldEditor
        return (
          <div key={field.name} data-member={field.name} className="empty:hidden">
            <Editor field={field} path={[field.name]} />
          </div>
        )
      })}
    </div>
  )
}

const INPUTS = 'input, textarea, select, button'

/**
 * Leads to the field that the fragment of the address names (`?tab=edit#/ip_allowlist`). Ids of inputs are the prefix and their
 * pointer; a member that is edited as a whole has its name in `data-member`.
 */
function useFieldOfHash(form: RefObject<HTMLElement | null>, prefix: string): void {
  useEffect(() => {
    const pointer = pointerOfHash(location.hash)
    const within = form.current
    if (pointer === null || within === null) return
    const inputs = [...within.querySelectorAll<HTMLElement>('[id]')]
    const exact = pointersAround(pointer).flatMap(
      (near) => inputs.find(({ id }) => id === prefix + near) ?? [],
    )
    const member = [...within.querySelectorAll<HTMLElement>('[data-member]')].find(
      ({ dataset }) => dataset['member'] === pointer.split('/')[1],
    )
    const found = exact[0] ?? member
    const place = found?.matches(INPUTS) === true ? found : found?.querySelector<HTMLElement>(INPUTS)
    for (let fold = place?.closest('details'); fold != null; fold = fold.parentElement?.closest('details'))
      fold.open = true
    place?.scrollIntoView({ block: 'center' })
    place?.focus()
  }, [form, prefix])
}
