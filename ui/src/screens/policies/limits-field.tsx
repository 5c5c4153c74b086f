import { Plus, Trash2 } from 'lucide-react'
import { useEffect, useRef, useState } from 'react'
import type { JsonObject } from '../../../build/document.ts'
import { FieldEditor } from '../../forms/fields/field-editor.tsx'
import { type EditorProps, Notes, useMember } from '../../forms/form-state.tsx'
import { Button, IconButton } from '../../kit/controls.tsx'
import { classes } from '../../kit/style.ts'
import type { Field } from '../../schema/fields.ts'
import { isObject, type Path } from '../../schema/value.ts'
import { KINDS, type Limit, limitFields, namesOf, newLimit, sentenceOf, titleOf } from './limits.ts'

/** The limits of a policy. A new one is added by its kind, and shows what this kind takes; what is rarely set is folded. */
export function LimitsField({ field, path }: EditorProps) {
  const { value, set, setAt, isReadOnly, id } = useMember(path)
  const { value: policy } = useMember([])
  const box = useRef<HTMLFieldSetElement>(null)
  // After a limit is added or removed, the focus goes to it, or to the buttons that add one
  const [focused, setFocused] = useState<string | null>(null)
  useEffect(() => {
    if (focused === null) return
    const place = document.getElementById(focused) ?? box.current?.querySelector<HTMLElement>('[data-add]')
    place?.focus()
    setFocused(null)
  }, [focused])
  if (field.kind !== 'list' || field.item.kind !== 'group') return <FieldEditor field={field} path={path} />
  const limits = Array.isArray(value) ? value : []
  const add = (kind: string): void => {
    set([...limits, newLimit(kind, namesOf(isObject(policy) ? policy : {}))])
    setFocused(`${id}/${limits.length}/name`)
  }
  return (
    <fieldset ref={box} className="flex flex-col gap-3">
      <legend className="font-medium">{field.label}</legend>
      <Notes field={field} path={path} />
      {limits.map((limit, index) => (
        // Limits have no identity of their own
        <LimitFields
          key={index}
          fields={field.item.kind === 'group' ? field.item.fields : []}
          limit={isObject(limit) ? limit : {}}
          path={[...path, index]}
          place={index + 1}
          onRemove={
            isReadOnly
              ? null
              : () => {
                  setAt([index], undefined)
                  setFocused('')
                }
          }
        />
      ))}
      {!isReadOnly && (
        <fieldset>
          <legend className="mb-1">Add a limit</legend>
          <ul className="grid grid-cols-1 gap-2 sm:grid-cols-3">
            {KINDS.map(({ kind, words }, index) => (
              <li key={kind} className="flex flex-col items-start gap-1">
                <Button
                  isSmall
                  icon={Plus}
                  data-add={index === 0 ? '' : undefined}
                  aria-label={`Add a ${titleOf({ kind }).toLowerCase()}`}
                  aria-describedby={`${id}-add-${kind}`}
                  onClick={() => add(kind)}
                >
                  {titleOf({ kind })}
                </Button>
                <span id={`${id}-add-${kind}`} className="text-sm text-muted">
                  {words}
                </span>
              </li>
            ))}
          </ul>
        </fieldset>
      )}
    </fieldset>
  )
}

interface LimitFieldsProps {
  readonly fields: readonly Field[]
  readonly limit: JsonObject
  readonly path: Path
  /** From 1 on. */
  readonly place: number
  /** Null: the form is read-only. */
  readonly onRemove: (() => void) | null
}

function LimitFields({ fields, limit, path, place, onRemove }: LimitFieldsProps) {
  const { id, error, isFaulty } = useMember(path)
  const { first, more } = limitFields(fields, limit, (name) => isFaulty([name]))
  const set = more.filter(({ name }) => limit[name] !== undefined).length
  const isWrong = more.some(({ name }) => isFaulty([name]))
  const [isOpen, setOpen] = useState(set > 0)
  useEffect(() => {
    if (isWrong) setOpen(true)
  }, [isWrong])
  return (
    <fieldset id={id} className="rounded-md border border-line p-3">
      <legend className="px-1 font-medium">
        {titleOf(limit)} {place}
      </legend>
      <div className="flex flex-col gap-3">
        <div className="flex items-start gap-2">
          <p className="flex-1 text-sm text-muted">
            {isWhole(limit) ? sentenceOf(limit) : KINDS.find(({ kind }) => kind === limit['kind'])?.words}
          </p>
          {onRemove !== null && (
            <IconButton icon={Trash2} label={`Remove limit ${place}`} onClick={onRemove} />
          )}
        </div>
        {error !== null && <p className="text-sm text-bad">{error}</p>}
        <div className="grid grid-cols-1 items-start gap-3 sm:grid-cols-2">
          {first.map((field) => (
            <FieldEditor key={field.name} field={field} path={[...path, field.name]} />
          ))}
        </div>
        {more.length > 0 && (
          <details open={isOpen} onToggle={(event) => setOpen(event.currentTarget.open)}>
            <summary className="text-muted">
              More settings of this limit
              <span className={classes(set > 0 && 'text-text')}>{set > 0 ? `: ${set} set` : ''}</span>
            </summary>
            <div className="mt-2 grid grid-cols-1 items-start gap-3 sm:grid-cols-2">
              {more.map((field) => (
                <FieldEditor key={field.name} field={field} path={[...path, field.name]} />
              ))}
            </div>
          </details>
        )}
      </div>
    </fieldset>
  )
}

/** True for a limit that can be read as a sentence. */
function isWhole(limit: JsonObject): limit is JsonObject & Limit {
  const { kind, max, window } = limit
  return (
    typeof max === 'number' && KINDS.some((one) => one.kind === kind) && (kind === 'concurrency' || !!window)
  )
}

/** `rate` and `quota`, short for a limit of this name. The form shows those that are set: the list takes all others. */
export function ShortLimitField({ field, path }: EditorProps) {
  const { value, isFaulty } = useMember(path)
  return isObject(value) || isFaulty([]) ? <FieldEditor field={field} path={path} /> : null
}
