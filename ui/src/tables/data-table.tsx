import { Link } from '@tanstack/react-router'
import { useVirtualizer } from '@tanstack/react-virtual'
import {
  type KeyboardEvent,
  type MouseEvent,
  type ReactNode,
  type SyntheticEvent,
  useEffect,
  useRef,
  useState,
} from 'react'
import type { ResourceSchemas } from '../../build/document.ts'
import { singleKeysOn, useKeys } from '../app/keys.ts'
import { one, type Search } from '../app/search.ts'
import { useNarrow, useTouch } from '../kit/browser.ts'
import { classes } from '../kit/style.ts'
import { orderOf } from '../schema/columns.ts'
import { type Change, OrderSelect, SearchBox } from './filters.tsx'

interface TableColumn<T> {
  readonly name: string
  readonly label: string
  readonly render: (item: T) => ReactNode
  /** Pixels; without it, or null, columns share what is left. */
  readonly width?: number | null
  /** Numbers are aligned at the right. */
  readonly isNumber?: boolean
  /** Further classes of head and cell, such as `w-24`. */
  readonly className?: string
}

interface RowLink {
  readonly to: string
  readonly params?: Readonly<Record<string, string>>
  readonly search?: Readonly<Record<string, unknown>>
}

interface DataTableProps<T> {
  /** What the rows are, for people who hear the table. */
  readonly label: string
  readonly columns: readonly TableColumn<T>[]
  readonly items: readonly T[]
  readonly keyOf: (item: T) => string
  /** Where a row leads: the link of its first column, and a press anywhere in the row; null: nowhere. */
  readonly linkOf: (item: T) => RowLink | null
  /** Asks for the next page, when its place comes into view. */
  readonly more?: (() => void) | null
  readonly isFetching?: boolean
  readonly selected?: string | null
  /** Told of the row that `j` or `k` has come to. */
  readonly onWalk?: (item: T) => void
  /** Told when the person scrolls away from the top, or back to it. */
  readonly onTop?: (isAtTop: boolean) => void
  /** Arrows then walk the cells, and `f` on a cell tells of its column. */
  readonly onFilter?: (item: T, column: string) => void
}

const ROW = 32
/** A target for fingers of 44 pixels, and the line below it. */
const ROW_TOUCH = 45
const CARD = 96
/** Below this a table scrolls to the side instead of cutting texts further, pixels. */
const SHARED_MIN = 130
const AHEAD = 12

/** Rows of which only those in view are drawn. `j` and `k` walk them, Enter opens; on a narrow screen rows are cards. */
export function DataTable<T>(props: DataTableProps<T>) {
  const { items, more = null, columns, label, keyOf, linkOf, isFetching = false, selected = null } = props
  const { onWalk, onTop, onFilter } = props
  const isNarrow = useNarrow()
  const row = useTouch() ? ROW_TOUCH : ROW
  const scroller = useRef<HTMLDivElement>(null)
  const [current, setCurrent] = useState(-1)
  const virtual = useVirtualizer({
    count: items.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => (isNarrow ? CARD : row),
    overscan: AHEAD,
  })
  const rows = virtual.getVirtualItems()
  const last = rows.at(-1)?.index ?? -1
  useEffect(() => {
    if (more !== null && !isFetching && last >= items.length - AHEAD) more()
  }, [more, isFetching, last, items.length])
  useEffect(() => {
    virtual.measure()
  }, [virtual, isNarrow, row])

  const walk = (step: number): void => {
    const next = Math.min(items.length - 1, Math.max(0, current + step))
    setCurrent(next)
    virtual.scrollToIndex(next)
    if (items[next] !== undefined) onWalk?.(items[next])
    // The row may not be drawn yet
    requestAnimationFrame(() =>
      scroller.current?.querySelector<HTMLElement>(`[data-row="${next}"] a`)?.focus(),
    )
  }
  useKeys({ j: () => walk(1), k: () => walk(-1) })

  /** Arrows lead from cell to cell, and `f` takes the value of the cell as a filter. */
  const onCellKey = (event: KeyboardEvent<HTMLElement>): void => {
    if (onFilter === undefined || event.ctrlKey || event.metaKey || event.altKey) return
    const cell = event.target instanceof Element ? event.target.closest('td') : null
    const row = cell?.closest('tr')
    if (!cell || !row) return
    if (event.key === 'f' && singleKeysOn()) {
      const item = items[Number(row.dataset['row'])]
      if (item !== undefined) onFilter(item, columns[cell.cellIndex]!.name)
    } else {
      const side = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0
      const rows = event.key === 'ArrowDown' ? row.nextElementSibling : row.previousElementSibling
      const isUpOrDown = event.key === 'ArrowDown' || event.key === 'ArrowUp'
      if (side === 0 && !isUpOrDown) return
      const target = isUpOrDown ? rows?.children[cell.cellIndex] : row.children[cell.cellIndex + side]
      // The first cell has the link of its row, and others may have one too
      const place = target?.querySelector('a') ?? target
      if (place instanceof HTMLElement) place.focus()
    }
    event.preventDefault()
  }

  const widthMin = columns.reduce((sum, { width }) => sum + (width ?? SHARED_MIN), 0)
  const before = rows[0]?.start ?? 0
  const after = virtual.getTotalSize() - (rows.at(-1)?.end ?? 0)
  const first = (item: T): ReactNode => {
    const link = linkOf(item)
    const name = columns[0]!.render(item)
    if (link === null) return name
    return (
      <Link
        to={link.to}
        data-row-link=""
        params={link.params ?? {}}
        search={(link.search ?? {}) as Search}
        className={classes(
          'target font-medium no-underline hover:underline',
          isNarrow ? 'block' : 'inline-block max-w-full truncate align-middle',
        )}
      >
        {name}
      </Link>
    )
  }
  return (
    <div
      ref={scroller}
      tabIndex={0}
      role="region"
      aria-label={label}
      onScroll={() => onTop?.((scroller.current?.scrollTop ?? 0) < ROW)}
      onKeyDown={onCellKey}
      className="min-h-40 flex-1 overflow-auto rounded-md border border-line"
    >
      {isNarrow ? (
        <ul style={{ paddingTop: before, paddingBottom: after }}>
          {rows.map(({ index }) => {
            const item = items[index]!
            return (
              <li
                key={keyOf(item)}
                data-row={index}
                style={{ minHeight: CARD }}
                onClick={openPressed}
                className={classes(
                  'flex flex-col gap-1 border-b border-line p-3',
                  linkOf(item) !== null && 'cursor-pointer',
                )}
              >
                <div className="text-md break-words">{first(item)}</div>
                <dl className="grid grid-cols-[auto_1fr] gap-x-3 text-sm">
                  {columns.slice(1).map((column) => (
                    <div key={column.name} className="contents">
                      <dt className="text-muted">{column.label}</dt>
                      <dd className="min-w-0 break-words">{column.render(item)}</dd>
                    </div>
                  ))}
                </dl>
              </li>
            )
          })}
        </ul>
      ) : (
        <table
          aria-busy={isFetching}
          style={{ minWidth: widthMin }}
          // Columns keep their width while other rows scroll into view
          className="w-full table-fixed border-collapse"
        >
          <thead className="sticky top-0 z-10 bg-raised">
            <tr className="h-8 text-left text-sm text-muted">
              {columns.map(({ name, label: head, className, width, isNumber }) => (
                <th
                  key={name}
                  scope="col"
                  style={width == null ? {} : { width }}
                  className={classes(
                    'truncate border-b border-line px-3 font-medium',
                    isNumber === true && 'text-right',
                    className,
                  )}
                >
                  {head}
                </th>
              ))}
            </tr>
          </thead>
          <tbody onMouseOver={tellCut} onFocus={tellCut}>
            {before > 0 && <tr aria-hidden="true" style={{ height: before }} />}
            {rows.map(({ index }) => {
              const item = items[index]!
              const key = keyOf(item)
              return (
                <tr
                  key={key}
                  data-row={index}
                  style={{ height: row }}
                  onClick={openPressed}
                  className={classes(
                    'border-b border-line last:border-0 hover:bg-raised',
                    linkOf(item) !== null && 'cursor-pointer',
                    key === selected && 'bg-accent-soft',
                  )}
                >
                  {columns.map((column, place) => (
                    <td
                      key={column.name}
                      tabIndex={onFilter === undefined ? undefined : -1}
                      className={classes(
                        'truncate px-3',
                        column.isNumber === true && 'text-right',
                        column.className,
                      )}
                    >
                      {place === 0 ? first(item) : column.render(item)}
                    </td>
                  ))}
                </tr>
              )
            })}
            {after > 0 && <tr aria-hidden="true" style={{ height: after }} />}
          </tbody>
        </table>
      )}
    </div>
  )
}

/** A text that does not fit its cell is the tooltip of the cell. */
function tellCut({ target }: SyntheticEvent): void {
  const cell = target instanceof Element ? target.closest('td') : null
  if (cell === null) return
  const parts = [cell, ...cell.querySelectorAll('a')]
  const isCut = parts.some(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth)
  if (isCut) cell.title = cell.textContent
  else cell.removeAttribute('title')
}

// Presses in a row that open it. The link in the first cell stays the only part of the row that the keyboard and a screen reader meet.

/** Parts of a row that a press is meant for, instead of the row. A dialog of a row lies within it. */
const OWN = 'a, button, input, select, textarea, label, summary, dialog'

/** Follows the link of a row, if the press in it was meant for no other part. */
function openPressed(event: MouseEvent<HTMLElement>): void {
  const { currentTarget: row, target } = event
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return
  if (!(target instanceof Element) || !row.contains(target) || target.closest(OWN) !== null) return
  // The end of a drag over a text is a click too
  const selection = getSelection()
  if (selection !== null && !selection.isCollapsed && selection.containsNode(row, true)) return
  row.querySelector<HTMLElement>('[data-row-link]')?.click()
}

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
