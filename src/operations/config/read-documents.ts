import { isPlain, pointerTo } from '../../base/json/storable.ts'
import { type FieldError, Refusal, refuse, type Sought } from '../../base/refusal.ts'
import { nearestName } from '../../base/text/distance.ts'
import { fromDescription, isDescription, type Placed } from '../../import/openapi/documents.ts'
import { readYamlStream } from '../../import/text/yaml.ts'
import { Slug } from '../../model/members.ts'
import type { Fields } from '../../store/ports/resource.ts'
import type { Kind } from '../engine/kind.ts'
import { KIND_WORDS, kindCalled } from './address.ts'

/** Documents at once. */
const DOCUMENTS_MAX = 50_000
/** Faults that one refusal names. */
const ERRORS_MAX = 100
/** Warnings that one answer tells. */
const WARNINGS_MAX = 200

/** One document, its variables filled in; the spec is not judged yet. */
export interface ReadDocument {
  readonly kind: Kind
  readonly slug: string
  readonly spec: Fields
  /** Pointer to it in the input. */
  readonly place: string
  /** Pointer to the members of its spec in the input. */
  readonly specPlace: string
  /** Of an OpenAPI description. */
  readonly isDescribed: boolean
}

interface Read {
  readonly documents: readonly ReadDocument[]
  /** What descriptions among them say and is read differently. */
  readonly warnings: readonly FieldError[]
}

/**
 * Documents out of an input: objects, and texts of YAML or JSON that hold any number of them. An OpenAPI description
 * with `x-postern` is several. Refuses with
 * document_invalid a text that cannot be read, with input_invalid what is no document.
 */
export function readDocuments(given: readonly (string | Fields)[], variables: Variables): Read {
  const errors: FieldError[] = []
  const documents: ReadDocument[] = []
  const warnings: FieldError[] = []
  for (const [index, one] of given.entries()) {
    const place = `/documents/${index}`
    for (const [inner, value] of typeof one === 'string' ? readText(one, place) : [['', one] as const]) {
      const at = place + inner
      const filled = fill(value, at, variables, errors)
      const isOne = !isPlain(filled) || !isDescription(filled)
      const described = isOne ? null : fromDescription(filled, at)
      for (const one of described?.documents ?? [{ value: filled, place: at, specPlace: `${at}/spec` }]) {
        const document = readOne(one, !isOne, errors)
        if (document !== null) documents.push(document)
      }
      warnings.push(...(described?.warnings ?? []))
    }
    if (documents.length > DOCUMENTS_MAX)
      throw refuse('input_invalid', { detail: `More than ${DOCUMENTS_MAX} documents at once.` })
  }
  refuseFaults(errors)
  return { documents, warnings: warnings.slice(0, WARNINGS_MAX) }
}

/**
 * Refuses with input_invalid when there are faults.
 * @param sought references among them that lead nowhere.
 */
export function refuseFaults(errors: readonly FieldError[], sought: readonly Sought[] = []): void {
  const [first] = errors
  if (first === undefined) return
  throw refuse('input_invalid', {
    detail: `${first.pointer}: ${first.reason}${first.reason.endsWith('?') ? '' : '.'}`,
    errors: errors.slice(0, ERRORS_MAX),
    sought,
  })
}

/** The documents of a text with their places in it. Lists hold documents too; empty ones are none. */
function readText(text: string, place: string): (readonly [string, unknown])[] {
  let values: unknown[]
  try {
    values = readYamlStream(text)
  } catch (error) {
    if (!(error instanceof Refusal) || error.code !== 'document_invalid') throw error
    const errors = (error.facts.errors ?? []).map(({ pointer, reason }) => ({
      pointer: place + pointer,
      reason,
    }))
    throw refuse('document_invalid', { detail: error.message, errors })
  }
  return values
    .flatMap((value, index): (readonly [string, unknown])[] =>
      Array.isArray(value)
        ? value.map((item: unknown, at) => [`/${index}/${at}`, item])
        : [[`/${index}`, value]],
    )
    .filter(([, value]) => value !== null)
}

/** The same with the values of variables; those that have none are faults. */
function fill(value: unknown, place: string, variables: Variables, errors: FieldError[]): unknown {
  const missing = new Set<string>()
  const filled = withVariables(value, variables, (name) => missing.add(name))
  for (const name of missing)
    errors.push({
      pointer: place,
      reason: `there is no value for the variable ${name}; give it as variables, on the command line with --var ${name}=… or --var-file`,
    })
  return filled
}

function readOne(
  { value: filled, place, specPlace }: Placed<unknown>,
  isDescribed: boolean,
  errors: FieldError[],
): ReadDocument | null {
  const before = errors.length
  const fault = (pointer: string, reason: string): void => {
    errors.push({ pointer: place + pointer, reason })
  }
  if (!isPlain(filled)) {
    fault('', 'a document is an object of kind, slug and spec')
    return null
  }
  for (const name of Object.keys(filled))
    if (!MEMBERS.includes(name)) fault(pointerTo('', name), unknownMember(name, MEMBERS))
  const kind = typeof filled['kind'] === 'string' ? kindCalled(filled['kind']) : undefined
  if (kind === undefined) fault('/kind', unknownKind(filled['kind']))
  const slug = Slug.safeParse(filled['slug'])
  if (!slug.success) fault('/slug', filled['slug'] === undefined ? 'required' : slug.error.issues[0]!.message)
  const { spec } = filled
  if (!isPlain(spec)) fault('/spec', spec === undefined ? 'required' : 'must be an object')
  else if (spec['slug'] !== undefined) fault('/spec/slug', 'belongs beside spec, not in it')
  if (errors.length > before || kind === undefined || !slug.success || !isPlain(spec)) return null
  return { kind, slug: slug.data, spec, place, specPlace, isDescribed }
}

const MEMBERS: readonly string[] = ['kind', 'slug', 'spec']

function unknownMember(name: string, known: readonly string[]): string {
  const nearest = nearestName(name, known)
  return nearest === null ? 'unknown member' : `unknown member; did you mean ${nearest}?`
}

function unknownKind(word: unknown): string {
  const nearest = typeof word === 'string' ? nearestName(word, KIND_WORDS) : null
  const asked = nearest === null ? '' : `; did you mean ${nearest}?`
  return `must be one of ${KIND_WORDS.join(', ')}${asked}`
}

export type Variables = Readonly<Record<string, string | number | boolean>>

/** The name of a variable. */
export const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_-]{0,63}$/

/** `${var.NAME}`; each dollar more in front of it is one that stands for itself. */
const PLACE = /(\$+)\{var\.([A-Za-z_][A-Za-z0-9_-]{0,63})\}/g

/**
 * A copy with the values of variables in the place of `${var.NAME}`, in texts at any depth; `$${var.NAME}` is the text
 * `${var.NAME}`. A text that is nothing but one variable becomes its value, also a number or a truth value.
 * @param missing told of each name that has no value
 */
function withVariables(value: unknown, values: Variables, missing: (name: string) => void): unknown {
  const known = (name: string): string | number | boolean => {
    if (Object.hasOwn(values, name)) return values[name]!
    missing(name)
    return ''
  }
  const fill = (item: unknown): unknown => {
    if (typeof item === 'string') return filled(item, known)
    if (Array.isArray(item)) return item.map(fill)
    if (isPlain(item))
      return Object.fromEntries(Object.entries(item).map(([name, inner]) => [name, fill(inner)]))
    return item
  }
  return fill(value)
}

function filled(text: string, known: (name: string) => string | number | boolean): unknown {
  if (!text.includes('{var.')) return text
  const whole = /^\$\{var\.([A-Za-z0-9_-]+)\}$/.exec(text)?.[1]
  if (whole !== undefined && VARIABLE_NAME.test(whole)) return known(whole)
  return text.replaceAll(PLACE, (place, dollars: string, name: string) =>
    dollars.length === 1 ? String(known(name)) : place.slice(1),
  )
}

/** A copy in which nothing is taken for a variable: the inverse of {@link withVariables}. */
export function withoutVariables(value: unknown): unknown {
  if (typeof value === 'string')
    return value.includes('{var.') ? value.replaceAll(PLACE, (place) => `$${place}`) : value
  if (Array.isArray(value)) return value.map(withoutVariables)
  if (!isPlain(value)) return value
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, withoutVariables(inner)]))
}
