/**
 * JSON Schema 2020-12 and draft-07 for bodies. Schemas come from operators and imported descriptions, values from
 * anybody, so nothing here may take more than about linear time in the value.
 */
import { Ajv, type ErrorObject, type Options, str, type ValidateFunction } from 'ajv'
import { Ajv2020 } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import { canonicalJson } from '../../base/canonical.ts'
import { isMultipleOf } from '../../base/decimal.ts'
import { linearPattern } from '../../base/linear-pattern.ts'
import type { Plain } from '../../base/plain.ts'
import { pointerTo } from '../../base/pointer.ts'
import type { FieldError } from '../../base/refusal.ts'
import type { JsonSchema } from '../../model/proxy.ts'
import { CHECKED_FORMATS } from '../../model/schema-formats.ts'
import type { Definitions, Way } from '../../model/schema-looseness.ts'
import { Effort, NO_NUMBERS, TooMuch } from './effort.ts'
import { createPreparation, FOLLOWED, SHARED, type SharedReference } from './prepare.ts'

/**
 * What is wrong with a value, or null. Pointers lead into the value.
 * @param inexact doubles in the value that stand for numbers that they do not hold exactly: nothing is refused for the
 *   difference
 */
export type Judge = (value: unknown, inexact?: ReadonlySet<number>) => FieldError[] | null

/** Compiles schemas whose `#/$defs/<name>` may lead into shared ones. */
export interface SchemaJudges {
  /**
   * Compiles a schema; of the shared ones only those that a value leads to, when it does. Throws a RangeError that
   * says what is wrong with the schema.
   */
  of(schema: JsonSchema, way: Way): Judge
  /** The shared schemas themselves. */
  readonly shared: Definitions
}

/** Errors that one value is told. */
export const ERRORS_MAX = 20
/** Those that are looked at for it: many say the same. */
const LOOKED_AT_MAX = ERRORS_MAX * 4
const POINTER_MAX = 512

type Lookup = (reference: SharedReference) => ValidateFunction

/** @param lenient take an expression that is not regular for one that fits everything, instead of throwing. */
function createAjv(
  draft7: boolean,
  allErrors: boolean,
  lenient: boolean,
  lookUp: Lookup,
  effort: Effort,
): Ajv {
  const regExp = Object.assign(
    (source: string) => {
      const pattern = linearPattern(source)
      if (pattern === null && !lenient)
        throw new RangeError(
          `the pattern ${source.slice(0, 80)} is broken, too large, or needs look-around or back references`,
        )
      // Expressions of one schema are told apart by their text.
      return { test: (text: string) => pattern === null || pattern.test(text), toString: () => source }
    },
    { code: '' },
  )
  const options: Options = {
    strict: false,
    meta: !lenient,
    validateSchema: !lenient,
    addUsedSchema: false,
    ownProperties: true,
    // 1e400 is a number of JSON, and Infinity here.
    strictNumbers: false,
    logger: false,
    allErrors,
    code: { regExp },
  }
  const ajv = draft7 ? new Ajv(options) : new Ajv2020(options)
  formats.default(ajv, { mode: 'fast', formats: [...CHECKED_FORMATS] })
  ajv.addFormat('email', EMAIL)
  ajv.addFormat('byte', BYTE)
  takeNumbers(ajv, effort)
  // The built-in compares each item with each other.
  ajv.removeKeyword('uniqueItems')
  ajv.addKeyword({
    keyword: 'uniqueItems',
    type: 'array',
    schemaType: 'boolean',
    validate: isUniqueBy(effort),
  })
  ajv.addKeyword({
    keyword: SHARED,
    schemaType: 'object',
    errors: 'full',
    compile: (reference: SharedReference) => {
      const name = keyOf(reference)
      const judge = Object.assign(
        (value: unknown, place?: { instancePath: string }): boolean => {
          const known =
            effort.spend() && value !== null && typeof value === 'object' ? effort.known(name) : null
          // What known is not null for
          const before = known?.get(value as object)
          if (before !== undefined) {
            judge.errors = [...before]
            return before.length === 0
          }
          const validate = lookUp(reference)
          // The generated function reads the place for its errors from its second argument.
          const fits = validate(value, place as Parameters<ValidateFunction>[1])
          judge.errors = fits ? [] : (validate.errors ?? []).slice(0, LOOKED_AT_MAX)
          // A copy: the list itself grows and shrinks with what is found elsewhere
          known?.set(value as object, [...judge.errors])
          return fits
        },
        { errors: [] as ErrorObject[] },
      )
      return judge
    },
  })
  ajv.addKeyword({
    keyword: FOLLOWED,
    schemaType: 'boolean',
    validate: () => {
      if (effort.spend()) throw new TooMuch()
      return true
    },
  })
  return ajv
}

function keyOf({ name, others }: SharedReference): string {
  return others.length === 0 ? name : JSON.stringify([name, ...others])
}

/** Quoted names and address literals are addresses too (RFC 5321 section 4.1.2). */
const EMAIL = /^(?:"(?:[^"\\]|\\.)*"|[^\s@"]+)@(?:\[[^\s\]]+\]|[^\s@.-][^\s@]*)$/
/** Base64 in either alphabet, with or without padding and line breaks: which of them is meant differs between APIs. */
const BYTE = /^[A-Za-z0-9+/_\r\n-]*={0,2}[\r\n]*$/

/** Keywords of numbers in decimal arithmetic. A double that is not the number that was written is given the benefit of the doubt. */
function takeNumbers(ajv: Ajv, effort: Effort): void {
  ajv.removeKeyword('multipleOf')
  ajv.addKeyword({
    keyword: 'multipleOf',
    type: 'number',
    schemaType: 'number',
    validate: (divisor: number, value: number) => isMultipleOf(value, divisor) || effort.isInexact(value),
    error: { message: ({ schemaCode }) => str`must be multiple of ${schemaCode}` },
  })
  const isNear = (bound: number, value: number): boolean =>
    value === bound && (effort.isInexact(value) || !isExactBound(bound))
  ajv.removeKeyword('exclusiveMinimum')
  ajv.addKeyword({
    keyword: 'exclusiveMinimum',
    type: 'number',
    schemaType: 'number',
    validate: (bound: number, value: number) => value > bound || isNear(bound, value),
    error: { message: ({ schemaCode }) => str`must be > ${schemaCode}` },
  })
  ajv.removeKeyword('exclusiveMaximum')
  ajv.addKeyword({
    keyword: 'exclusiveMaximum',
    type: 'number',
    schemaType: 'number',
    validate: (bound: number, value: number) => value < bound || isNear(bound, value),
    error: { message: ({ schemaCode }) => str`must be < ${schemaCode}` },
  })
}

/** Bounds of schemas were read as doubles when they were stored. */
function isExactBound(bound: number): boolean {
  return Math.abs(bound) <= Number.MAX_SAFE_INTEGER
}

function isUniqueBy(effort: Effort): (wanted: boolean, items: readonly unknown[]) => boolean {
  return (wanted, items) => {
    if (!wanted) return true
    const plain = new Set<unknown>()
    const composite = new Set<string>()
    let uncertain = 0
    for (const item of items)
      if (item !== null && typeof item === 'object') {
        if (effort.hasInexact()) uncertain++
        else composite.add(canonicalJson(item))
      } else if (typeof item === 'number' && effort.isInexact(item)) uncertain++
      else plain.add(item)
    return plain.size + composite.size + uncertain === items.length
  }
}

/**
 * @param shared schemas by name.
 * @param lenient for schemas that are stored already: an expression that is not regular fits everything.
 */
export function createSchemaJudges(
  shared: Readonly<Record<string, unknown>>,
  lenient: boolean,
): SchemaJudges {
  const definitions: Definitions = {
    has: (name: string): boolean => Object.hasOwn(shared, name),
    get: (name: string): unknown => shared[name],
  }
  const effort = new Effort()
  const prepare = {
    request: createPreparation(definitions, 'request', lenient),
    response: createPreparation(definitions, 'response', lenient),
  }

  /** One way of looking: to the first error, or to all of them. */
  function createPass(
    allErrors: boolean,
    way: Way,
  ): (prepared: Plain | boolean, draft7: boolean) => ValidateFunction {
    const known = new Map<string, ValidateFunction>()
    const lookUp: Lookup = (reference) => {
      const { name, others } = reference
      const key = keyOf(reference)
      let validate = known.get(key)
      if (validate === undefined) {
        // A schema that is reached only now must not refuse what the rest allows: it was judged when it was stored.
        const { schema } = prepare[way](shared[name] as JsonSchema, others)
        validate = compiled(() => ajvOf('modern').compile(schema), name)
        known.set(key, validate)
      }
      return validate
    }
    const made: { modern?: Ajv; draft7?: Ajv } = {}
    const ajvOf = (dialect: 'modern' | 'draft7'): Ajv => {
      made[dialect] ??= createAjv(dialect === 'draft7', allErrors, lenient, lookUp, effort)
      return made[dialect]
    }
    return (prepared, draft7) => ajvOf(draft7 ? 'draft7' : 'modern').compile(prepared)
  }

  const first = { request: createPass(false, 'request'), response: createPass(false, 'response') }
  const all = { request: createPass(true, 'request'), response: createPass(true, 'response') }

  return {
    shared: definitions,
    of(schema, way) {
      const { schema: prepared, draft7 } = prepare[way](schema)
      const fits = compiled(() => first[way](prepared, draft7))
      let full: ValidateFunction | null = null
      return (value, inexact = NO_NUMBERS) => {
        const errors = effort.run(value, inexact, () => errorsOf(fits, value))
        if (errors.length === 0) return null
        if (!isSmall(value)) return toFieldErrors(errors)
        full ??= all[way](prepared, draft7)
        const validate = full
        const more = effort.run(value, inexact, () => errorsOf(validate, value))
        return toFieldErrors(more.length === 0 || more[0] === TOO_MUCH ? errors : more)
      }
    },
  }
}

const TOO_MUCH: ErrorObject = {
  instancePath: '',
  schemaPath: '',
  keyword: FOLLOWED,
  params: {},
  message: 'takes too long to be judged',
}

/** Empty for a value that fits. */
function errorsOf(validate: ValidateFunction, value: unknown): readonly ErrorObject[] {
  try {
    return validate(value) ? [] : (validate.errors ?? []).slice(0, LOOKED_AT_MAX)
  } catch (error) {
    if (error instanceof TooMuch) return [TOO_MUCH]
    throw error
  }
}

/** @param name of a shared schema. */
function compiled(compile: () => ValidateFunction, name: string | null = null): ValidateFunction {
  try {
    return compile()
  } catch (error) {
    const which = name === null ? 'the schema' : `the shared schema "${name}"`
    throw new RangeError(`${which} cannot be used: ${error instanceof Error ? error.message : 'unknown'}`)
  }
}

/** Values of few parts: looking for every error in a large one would cost more than the answer is worth. */
const PARTS_MAX = 2000

function isSmall(value: unknown): boolean {
  let left = PARTS_MAX
  const spend = (part: unknown): boolean => {
    if (--left < 0) return false
    if (part === null || typeof part !== 'object') return true
    return Object.values(part).every(spend)
  }
  return spend(value)
}

function toFieldErrors(errors: readonly ErrorObject[]): FieldError[] {
  const found = new Map<string, FieldError>()
  for (const error of errors) {
    const { instancePath, keyword, params } = error
    const pointer =
      keyword === 'required' || keyword === 'dependentRequired'
        ? pointerTo(instancePath, String(params['missingProperty']))
        : instancePath
    const reason = reasonOf(error)
    const key = `${pointer} ${reason}`
    if (!found.has(key)) found.set(key, { pointer: pointer.slice(0, POINTER_MAX), reason })
    if (found.size === ERRORS_MAX) break
  }
  return [...found.values()]
}

function reasonOf({ keyword, params, message }: ErrorObject): string {
  switch (keyword) {
    case 'required':
    case 'dependentRequired':
      return 'is required'
    case 'additionalProperties':
    case 'unevaluatedProperties':
      return `must not have the property ${JSON.stringify(String(params['additionalProperty'] ?? params['unevaluatedProperty']).slice(0, 80))}`
    case 'enum':
      return `must be one of ${JSON.stringify(params['allowedValues']).slice(0, 200)}`
    case 'const':
      return `must be ${JSON.stringify(params['allowedValue']).slice(0, 200)}`
    case 'uniqueItems':
      return 'must not have equal items'
    case 'false schema':
      return 'is not allowed here'
    default:
      return (message ?? `must satisfy ${keyword}`).slice(0, 300)
  }
}
