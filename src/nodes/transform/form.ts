/** `application/x-www-form-urlencoded`. */
import { isPlain, type Plain, scalarText } from '../../base/json/plain.ts'
import { NodeFailure } from '../run.ts'

const FIELDS_MAX = 10_000

/** Texts by name; a name that repeats has a list. */
export function readForm(text: string): Plain {
  const found = new Map<string, string | string[]>()
  let count = 0
  for (const [name, value] of new URLSearchParams(text)) {
    if (++count > FIELDS_MAX) throw new NodeFailure('form', `the form has more than ${FIELDS_MAX} fields`)
    const before = found.get(name)
    if (before === undefined) found.set(name, value)
    else if (typeof before === 'string') found.set(name, [before, value])
    else before.push(value)
  }
  return Object.fromEntries(found)
}

/** Null leaves a field out; a list is a field for each item. @throws NodeFailure */
export function writeForm(value: unknown): string {
  if (!isPlain(value)) throw new NodeFailure('form', 'a form is made of an object')
  const fields = new URLSearchParams()
  for (const [name, given] of Object.entries(value))
    for (const item of [given].flat()) {
      if (item === null || item === undefined) continue
      const text = scalarText(item)
      if (text === undefined)
        throw new NodeFailure('form', `the field "${name}" is neither text nor a number`)
      fields.append(name, text)
    }
  return fields.toString()
}
