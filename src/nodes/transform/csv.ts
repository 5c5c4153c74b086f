/** Comma-separated values (RFC 4180). Lines end in CRLF or LF. */
import { isPlain, type Plain, scalarText } from '../../base/json/plain.ts'
import { NodeFailure } from '../run.ts'

const CELLS_MAX = 200_000

/** How lines are read and written. */
interface CsvForm {
  /** The first line has the names of members; otherwise each line is a list. */
  readonly header: boolean
  readonly separator: string
}

/** Each line as an object, or as a list. All values are text. @throws NodeFailure for what is no CSV, with its line */
export function readCsv(
  text: string,
  { header, separator }: CsvForm,
): readonly (Plain | readonly string[])[] {
  const lines = linesOf(text.startsWith('\ufeff') ? text.slice(1) : text, separator)
  if (!header) return lines
  const [names, ...rows] = lines
  if (names === undefined) return []
  if (new Set(names).size < names.length) throw new NodeFailure('csv', 'two columns have the same name')
  return rows.map((row, at) => {
    if (row.length !== names.length)
      throw new NodeFailure('csv', `row ${at + 1} has ${row.length} fields, and the header ${names.length}`)
    return Object.fromEntries(row.map((field, column) => [names[column]!, field]))
  })
}

function linesOf(text: string, separator: string): string[][] {
  const lines: string[][] = []
  let line: string[] = []
  let cells = 0
  let at = 0
  while (at < text.length || line.length > 0) {
    const field = text[at] === '"' ? quoted(text, at, lines.length) : bare(text, at, separator, lines.length)
    line.push(field.value)
    if (++cells > CELLS_MAX) throw new NodeFailure('csv', `there are more than ${CELLS_MAX} fields`)
    at = field.end
    if (text[at] === separator) {
      at++
      continue
    }
    if (at < text.length) {
      if (text.startsWith('\r\n', at)) at += 2
      else if (text[at] === '\n') at++
      else throw new NodeFailure('csv', `row ${lines.length + 1} goes on after a closing quote`)
    }
    lines.push(line)
    line = []
  }
  return lines
}

interface Field {
  readonly value: string
  readonly end: number
}

/** A field in quotes; a quote in it is written twice. */
function quoted(text: string, start: number, row: number): Field {
  let end = start + 1
  for (;;) {
    end = text.indexOf('"', end)
    if (end === -1) throw new NodeFailure('csv', `row ${row + 1} has a quote that is not closed`)
    if (text[end + 1] !== '"') break
    end += 2
  }
  return { value: text.slice(start + 1, end).replaceAll('""', '"'), end: end + 1 }
}

function bare(text: string, start: number, separator: string, row: number): Field {
  let end = start
  for (; end < text.length; end++) {
    const char = text[end]
    if (char === separator || char === '\n' || (char === '\r' && text[end + 1] === '\n')) break
    if (char === '"') throw new NodeFailure('csv', `row ${row + 1} has a quote within a field`)
  }
  return { value: text.slice(start, end), end }
}

/** Objects have a header of all their names; what an object has not is empty. @throws NodeFailure */
export function writeCsv(value: unknown, { header, separator }: CsvForm): string {
  if (!Array.isArray(value)) throw new NodeFailure('csv', 'CSV is made of a list of objects, or of lists')
  const rows: readonly unknown[] = value
  const names = new Set<string>()
  for (const row of rows) if (isPlain(row)) for (const name of Object.keys(row)) names.add(name)
  if (names.size * rows.length > CELLS_MAX)
    throw new NodeFailure('csv', `there are more than ${CELLS_MAX} fields`)
  const columns = [...names]
  const lines = rows.map((row) => {
    if (Array.isArray(row)) return row
    if (!isPlain(row)) throw new NodeFailure('csv', 'a row is neither an object nor a list')
    return columns.map((name) => (Object.hasOwn(row, name) ? row[name] : null))
  })
  if (header && columns.length > 0) lines.unshift(columns)
  return lines
    .map((line) => `${line.map((field) => toField(field, separator, line.length)).join(separator)}\r\n`)
    .join('')
}

function toField(value: unknown, separator: string, fields: number): string {
  const text = value === null || value === undefined ? '' : scalarText(value)
  if (text === undefined) throw new NodeFailure('csv', 'a field is an object or a list')
  // A line with one empty field would be no line
  const isQuoted =
    text.includes('"') ||
    text.includes(separator) ||
    /[\r\n]/.test(text) ||
    (text === '' && fields === 1) ||
    text.startsWith('\ufeff')
  return isQuoted ? `"${text.replaceAll('"', '""')}"` : text
}
