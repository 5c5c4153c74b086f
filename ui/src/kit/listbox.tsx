import {
  type CSSProperties,
  type KeyboardEvent,
  type ReactNode,
  type RefObject,
  useEffect,
  useLayoutEffect,
  useRef,
  useState,
} from 'react'
import { classes, listPlace } from './style.ts'

export interface Option {
  readonly value: string
  readonly label: string
  readonly hint: string
  /** The label is a name that people gave, not a name of the API. */
  readonly isPlain?: boolean
}

/** True for an option whose label or hint holds the text. For options that were asked for with another text: Enter may pick no others. */
export function fitsText({ label, hint }: Option, text: string): boolean {
  return `${label} ${hint}`.toLowerCase().includes(text.trim().toLowerCase())
}

interface InputAttributes {
  readonly role: 'combobox'
  readonly 'aria-expanded': boolean
  readonly 'aria-controls': string
  readonly 'aria-autocomplete': 'list'
  readonly 'aria-activedescendant': string | undefined
  readonly onKeyDown: (event: KeyboardEvent<HTMLInputElement>) => void
  readonly onBlur: () => void
}

interface ListboxProps {
  readonly id: string
  readonly isOpen: boolean
  readonly options: readonly Option[]
  readonly onPick: (value: string) => void
  readonly onClose: () => void
  /** The list stands below the input instead of over what follows, and its first option is active. */
  readonly isStatic?: boolean
  /** Enter picks the first option if no other is walked to. Default: as `isStatic`. */
  readonly isFirstActive?: boolean
  readonly children: (attributes: InputAttributes) => ReactNode
}

const LABEL = 'truncate max-sm:break-all max-sm:whitespace-normal'

/** Options below an input (the pattern "combobox" of the ARIA Authoring Practices): arrows walk, Enter picks, Escape closes. */
export function Listbox({
  id,
  isOpen,
  options,
  onPick,
  onClose,
  isStatic = false,
  isFirstActive = isStatic,
  children,
}: ListboxProps) {
  const first = isFirstActive ? 0 : -1
  const [active, setActive] = useState(first)
  const list = useRef<HTMLUListElement>(null)
  const box = useRef<HTMLDivElement>(null)
  const place = useListPlace(box, isOpen && !isStatic)
  const names = options.map(({ value }) => value).join('\n')
  // Other options begin anew
  useEffect(() => {
    setActive(first)
  }, [names, first])
  useEffect(() => {
    if (list.current !== null) showOption(list.current, active)
  }, [active])
  const optionId = (index: number): string => `${id}-${index}`
  const onKeyDown = (event: KeyboardEvent<HTMLInputElement>): void => {
    if (!isOpen) return
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0
    if (step !== 0) setActive((active + step + options.length) % options.length)
    else if (event.key === 'Enter' && options[active] !== undefined) onPick(options[active].value)
    else if (event.key === 'Escape') onClose()
    else return
    event.preventDefault()
    event.stopPropagation()
  }
  return (
    <div ref={box} className="relative w-full">
      {children({
        role: 'combobox',
        'aria-expanded': isOpen,
        'aria-controls': id,
        'aria-autocomplete': 'list',
        'aria-activedescendant': isOpen && active >= 0 ? optionId(active) : undefined,
        onKeyDown,
        onBlur: onClose,
      })}
      <ul
        ref={list}
        id={id}
        role="listbox"
        hidden={!isOpen}
        style={place}
        className={classes(
          'w-full overflow-auto rounded-md bg-page',
          isStatic ? 'relative mt-2 max-h-[60dvh]' : 'fixed z-20 shadow-float',
        )}
      >
        {isOpen &&
          options.map(({ value, label, hint, isPlain }, index) => (
            <li
              key={value}
              id={optionId(index)}
              role="option"
              aria-selected={index === active}
              // Before the input loses its focus
              onPointerDown={(event) => {
                event.preventDefault()
                onPick(value)
              }}
              className={classes(
                'flex cursor-pointer items-center justify-between gap-2 px-2 py-1.5',
                // Names that begin alike are told apart on a phone too
                'max-sm:flex-col max-sm:items-start max-sm:justify-center max-sm:gap-0',
                index === active ? 'bg-accent-soft' : 'hover:bg-raised',
              )}
            >
              {isPlain === true ? (
                <span title={label} className={LABEL}>
                  {label}
                </span>
              ) : (
                <code title={label} className={LABEL}>
                  {label}
                </code>
              )}
              <span className="max-w-full shrink-99 truncate text-sm text-muted">{hint}</span>
            </li>
          ))}
      </ul>
    </div>
  )
}

/** Scrolls the list, and nothing around it, so far that the option is seen. */
function showOption(list: HTMLElement, index: number): void {
  const option = list.children[index]
  if (!(option instanceof HTMLElement)) return
  const { offsetTop: top, offsetHeight: height } = option
  if (top < list.scrollTop) list.scrollTop = top
  else if (top + height > list.scrollTop + list.clientHeight)
    list.scrollTop = top + height - list.clientHeight
}

/** The place of a list as a style: in the window, because what scrolls around the input, such as a dialog, would cut the list off. */
function useListPlace(input: RefObject<HTMLElement | null>, isFloating: boolean): CSSProperties {
  const [place, setPlace] = useState<CSSProperties>({})
  useLayoutEffect(() => {
    if (!isFloating) return
    const find = (): void => {
      if (input.current !== null) setPlace(listPlace(input.current.getBoundingClientRect(), innerHeight))
    }
    find()
    // The input moves with whatever scrolls around it
    addEventListener('scroll', find, { capture: true, passive: true })
    addEventListener('resize', find)
    return () => {
      removeEventListener('scroll', find, { capture: true })
      removeEventListener('resize', find)
    }
  }, [input, isFloating])
  return isFloating ? place : {}
}
