import { styleText } from 'node:util'

/** Longest text in a cell of a list; `-o json` has all of it. */
const CELL_MAX = 60

/** A table with a heading per column; columns are paths into the items. */
export function toTable(
  items: readonly Record<string, unknown>[],
  columns: readonly string[],
  colour: boolean,
): string {
  if (items.length === 0) return 'None.\n'
  const heading = columns.map((column) => column.toUpperCase())
  const rows = items.map((item) => columns.map((column) => shorten(toCell(at(item, column)))))
  return lines([heading, ...rows], colour, true)
}

/**
 * One resource as two columns, nested members by their paths. `parts` says by what paths the items of a member are shown,
 * where they hold them; a text of several lines goes on below itself.
 */
export function toSheet(
  resource: Readonly<Record<string, unknown>>,
  colour: boolean,
  parts: Readonly<Record<string, readonly string[]>> = {},
): string {
  const rows = Object.entries(resource).flatMap(([name, value]) => {
    const paths = Object.hasOwn(parts, name) ? parts[name] : undefined
    if (paths === undefined || !Array.isArray(value)) return flatten(printable(name), value)
    return value.flatMap((part, i) =>
      paths.flatMap((path) => {
        const shown = at(part, path)
        return shown === undefined ? [] : flatten(`${name}[${i}].${path}`, shown)
      }),
    )
  })
  return rows.length === 0 ? 'Done.\n' : lines(rows, colour, false)
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
  if (isListOfPlain(value)) return value.length === 0 ? '-' : printable(value.join(', '))
  return printable(typeof value === 'object' ? JSON.stringify(value) : String(value))
}

/** Control and format characters, and others that a terminal shows as nothing or as a blank. */
const UNSEEN = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]/gu

/**
 * Text without what a terminal would obey or would not show: names, paths and agent names come from callers. An escape
 * sequence in them could rewrite the screen, and an invisible character could make two different values look alike. Line
 * breaks are shown as `\n`, where no column keeps what follows apart.
 */
export function printable(text: string): string {
  return text.replaceAll(UNSEEN, (char) => (char === '\n' ? '\\n' : char === '\t' ? ' ' : escaped(char)))
}

/** Each UTF-16 code unit as JSON writes it. */
function escaped(char: string): string {
  return char
    .split('')
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('')
}

/** JSON or YAML without what a terminal would obey still: both have such characters in double quotes alone. */
export function inert(text: string): string {
  return text.replaceAll(/[\u007f-\u009f]/g, (char) => `\\u00${char.charCodeAt(0).toString(16)}`)
}

function shorten(text: string): string {
  return text.length > CELL_MAX ? `${text.slice(0, CELL_MAX - 1)}…` : text
}

function at(item: unknown, path: string): unknown {
  let value = item
  for (const key of path.split('.')) {
    if (value === null || typeof value !== 'object' || !Object.hasOwn(value, key)) return undefined
    value = (value as Record<string, unknown>)[key]
  }
  return value
}
