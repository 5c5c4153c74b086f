/** Header fields that nodes set, as lines. */
import { isPlain, type Plain, scalarText } from '../../base/json/plain.ts'
import { NodeFailure } from '../../nodes/run.ts'

const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/
/** RFC 9110 section 5.5, without bytes above ASCII. */
const VALUE = /^[\t -~]*$/
const BYTES_MAX = 32 * 1024

/** Values by name, lower case. A list is a field for each item. */
export type FieldList = ReadonlyMap<string, readonly string[]>

/**
 * Reads header fields that a node has computed. Null and undefined leave a field out.
 * @param isKept names, lower case, that no node may set are left out
 * @throws NodeFailure for what is no field
 */
export function readFields(value: unknown, isKept: (name: string) => boolean): FieldList {
  const fields = new Map<string, readonly string[]>()
  if (value === undefined || value === null) return fields
  if (!isPlain(value)) throw new NodeFailure('headers', 'headers is no object')
  let bytes = 0
  for (const [name, given] of Object.entries(value as Plain)) {
    if (given === undefined || given === null || !isKept(name.toLowerCase())) continue
    if (!NAME.test(name)) throw new NodeFailure('headers', 'headers has a name that no header can have')
    const values = [given].flat().map((one) => scalarText(one)?.trim())
    if (!values.every((one) => one !== undefined && VALUE.test(one)))
      throw new NodeFailure('headers', `the value of the header ${name} is no text that a header can hold`)
    for (const one of values) bytes += name.length + one!.length
    if (bytes > BYTES_MAX) throw new NodeFailure('headers', `the headers are longer than ${BYTES_MAX} bytes`)
    fields.set(name.toLowerCase(), values as string[])
  }
  return fields
}

/** Lines that end in CRLF. */
export function toLines(fields: FieldList): string {
  let lines = ''
  for (const [name, values] of fields) for (const value of values) lines += `${name}: ${value}\r\n`
  return lines
}

/** Header lines as an object: names in lower case, values of a repeated header joined by `, `; those of set-cookie are a list. */
export function toFieldObject(lines: string): Plain {
  const found: Plain = Object.create(null) as Plain
  for (const line of lines.split('\r\n')) {
    const colon = line.indexOf(':')
    if (colon <= 0) continue
    const name = line.slice(0, colon).toLowerCase()
    const value = line.slice(colon + 1).trim()
    const before = found[name]
    if (name !== 'set-cookie') found[name] = before === undefined ? value : `${String(before)}, ${value}`
    else if (before === undefined) found[name] = [value]
    else (before as string[]).push(value)
  }
  return found
}
