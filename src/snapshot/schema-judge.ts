/**
 * JSON Schema 2020-12 and draft-07 for bodies. Schemas come from operators and imported descriptions, values from
 * anybody, so nothing here may take more than about linear time in the value.
 */
import { Ajv, type ErrorObject, type Options, type ValidateFunction } from 'ajv'
import { Ajv2020 } from 'ajv/dist/2020.js'
import formats, { type FormatName } from 'ajv-formats'
import { canonicalJson } from '../base/canonical.ts'
import { linearPattern } from '../base/linear-pattern.ts'
import type { Plain } from '../base/plain.ts'
import { pointerTo } from '../base/pointer.ts'
import type { FieldError } from '../base/refusal.ts'
import type { JsonSchema } from '../model/proxy.ts'
import { Effort, TooMuch } from './schema-effort.ts'
import { FOLLOWED, prepareSchema, SHARED, type Way } from './schema-prepare.ts'

/** What is wrong with a value, or null. Pointers lead into the value. */
export type Judge = (value: unknown) => FieldError[] | null

/** Compiles schemas whose `#/$defs/<name>` may lead into shared ones. */
export interface SchemaJudges {
  /**
   * Compiles a schema; of the shared ones only those that a value leads to, when it does. Throws a RangeError that
   * says what is wrong with the schema.
   */
  of(schema: JsonSchema, way: Way): Judge
}

/** Errors that one value is told. */
export const ERRORS_MAX = 20
/** Those that are looked at for it: many say the same. */
const LOOKED_AT_MAX = ERRORS_MAX * 4
const POINTER_MAX = 512

/** Formats that are asserted; the others are notes. All are simple expressions or functions. */
const FORMATS: FormatName[] = [
  'date',
  'time',
  'date-time',
  'email',
  'hostname',
  'ipv4',
  'ipv6',
  'uri',
  'uri-reference',
  'uuid',
  'json-pointer',
  'byte',
  'int32',
  'int64',
  'float',
  'double',
]

type Lookup = (name: string) => ValidateFunction

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
    logger: false,
    allErrors,
    code: { regExp },
  }
  const ajv = draft7 ? new Ajv(options) : new Ajv2020(options)
  formats.default(ajv, { mode: 'fast', formats: FORMATS })
  // The built-in compares each item with each other.
  ajv.removeKeyword('uniqueItems')
  ajv.addKeyword({ keyword: 'uniqueItems', type: 'array', schemaType: 'boolean', validate: isUnique })
  ajv.addKeyword({
    keyword: SHARED,
    schemaType: 'string',
    errors: 'full',
    compile: (name: string) => {
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
          const validate = lookUp(name)
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

function isUnique(wanted: boolean, items: readonly unknown[]): boolean {
  if (!wanted) return true
  const plain = new Set<unknown>()
  const composite = new Set<string>()
  for (const item of items)
    if (item !== null && typeof item === 'object') composite.add(canonicalJson(item))
    else plain.add(item)
  return plain.size + composite.size === items.length
}

/**
 * @param shared schemas by name.
 * @param lenient for schemas that are stored already: an expression that is not regular fits everything.
 */
export function createSchemaJudges(
  shared: Readonly<Record<string, unknown>>,
  lenient: boolean,
): SchemaJudges {
  const has = (name: string): boolean => Object.hasOwn(shared, name)
  const effort = new Effort()

  /** One way of looking: to the first error, or to all of them. */
  function createPass(
    allErrors: boolean,
    way: Way,
  ): (prepared: Plain | boolean, draft7: boolean) => ValidateFunction {
    const known = new Map<string, ValidateFunction>()
    const lookUp: Lookup = (name) => {
      let validate = known.get(name)
      if (validate === undefined) {
        // A schema that is reached only now must not refuse what the rest allows: it was judged when it was stored.
        const { schema } = prepareSchema(shared[name] as JsonSchema, has, way)
        validate = compiled(() => ajvOf('modern').compile(schema), name)
        known.set(name, validate)
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
    of(schema, way) {
      const { schema: prepared, draft7 } = prepareSchema(schema, has, way)
      const fits = compiled(() => first[way](prepared, draft7))
      let full: ValidateFunction | null = null
      return (value) => {
        const errors = effort.run(value, () => errorsOf(fits, value))
        if (errors.length === 0) return null
        if (!isSmall(value)) return toFieldErrors(errors)
        full ??= all[way](prepared, draft7)
        const validate = full
        const more = effort.run(value, () => errorsOf(validate, value))
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
