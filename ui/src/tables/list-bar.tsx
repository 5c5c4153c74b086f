import type { ReactNode } from 'react'
import type { ResourceSchemas } from '../../build/document.ts'
import { one, type Search } from '../app/search.ts'
import { orderOf } from '../schema/columns.ts'
import { OrderSelect, SearchBox } from './filters.tsx'
import type { Change } from './use-list-search.ts'

interface ListBarProps {
  /** Name of the search field. */
  readonly label: string
  /** Null and undefined until they are loaded. */
  readonly schemas: ResourceSchemas | null | undefined
  readonly search: Search
  readonly onChange: Change
  /** Further filters of the list. */
  readonly children?: ReactNode
}

/** Search and order of a list whose operation takes `text`. Both stand in the address. */
export function ListBar({ label, schemas, search, onChange, children }: ListBarProps) {
  const order = schemas == null ? undefined : orderOf(schemas)
  return (
    <div className="flex shrink-0 flex-wrap items-center gap-2">
      <SearchBox
        label={label}
        value={one(search['text']) ?? ''}
        onChange={(text) => onChange({ text: text === '' ? undefined : text })}
      />
      {children}
      {order !== undefined && <OrderSelect field={order} search={search} onChange={onChange} />}
    </div>
  )
}
