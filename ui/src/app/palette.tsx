import about from 'virtual:about'
import { keepPreviousData, useQueries, useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useId, useMemo, useState } from 'react'
import { ALL_OPERATIONS, client, type Input, nameOf, type OperationName, useMay } from '../api/client.ts'
import { TextInput } from '../kit/controls.tsx'
import { Dialog } from '../kit/dialog.tsx'
import { fitsText, Listbox, type Option } from '../kit/listbox.tsx'
import { isObject } from '../schema/value.ts'
import { WAYS } from '../screens/ways.ts'
import { commandOf } from './commands.ts'
import { FURTHER, groupsOf, singularOf } from './navigation.ts'
import { rank } from './search.ts'

/** Resources that the palette looks in: at most six, each with one request. */
const FOUND_IN = ['collections', 'proxies', 'clients', 'origins', 'virtual_mcps', 'users'] as const
const TEXT_MIN = 2
const FOUND_MAX = 5
const SHOWN_MAX = 40

/** Go to a page, find a resource or the code of a problem, run an operation. */
export default function Palette({ onClose }: { onClose: () => void }) {
  const [text, setText] = useState('')
  const id = useId()
  const may = useMay()
  const navigate = useNavigate()
  const found = useQueries({
    queries: FOUND_IN.map((resource) => ({
      queryKey: ['palette', resource, text],
      queryFn: async () => {
        const fields = `id,slug,name${resource === 'proxies' ? ',collection' : ''}`
        const input = { text, limit: FOUND_MAX, fields } as Input<OperationName>
        const { body } = await client.call(`${resource}.list`, input as never)
        return (body as { readonly items: readonly unknown[] }).items
      },
      enabled: text.length >= TEXT_MIN && may(`${resource}.list`),
      placeholderData: keepPreviousData,
    })),
  })
  const problems = useQuery({
    queryKey: ['problems'],
    queryFn: async () => (await import('virtual:problems')).default,
    staleTime: Number.POSITIVE_INFINITY,
  }).data
  const fixed = useMemo<Option[]>(
    () => [
      ...[...groupsOf(Object.keys(about)).flatMap(({ places }) => places), ...FURTHER]
        .filter(({ needs }) => may(needs))
        .map((place) => ({
          value: place.to,
          label: place.label,
          hint: 'title' in place ? `page: ${place.title}` : 'page',
          isPlain: true,
        })),
      ...ALL_OPERATIONS.filter((row) => may(nameOf(row))).map((row) => {
        const { to, label, hint } = commandOf(row, WAYS)
        return { value: to, label, hint, isPlain: true }
      }),
      ...Object.entries(problems ?? {}).map(([code, { title }]) => ({
        value: `/problems/${code}`,
        label: code,
        hint: `problem: ${title}`,
      })),
    ],
    [may, problems],
  )
  const resources = found.flatMap(({ data, isPlaceholderData }, index) => {
    const resource = FOUND_IN[index]!
    if (text.length < TEXT_MIN) return []
    const options = (data ?? []).filter(isObject).map((item) => ({
      value: `/${resource}/${encodeURIComponent(String(item['id']))}`,
      label: String(item['name'] ?? item['slug']),
      // Proxies of many collections have the same name
      hint:
        typeof item['collection'] === 'string'
          ? `${singularOf(resource)} of ${item['collection']}`
          : singularOf(resource),
      isPlain: true,
    }))
    return isPlaceholderData ? options.filter((option) => fitsText(option, text)) : options
  })
  const options = [...resources, ...rank(fixed, text)].slice(0, SHOWN_MAX)
  const isAsking = found.some(({ isFetching }) => isFetching)
  return (
    <Dialog title="Search or run" onClose={onClose} shape="wide">
      <div className="flex min-h-100 flex-col">
        <Listbox
          id={id}
          isOpen
          isStatic
          options={options}
          onClose={onClose}
          onPick={(to) => {
            onClose()
            navigate({ to }).catch(() => {})
          }}
        >
          {(attributes) => (
            <TextInput
              {...attributes}
              data-autofocus
              aria-label="Search or run"
              placeholder="A page, a resource, or what you want to do"
              value={text}
              onChange={(event) => setText(event.target.value)}
              onBlur={() => {}}
            />
          )}
        </Listbox>
        <p role="status" className="mt-2 text-muted empty:hidden">
          {options.length === 0 && !isAsking ? 'Nothing found' : ''}
        </p>
      </div>
    </Dialog>
  )
}
