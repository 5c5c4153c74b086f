/**
 * JSON Schema 2020-12 and draft-07 for bodies. Schemas come from operators and imported descriptions, values from
 * anybody, so a judgement takes a number of steps that is bounded by the size of the value, whatever the schema.
 */
import type { FieldError } from '../../base/refusal.ts'
import type { JsonSchema } from '../../model/api/proxy.ts'
import type { Definitions, Way } from '../../model/schema-looseness.ts'
import type { Places } from './assertions.ts'
import { Effort, type Goal, NO_NUMBERS, TooMuch } from './effort.ts'
import { Part } from './judging-parts.ts'
import { createPreparation, type Prepared, type SharedReference } from './prepare.ts'

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

/**
 * @param shared schemas by name.
 * @param lenient for schemas that are stored already: an expression that is not regular fits everything.
 * @param effort counts the steps of each judgement.
 */
export function createSchemaJudges(
  shared: Readonly<Record<string, unknown>>,
  lenient: boolean,
  effort: Effort = new Effort(),
): SchemaJudges {
  const definitions: Definitions = {
    has: (name: string): boolean => Object.hasOwn(shared, name),
    get: (name: string): unknown => shared[name],
  }
  const ways = { request: createWay('request'), response: createWay('response') }

  function createWay(way: Way): (schema: JsonSchema) => Part {
    const prepare = createPreparation(definitions, way, lenient)
    const known = new Map<string, Part>()
    /** A schema that is reached only now must not refuse what the rest allows: it was judged when it was stored. */
    const sharedPart = ({ name, others }: SharedReference): Part => {
      const key = others.length === 0 ? name : JSON.stringify([name, ...others])
      let part = known.get(key)
      if (part === undefined) {
        part = rootOf(
          usable(() => prepare(shared[name] as JsonSchema, others), `the shared schema "${name}"`),
        )
        known.set(key, part)
      }
      return part
    }
    const rootOf = (prepared: Prepared): Part => {
      const parts = new Map<unknown, Part>()
      const places: Places = {
        isModern: prepared.isModern,
        part: (schema) => {
          let part = parts.get(schema)
          if (part === undefined) {
            part = new Part(schema, places)
            parts.set(schema, part)
          }
          return part
        },
        local: (reference) => places.part(prepared.target(reference)),
        shared(schema) {
          const reference = prepared.sharedOf(schema)
          return reference === undefined ? undefined : () => sharedPart(reference)
        },
        tags: (schema) => prepared.tagsOf(schema),
      }
      // Of the class that is made above
      return places.part(prepared.schema) as Part
    }
    return (schema) => rootOf(usable(() => prepare(schema), 'the schema'))
  }

  return {
    shared: definitions,
    of(schema, way) {
      const root = ways[way](schema)
      const look = (value: unknown, inexact: ReadonlySet<number>, goal: Goal): boolean =>
        effort.run(value, inexact, goal, () => root.fits(value, effort))
      return (value, inexact = NO_NUMBERS) => {
        try {
          if (look(value, inexact, 'fits')) return null
        } catch (error) {
          if (error instanceof TooMuch) return [TOO_MUCH]
          throw error
        }
        try {
          look(value, inexact, isSmall(value) ? 'all' : 'first')
          return toldOf(effort.errors)
        } catch (error) {
          // It does not fit, and where would take too long to say
          if (error instanceof TooMuch) return [UNFIT]
          throw error
        }
      }
    },
  }
}

const TOO_MUCH: FieldError = { pointer: '', reason: 'takes too long to be judged' }
const UNFIT: FieldError = { pointer: '', reason: 'does not fit the schema' }

/** @param which schema it is, for the error. */
function usable(prepare: () => Prepared, which: string): Prepared {
  try {
    return prepare()
  } catch (error) {
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

/** Errors without repetitions, and not too many. */
function toldOf(errors: readonly FieldError[]): FieldError[] {
  const found = new Map<string, FieldError>()
  for (const error of errors) {
    const key = `${error.pointer} ${error.reason}`
    if (!found.has(key)) found.set(key, error)
    if (found.size === ERRORS_MAX) break
  }
  return found.size === 0 ? [UNFIT] : [...found.values()]
}
