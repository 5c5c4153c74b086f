import { styleText } from 'node:util'
import { printable, visibleJson } from '../../base/text/visible.ts'
import { inWords } from '../../model/resource-types.ts'
import { type DiffEntry, SHOWN_ONCE } from '../../operations/engine/write-options.ts'

/** Longest text in a cell of a list; `-o json` has all of it. */
const CELL_MAX = 60

/** A table with a heading per column; columns are paths into the items. @param cellMax characters of a cell */
export function toTable(
  items: readonly Record<string, unknown>[],
  columns: readonly string[],
  colour: boolean,
  cellMax = CELL_MAX,
): string {
  if (items.length === 0) return 'None.\n'
  const heading = columns.map((column) => column.toUpperCase())
  const rows = items.map((item) => columns.map((column) => shorten(toCell(at(item, column)), cellMax)))
  return lines([heading, ...rows], colour, true)
}

/**
 * One resource as two columns, nested members by their paths. `parts` says by what paths the items of a member are shown,
 * where they hold them; `tables` has the columns of lists that follow as tables. A text of several lines goes on below itself.
 */
export function toSheet(
  resource: Readonly<Record<string, unknown>>,
  colour: boolean,
  parts: Readonly<Record<string, readonly string[]>> = {},
  tables: Readonly<Record<string, readonly string[]>> = {},
): string {
  const below: string[] = []
  const rows = Object.entries(resource).flatMap(([name, value]) => {
    const paths = Object.hasOwn(parts, name) ? parts[name] : undefined
    if (isDiff(value)) return diffLines(value).map((line, i) => [i === 0 ? printable(name) : '', line])
    const columns = Object.hasOwn(tables, name) ? tables[name] : undefined
    if (columns !== undefined && Array.isArray(value)) {
      below.push(`\n${name}:\n${toTable(value, columns, colour)}`)
      return []
    }
    if (paths === undefined || !Array.isArray(value)) return flatten(printable(name), value)
    return value.flatMap((part) =>
      paths.flatMap((path) => {
        const shown = at(part, path)
        return shown === undefined
          ? []
          : flatten(labelOfPart(resource, name, value.length > 1 ? part : null, path), shown)
      }),
    )
  })
  return (rows.length === 0 ? 'Done.\n' : lines(rows, colour, false)) + below.join('')
}

/**
 * The label of a member of a part: `Token of Acme`, `profile`, `profile auth.type`.
 * @param one of several parts; null for the only one
 */
function labelOfPart(
  resource: Readonly<Record<string, unknown>>,
  name: string,
  one: unknown,
  path: string,
): string {
  const noun = name.replace(/s$/, '')
  // What is shown once is labelled so that people find it
  if (!SHOWN_ONCE.has(path)) return path === 'slug' ? noun : `${noun} ${path}`
  const label = inWords(path).replace(/^./, (letter) => letter.toUpperCase())
  const owner = resource['name'] ?? resource['slug'] ?? noun
  const which = one === null ? '' : `, ${noun} ${String(at(one, 'slug'))}`
  return printable(`${label} of ${String(owner)}${which}`)
}

function lines(rows: readonly (readonly string[])[], colour: boolean, heading: boolean): string {
  const widths = rows[0]!.map((_, i) => rows.reduce((widest, row) => Math.max(widest, row[i]!.length), 0))
  return rows
    .map((row, r) => {
      const cells = row.map((cell, i) => {
        const padded = i === row.length - 1 ? cell : cell.padEnd(widths[i]! + 2)
        const strong = colour && (heading ? r === 0 : i === 0)
        return strong ? styleText('bold', padded, { validateStream: false }) : padded
      })
      return `${cells.join('').trimEnd()}\n`
    })
    .join('')
}

function flatten(path: string, value: unknown): string[][] {
  if (typeof value === 'string' && value.trimEnd().includes('\n'))
    return value
      .trimEnd()
      .split('\n')
      .map((line, i) => [i === 0 ? path : '', printable(line)])
  const plain = value === null || typeof value !== 'object'
  if (plain || isListOfPlain(value)) return [[path, toCell(value)]]
  return Object.entries(value).flatMap(([key, item]) =>
    flatten(Array.isArray(value) ? `${path}[${key}]` : `${path}.${printable(key)}`, item),
  )
}

function isListOfPlain(value: unknown): value is readonly unknown[] {
  return Array.isArray(value) && value.every((item) => item === null || typeof item !== 'object')
}

function toCell(value: unknown): string {
  if (value === null || value === undefined || value === '') return '-'
  if (isListOfPlain(value)) return value.length === 0 ? '-' : value.map(toItem).join(', ')
  return printable(typeof value === 'object' ? JSON.stringify(value) : String(value))
}

/** An item of a list; in quotes where it could be read as several items or as another value. */
function toItem(item: unknown): string {
  const isPlainText =
    typeof item === 'string' && /^[^\s",[\]{}]([^",\n]*[^\s",])?$/.test(item) && !isLiteral(item)
  return isPlainText ? printable(item) : visibleJson(JSON.stringify(item))
}

/** True for text that reads as a number, `true`, `false` or `null`. */
function isLiteral(text: string): boolean {
  return /^(true|false|null|-)$/.test(text) || (text !== '' && Number.isFinite(Number(text)))
}

function shorten(text: string, max: number): string {
  return text.length > max ? `${text.slice(0, max - 1)}…` : text
}

/** What a path leads to; through a list, what it leads to in each item. */
function at(item: unknown, path: string): unknown {
  let value = item
  const keys = path.split('.')
  for (const [i, key] of keys.entries()) {
    if (Array.isArray(value)) return value.map((one) => at(one, keys.slice(i).join('.')))
    if (value === null || typeof value !== 'object' || !Object.hasOwn(value, key)) return undefined
    value = (value as Record<string, unknown>)[key]
  }
  return value
}

/**
 * A difference for people, one line for each entry. Values are JSON, and names that could be read as another part of
 * the line are in quotes, so that two differences that differ never give the same line.
 */
export function diffLines(diff: readonly DiffEntry[]): string[] {
  return diff.map((entry) => {
    const { item, line, part } = entry
    const places = [
      ...(item === undefined ? [] : [nameOf(item)]),
      ...(line === undefined ? [] : [`line ${line}`]),
      ...(part === undefined ? [] : [`part ${printable(part)}`]),
    ]
    const path = entry.path === '' ? '(all of it)' : nameOf(entry.path)
    const place = places.length === 0 ? path : `${path} (${places.join(', ')})`
    if (entry.op === 'add') return `+ ${place}: ${show(entry.value)}`
    if (entry.op === 'remove') return `- ${place}: ${show(entry.from)}`
    return `~ ${place}: ${show(entry.from)} -> ${show(entry.value)}`
  })
}

/** True for a list of differences as answers hold it. */
export function isDiff(value: unknown): value is readonly DiffEntry[] {
  return Array.isArray(value) && value.length > 0 && value.every(isDifference)
}

function isDifference(entry: unknown): boolean {
  if (entry === null || typeof entry !== 'object' || !('op' in entry) || !('path' in entry)) return false
  return ['add', 'remove', 'replace'].includes(String(entry.op)) && typeof entry.path === 'string'
}

function show(value: unknown): string {
  return value === undefined ? '-' : visibleJson(JSON.stringify(value))
}

function nameOf(text: string): string {
  return /^[^\s"(),\\]+$/.test(text) ? printable(text) : visibleJson(JSON.stringify(text))
}
