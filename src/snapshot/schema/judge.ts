/**
 * JSON Schema 2020-12 and draft-07 for bodies. Schemas come from operators and imported descriptions, values from
 * anybody, so each value is judged within a bound of steps, and no code is generated from a schema.
 */
import { isPlain } from '../../base/plain.ts'
import { tokenText } from '../../base/pointer.ts'
import type { FieldError } from '../../base/refusal.ts'
import type { JsonSchema } from '../../model/proxy.ts'
import type { Definitions, Way } from '../../model/schema-looseness.ts'
import { explain, fits, type Linked, Linker } from './applicators.ts'
import { Effort, NO_NUMBERS, TooMuch } from './effort.ts'
import { ERRORS_MAX, Findings } from './findings.ts'
import { createPreparation, type SharedReference } from './prepare.ts'

/**
 * What is wrong with a value, or null. Pointers lead into the value.
 * @param inexact doubles in the value that stand for numbers that they do not hold exactly: nothing is refused for the
 *   difference
 */
export type Judge = (value: unknown, inexact?: ReadonlySet<number>) => FieldError[] | null

/** Links schemas whose `#/$defs/<name>` may lead into shared ones. */
export interface SchemaJudges {
  /**
   * Links a schema; of the shared ones only those that a value leads to, when it does. Throws a RangeError that
   * says what is wrong with the schema.
   */
  of(schema: JsonSchema, way: Way): Judge
  /** The shared schemas themselves. */
  readonly shared: Definitions
}

/** Values of few parts: looking for every error in a large one would cost more than the answer is worth. */
const PARTS_MAX = 2000

/**
 * @param shared schemas by name.
 * @param lenient for schemas that are stored already: an expression that is not regular fits everything.
 * @param watch told the steps that each judgement took, for tests
 */
export function createSchemaJudges(
  shared: Readonly<Record<string, unknown>>,
  lenient: boolean,
  watch: (steps: number) => void = () => {},
): SchemaJudges {
  const definitions: Definitions = {
    has: (name: string): boolean => Object.hasOwn(shared, name),
    get: (name: string): unknown => shared[name],
  }
  const ways = { request: createLinking('request'), response: createLinking('response') }

  /** Links schemas for values that go one way. */
  function createLinking(way: Way): (schema: JsonSchema) => Linked {
    const prepare = createPreparation(definitions, way, lenient)
    const known = new Map<string, Linked>()
    const link = (schema: JsonSchema, others?: readonly string[]): Linked => {
      const prepared = prepare(schema, others)
      const linker: Linker = new Linker(
        { local: (reference) => linker.of(targetIn(prepared, reference)), shared: sharedAt },
        lenient,
      )
      return linker.link(prepared)
    }
    function sharedAt({ name, others }: SharedReference): Linked {
      const key = others.length === 0 ? name : JSON.stringify([name, ...others])
      let linked = known.get(key)
      if (linked === undefined) {
        linked = usable(() => link(shared[name] as JsonSchema, others), `the shared schema "${name}"`)
        known.set(key, linked)
      }
      return linked
    }
    return (schema) => usable(() => link(schema), 'the schema')
  }

  return {
    shared: definitions,
    of(schema, way) {
      const linked = ways[way](schema)
      return (value, inexact = NO_NUMBERS) => {
        const effort = new Effort(value, inexact)
        try {
          if (fits(linked, value, effort)) return null
        } catch (error) {
          if (error instanceof TooMuch) return [TOO_MUCH]
          throw error
        } finally {
          watch(effort.spent)
        }
        return errorsOf(linked, value, inexact, watch)
      }
    },
  }
}

const TOO_MUCH: FieldError = { pointer: '', reason: 'takes too long to be judged' }

/** What is wrong with a value that does not fit: as much as was found within the same bound of steps. */
function errorsOf(
  linked: Linked,
  value: unknown,
  inexact: ReadonlySet<number>,
  watch: (steps: number) => void,
): FieldError[] {
  const effort = new Effort(value, inexact)
  const findings = new Findings(effort, isSmall(value) ? ERRORS_MAX : 1)
  try {
    explain(linked, value, '', findings)
  } catch (error) {
    if (!(error instanceof TooMuch)) throw error
  } finally {
    watch(effort.spent)
  }
  const found = findings.list()
  return found.length === 0 ? [{ pointer: '', reason: 'does not fit the schema' }] : found
}

/** The part of a prepared schema that a local reference leads to. Throws a RangeError where there is none. */
function targetIn(root: unknown, reference: string): unknown {
  const missing = (): never => {
    throw new RangeError(`the reference ${reference.slice(0, 200)} leads nowhere`)
  }
  if (reference === '#') return root
  if (!reference.startsWith('#/')) return anchored(root, reference.slice(1)) ?? missing()
  let part = root
  for (const token of reference.slice(2).split('/')) {
    const name = tokenText(decodedOr(token))
    if (part === null || typeof part !== 'object' || !Object.hasOwn(part, name)) return missing()
    // An own member of what was read from JSON
    part = (part as Record<string, unknown>)[name]
  }
  return part
}

function decodedOr(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** The schema with an anchor, static or dynamic. */
function anchored(part: unknown, anchor: string): unknown {
  if (part === null || typeof part !== 'object' || anchor === '') return undefined
  if (isPlain(part) && (part['$anchor'] === anchor || part['$dynamicAnchor'] === anchor)) return part
  for (const inner of Object.values(part)) {
    const found = anchored(inner, anchor)
    if (found !== undefined) return found
  }
  return undefined
}

function usable(link: () => Linked, what: string): Linked {
  try {
    return link()
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw new RangeError(`${what} cannot be used: ${error.message}`)
  }
}

function isSmall(value: unknown): boolean {
  let left = PARTS_MAX
  const spend = (part: unknown): boolean => {
    if (--left < 0) return false
    if (part === null || typeof part !== 'object') return true
    return Object.values(part).every(spend)
  }
  return spend(value)
}
