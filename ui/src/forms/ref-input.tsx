import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { type ComponentProps, useId, useState } from 'react'
import { client, type Input, type OperationName } from '../api/client.ts'
import { operation } from '../api/operations.ts'
import { TextInput } from '../kit/inputs.tsx'
import { fitsText, Listbox, type Option } from '../kit/listbox.tsx'
import { addressOf } from '../schema/address.ts'
import { isObject } from '../schema/value.ts'

const SHOWN = 20

/** Items of a resource whose name or slug holds the text. Nothing if the person may not list the resource. */
async function find(resource: string, text: string): Promise<Option[]> {
  const name = `${resource}.list`
  if (operation(name) === null) return []
  // The server looks into names and slugs: `orders:create` is the slug `create` below `orders`
  const own = text.slice(text.lastIndexOf(':') + 1)
  const input = { limit: SHOWN, ...(own !== '' && { text: own }) } as Input<OperationName>
  const { body } = await client.call(name as OperationName, input)
  const items = (body as { readonly items?: unknown }).items
  const options = (Array.isArray(items) ? items : []).filter(isObject).map((item) => {
    const value = addressOf(resource, item)
    return { value, label: value, hint: typeof item['name'] === 'string' ? item['name'] : '' }
  })
  return own === text ? options : options.filter(({ value }) => value.includes(text))
}

interface RefInputProps extends Omit<ComponentProps<'input'>, 'value' | 'onChange'> {
  /** Such as `credentials`. */
  readonly resource: string
  readonly value: string
  readonly onValue: (value: string) => void
  /** The text is a search alone: a value comes by picking one. */
  readonly isPickOnly?: boolean
}

/** The slug of another resource: typed, or picked from those that hold the text. */
export function RefInput({ resource, value, onValue, isPickOnly = false, ...rest }: RefInputProps) {
  const [typed, setTyped] = useState<string | null>(null)
  const listId = useId()
  const text = typed ?? ''
  const { data: found = [], isPlaceholderData } = useQuery({
    queryKey: ['refs', resource, text],
    queryFn: () => find(resource, text),
    enabled: typed !== null,
    placeholderData: keepPreviousData,
    staleTime: 10_000,
    retry: false,
  })
  // Until the server has answered for this text, the options before are shown: only those that fit, because Enter picks one
  const data = isPlaceholderData ? found.filter((option) => fitsText(option, text)) : found
  return (
    <Listbox
      id={listId}
      isOpen={typed !== null && data.length > 0}
      options={data}
      onClose={() => setTyped(null)}
      onPick={(next) => {
        onValue(next)
        setTyped(null)
      }}
    >
      {(attributes) => (
        <TextInput
          {...rest}
          {...attributes}
          value={typed ?? value}
          onFocus={() => setTyped(isPickOnly ? '' : typed)}
          onChange={(event) => {
            setTyped(event.target.value)
            if (!isPickOnly) onValue(event.target.value)
          }}
        />
      )}
    </Listbox>
  )
}
