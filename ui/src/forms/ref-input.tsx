import { keepPreviousData, useQuery, useQueryClient } from '@tanstack/react-query'
import { ChevronDown } from 'lucide-react'
import { type ComponentProps, useEffect, useId, useLayoutEffect, useRef, useState } from 'react'
import { flushSync } from 'react-dom'
import { client, type Input, type OperationName, operation } from '../api/client.ts'
import { singularOf } from '../app/navigation.ts'
import { TextInput } from '../kit/controls.tsx'
import { fitsText, Listbox, type Option } from '../kit/listbox.tsx'
import { addressOf, isObject } from '../schema/value.ts'

const SHOWN = 20
/** As many as the server answers at once: one that fits exactly may stand behind those that are shown. */
const COMPARED = 200

/** Items of a resource whose name or slug holds the text. Nothing if the person may not list the resource. */
async function find(resource: string, text: string, limit: number): Promise<Option[]> {
  const name = `${resource}.list`
  if (operation(name) === null) return []
  // The server looks into names and slugs: `orders:create` is the slug `create` below `orders`
  const own = text.slice(text.lastIndexOf(':') + 1)
  const input = { limit, ...(own !== '' && { text: own }) } as Input<OperationName>
  const { body } = await client.call(name as OperationName, input)
  const items = (body as { readonly items?: unknown }).items
  const options = (Array.isArray(items) ? items : []).filter(isObject).map((item) => {
    const value = addressOf(resource, item)
    return { value, label: value, hint: typeof item['name'] === 'string' ? item['name'] : '' }
  })
  return own === text ? options : options.filter(({ value }) => value.includes(text))
}

/** The address as the server knows it; null: there is none. What cannot be looked up is left to the server to judge. */
async function exactly(resource: string, text: string): Promise<string | null> {
  // Only ids have a `_`, and lists are not searched by id
  if (text.includes('_') || operation(`${resource}.list`) === null) return text
  try {
    const found = await find(resource, text, COMPARED)
    return found.find(({ value }) => value === text.toLowerCase())?.value ?? null
  } catch {
    return text
  }
}

interface RefInputProps extends Omit<ComponentProps<'input'>, 'value' | 'onChange'> {
  /** Such as `credentials`. */
  readonly resource: string
  readonly value: string
  readonly onValue: (value: string) => void
  /** The text is a search alone: a value comes by picking one, or by typing one to its end. */
  readonly isPickOnly?: boolean
}

/**
 * The slug of another resource: typed, or picked from those that hold the text.
 *
 * 1. Enter and leaving the input take a text that names a resource, once the server has answered for it. Enter then sends no form.
 * 2. A text that names none stays, with the reason below. While a search stands in the input, its form is not sent.
 */
export function RefInput({ resource, value, onValue, isPickOnly = false, ...rest }: RefInputProps) {
  const queries = useQueryClient()
  const [typed, setTyped] = useState<string | null>(null)
  const [isOpen, setOpen] = useState(false)
  /** Text that names nothing. */
  const [unknown, setUnknown] = useState<string | null>(null)
  const input = useRef<HTMLInputElement>(null)
  const listId = useId()
  const text = typed ?? ''
  const kind = singularOf(resource)
  // As of the last rendering, for answers that come later; null once the input is gone
  const now = useRef<{ typed: string | null; onValue: (value: string) => void } | null>(null)
  useLayoutEffect(() => {
    now.current = { typed, onValue }
    const isSearch = isPickOnly && text.trim() !== ''
    input.current?.setCustomValidity(isSearch ? `Select the ${kind} from the list, or clear the search.` : '')
  })
  useEffect(() => {
    return () => {
      now.current = null
    }
  }, [])
  const { data: found = [], isPlaceholderData } = useQuery({
    queryKey: ['refs', resource, text],
    queryFn: () => find(resource, text, SHOWN),
    enabled: isOpen,
    placeholderData: keepPreviousData,
    staleTime: 10_000,
    retry: false,
  })
  // Until the server has answered for this text, the options before are shown: only those that fit, because Enter picks one
  const data = isPlaceholderData ? found.filter((option) => fitsText(option, text)) : found
  const type = (next: string | null): void => {
    setTyped(next)
    setUnknown(null)
  }
  const take = async (): Promise<void> => {
    const wanted = text.trim()
    if (wanted === '') return type(null)
    const address = await queries.fetchQuery({
      queryKey: ['refs', resource, wanted, 'exactly'],
      queryFn: () => exactly(resource, wanted),
      staleTime: 10_000,
    })
    // Somebody has typed on, or picked one
    if (now.current === null || now.current.typed !== typed) return
    if (address === null) return setUnknown(wanted)
    const { onValue: tell } = now.current
    // At once: what is entered next changes the form with this value in it
    flushSync(() => {
      tell(address)
      setOpen(false)
      type(null)
    })
  }
  return (
    <>
      <Listbox
        id={listId}
        isOpen={isOpen && data.length > 0}
        options={data}
        onClose={() => {
          setOpen(false)
          type(null)
        }}
        onPick={(next) => {
          onValue(next)
          setOpen(false)
          type(null)
        }}
      >
        {(attributes) => (
          <div className="relative">
            <TextInput
              {...rest}
              {...attributes}
              ref={input}
              className="pr-8"
              aria-invalid={unknown !== null || rest['aria-invalid']}
              aria-describedby={
                [rest['aria-describedby'], unknown !== null && `${listId}-unknown`]
                  .filter(Boolean)
                  .join(' ') || undefined
              }
              value={isPickOnly ? (typed ?? value) : value}
              // A search takes the place of the value
              onFocus={(event) => isPickOnly && event.target.select()}
              onClick={() => setOpen(true)}
              onChange={(event) => {
                setOpen(true)
                type(event.target.value)
                if (!isPickOnly) onValue(event.target.value)
              }}
              onBlur={() => {
                setOpen(false)
                take().catch(() => {})
              }}
              onKeyDown={(event) => {
                attributes.onKeyDown(event)
                if (event.defaultPrevented) return
                if (event.key === 'ArrowDown') setOpen(true)
                else if (event.key === 'Enter' && text.trim() !== '') take().catch(() => {})
                else return
                event.preventDefault()
              }}
            />
            <ChevronDown
              aria-hidden="true"
              className="pointer-events-none absolute top-2 right-2 size-4 text-muted"
            />
          </div>
        )}
      </Listbox>
      {unknown !== null && (
        <p id={`${listId}-unknown`} role="alert" className="text-sm break-words text-bad">
          There is no {kind} <code>{unknown}</code>. Select one from the list.
        </p>
      )}
    </>
  )
}
