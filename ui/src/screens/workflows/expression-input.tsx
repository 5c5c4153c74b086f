import { type KeyboardEvent, useId, useRef, useState } from 'react'
import { TextArea } from '../../kit/controls.tsx'
import { classes } from '../../kit/style.ts'
import { completionsOf, type Known, pathBefore } from './expression.ts'

const ROWS_MAX = 12
const SHOWN_MAX = 12

interface ExpressionInputProps {
  readonly id: string
  readonly value: string
  readonly known: readonly Known[]
  readonly onChange: (value: string) => void
  readonly onBlur?: () => void
  /** Told which input takes a path that is picked elsewhere. */
  readonly onFocus?: (input: HTMLTextAreaElement) => void
  readonly isReadOnly?: boolean
  readonly isInvalid?: boolean
  readonly describedBy?: string | undefined
  readonly placeholder?: string
}

/** A text with expressions. Within `{{ }}` it completes nodes that run before, their outputs, and keys of the last run. */
export function ExpressionInput(props: ExpressionInputProps) {
  const { id, value, known, onChange, onBlur, onFocus, isReadOnly = false, isInvalid = false } = props
  const [caret, setCaret] = useState<number | null>(null)
  const [active, setActive] = useState(0)
  const input = useRef<HTMLTextAreaElement>(null)
  const list = useId()
  const before = caret === null ? null : pathBefore(value, caret)
  const options = before === null ? [] : completionsOf(before.path, known).slice(0, SHOWN_MAX)
  const isOpen = options.length > 0
  const optionId = (index: number): string => `${list}-${index}`

  const follow = (): void => {
    setCaret(input.current?.selectionStart ?? null)
    setActive(0)
  }
  const pick = (path: string): void => {
    if (before === null || caret === null) return
    // As if it were typed: the caret is behind the path before the next key comes
    input.current?.setRangeText(path, before.start, caret, 'end')
    input.current?.dispatchEvent(new Event('input', { bubbles: true }))
    setCaret(null)
  }
  const onKeyDown = (event: KeyboardEvent): void => {
    if (!isOpen) return
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0
    if (step !== 0) setActive((active + step + options.length) % options.length)
    else if (event.key === 'Enter') pick(options[active]!.path)
    else if (event.key === 'Escape') setCaret(null)
    else return
    event.preventDefault()
    event.stopPropagation()
  }
  return (
    <div className="relative w-full">
      <TextArea
        ref={input}
        id={id}
        rows={Math.min(ROWS_MAX, value.split('\n').length)}
        className="field-sizing-content max-h-80 min-h-8 font-mono text-sm"
        value={value}
        disabled={isReadOnly}
        placeholder={props.placeholder}
        aria-invalid={isInvalid || undefined}
        aria-describedby={props.describedBy}
        aria-autocomplete="list"
        aria-haspopup="listbox"
        aria-controls={list}
        aria-activedescendant={isOpen ? optionId(active) : undefined}
        onChange={(event) => {
          onChange(event.target.value)
          setCaret(event.target.selectionStart)
          setActive(0)
        }}
        onKeyDown={onKeyDown}
        onClick={follow}
        onFocus={(event) => onFocus?.(event.currentTarget)}
        onBlur={() => {
          setCaret(null)
          onBlur?.()
        }}
      />
      <ul
        id={list}
        role="listbox"
        aria-label="Paths"
        hidden={!isOpen}
        className="absolute z-20 mt-1 max-h-60 w-full overflow-auto rounded-md bg-page shadow-float"
      >
        {options.map(({ path, hint }, index) => (
          <li
            key={path}
            id={optionId(index)}
            role="option"
            aria-selected={index === active}
            // Before the input loses its focus
            onPointerDown={(event) => {
              event.preventDefault()
              pick(path)
            }}
            className={classes(
              'flex cursor-pointer items-baseline justify-between gap-2 px-2 py-1.5',
              index === active ? 'bg-accent-soft' : 'hover:bg-raised',
            )}
          >
            <code className="truncate">{path}</code>
            <span className="truncate text-sm text-muted">{hint}</span>
          </li>
        ))}
      </ul>
    </div>
  )
}
