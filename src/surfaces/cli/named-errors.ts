/** Names what is wrong with the input of an operation as it was written: by flags, or by the line of a file. */
import { lineIn } from '../../import/text/lines.ts'
import type { Operation } from '../../operations/engine/define.ts'
import { type ProblemBody, ProblemError } from '../client/send.ts'
import { fieldsOf } from '../fields.ts'
import { flagsOf, type Given, isGiven } from './flags.ts'

/** What an input was made of. */
export interface Written {
  readonly given: Given
  /** The text of `--file`; null without one. */
  readonly text: string | null
}

/** The same error with flags, or lines of a file, in the place of JSON pointers and of the names of members. */
export function withFlags(error: unknown, operation: Operation, written: Written): unknown {
  if (!(error instanceof ProblemError)) return error
  const { problem } = error
  const place = (pointer: string): string => placeOf(pointer, operation, written)
  const errors = problem.errors.map(({ pointer, reason }) => ({ pointer: place(pointer), reason }))
  return new ProblemError({ ...problem, detail: detailOf(problem, operation, place), errors })
}

function detailOf(
  { detail, errors }: ProblemBody,
  operation: Operation,
  place: (pointer: string) => string,
): string {
  const first = errors.find(({ pointer }) => pointer !== '' && detail.startsWith(`${pointer}: `))
  if (first !== undefined) return place(first.pointer) + detail.slice(first.pointer.length)
  return withFlagNames(detail, operation)
}

/** A sentence with flags in the place of members whose names are no words of English. */
export function withFlagNames(text: string, operation: Operation): string {
  const flags = flagsOf(operation)
  return text.replaceAll(
    /(?<![\w/"'.-])[a-z]+(?:_[a-z]+)+(?![\w"'.]*["'\w])/g,
    (name) => flags.get(name) ?? name,
  )
}

function placeOf(pointer: string, operation: Operation, { given, text }: Written): string {
  const steps = pointer.split('/').slice(1)
  const [top] = steps
  if (top === undefined || top === '') return pointer
  const flag = flagsOf(operation).get(top)
  const rest = pointer.slice(top.length + 1)
  const path = steps.reduce((before, step) =>
    /^\d+$/.test(step) ? `${before}[${step}]` : `${before}.${step}`,
  )
  const set = (given['set'] ?? []) as readonly string[]
  if (set.some((one) => one.startsWith(top) && /^[=.[]/.test(one.slice(top.length)))) return `--set ${path}`
  if (top === 'limits' && (given['limit'] ?? given['quota']) !== undefined)
    return `--limit or --quota (${path})`
  const field = fieldsOf(operation).find(({ name }) => name === top)
  if (field !== undefined && flag !== undefined && isGiven(operation, field, given))
    return rest === '' ? flag : `${flag} ${rest}`
  if (typeof given['json'] === 'string') return `--json ${pointer}`
  if (text !== null && typeof given['file'] === 'string') {
    const line = lineIn(text, 0, pointer)
    const file = given['file'] === '-' ? 'standard input' : given['file']
    return `${file}${line === null ? '' : `:${line}`} ${pointer}`
  }
  if (top === 'id') return '<id>'
  return flag === undefined || rest !== '' ? `--set ${path}` : flag
}
