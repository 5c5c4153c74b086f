/**
 * Masks inputs and answers in audit entries. A value whose schema is `confidential` (`model/annotations`) is masked, or
 * replaced by its length. After that, names and patterns of secrets are searched for, within a bound. A new member with a
 * secret, a document or traffic is declared where it is defined.
 */
import { z } from 'zod'
import { isPlain, type Plain } from '../../base/json/storable.ts'
import { isSecretName, MASKED, maskText } from '../../base/text/mask.ts'
import { type Confidentiality, confidentialityOf } from '../../model/annotations.ts'
import { isReference } from '../../model/api/credential-facts.ts'

export type Redacted = z.core.util.JSONType

/** Characters of JSON that the trail keeps of a request or of an answer; what was cut is named beside that. */
const CHARS_MAX = 16_384
/** Characters of one text in it. */
const TEXT_CHARS_MAX = 2000
/** A secret that is longer than this may lie across the end of what is looked at. */
const SECRET_CHARS_MAX = 256
const NAME_CHARS_MAX = 128
const DEPTH_MAX = 24

/** What is left to be filled. */
interface TextBudget {
  chars: number
  readonly textMax: number
}

/**
 * What the trail tells of the input or output of an operation: values of confidential schemas, members by whose names
 * secrets go and what looks like a secret are masked; what is too long is cut, with a word on how much.
 */
export function redacted(value: unknown, schema?: z.ZodType): Redacted {
  return toRedacted(
    value,
    schema === undefined ? null : placesOf(schema),
    { chars: CHARS_MAX, textMax: TEXT_CHARS_MAX },
    0,
  )
}

/** A value of no schema, masked as {@link redacted} does, and not cut. @param name of the member that it is the value of */
export function masked(value: unknown, name = ''): Redacted {
  const budget = { chars: Number.MAX_SAFE_INTEGER, textMax: Number.MAX_SAFE_INTEGER }
  return member(name, value, null, budget, 0)
}

function toRedacted(value: unknown, places: Places | null, budget: TextBudget, depth: number): Redacted {
  if (places?.confidentiality !== undefined) return spent(standIn(value, places.confidentiality), budget)
  if (typeof value === 'string') return text(value, budget)
  if (Array.isArray(value)) return list(value, places?.item ?? null, budget, depth + 1)
  if (isPlain(value)) return object(value, places, budget, depth + 1)
  return spent(typeof value === 'number' || typeof value === 'boolean' ? value : null, budget)
}

function spent<T extends Redacted>(value: T, budget: TextBudget): T {
  budget.chars -= JSON.stringify(value).length
  return value
}

function text(given: string, budget: TextBudget): string {
  const { textMax } = budget
  const most = Math.max(0, Math.min(textMax, budget.chars - 2))
  const whole = given.length <= 2 * textMax
  const plain = maskText(whole ? given : given.slice(0, 2 * textMax))
  if (whole && plain.length <= most) return spent(plain, budget)
  // Of what was looked at, the end may be the beginning of a secret
  const known = whole ? plain.length : plain.length - SECRET_CHARS_MAX
  return spent(`${plain.slice(0, Math.min(most, known))}… (${given.length} characters)`, budget)
}

function list(items: readonly unknown[], places: Places | null, budget: TextBudget, depth: number): Redacted {
  const kept: Redacted[] = []
  budget.chars -= 2
  for (const item of items) {
    if (budget.chars <= 0 || depth > DEPTH_MAX) break
    kept.push(toRedacted(item, places, budget, depth))
    budget.chars--
  }
  const more = items.length - kept.length
  return more === 0 ? kept : [...kept, spent(`… and ${more} more`, budget)]
}

function object(value: Plain, places: Places | null, budget: TextBudget, depth: number): Redacted {
  const members = Object.entries(value).filter(([, inner]) => inner !== undefined)
  const hidden = hiddenIn(value)
  const kept = new Map<string, Redacted>()
  budget.chars -= 2
  // Small members first, so that no large one takes their room; large ones share what is left
  const small = members.filter(([, inner]) => typeof inner !== 'object' || inner === null)
  const large = members.filter(([, inner]) => typeof inner === 'object' && inner !== null)
  for (const [index, [name, inner]] of [...small, ...large].entries()) {
    budget.chars -= name.length + 4
    if (budget.chars <= 0 || depth > DEPTH_MAX) break
    const share = index < small.length ? budget.chars : Math.ceil(budget.chars / (members.length - index))
    const own = { chars: share, textMax: budget.textMax }
    const place = places?.members.get(name) ?? places?.item ?? null
    kept.set(name, hidden(name) ? spent(MASKED, own) : member(name, inner, place, own, depth))
    budget.chars -= share - own.chars
  }
  const shown = members.filter(([name]) => kept.has(name)).map(([name]) => [named(name), kept.get(name)!])
  const more = members.length - shown.length
  if (more > 0) shown.push(['…', spent(`${more} more members`, budget)])
  return Object.fromEntries(shown) as Redacted
}

/** Names may be anything, too. */
function named(name: string): string {
  const plain = maskText(name)
  return plain.length <= NAME_CHARS_MAX ? plain : `${plain.slice(0, NAME_CHARS_MAX)}…`
}

/** Words that say of a secret what became of it, and expressions that name all of it. */
const NO_LITERAL =
  /^(changed|unchanged|\[secret\]|)$|^((bearer|basic|apikey|token)\s{1,8})?(\{\{[^{}]*\}\}[\s:]*)+$/i

function member(
  name: string,
  value: unknown,
  places: Places | null,
  budget: TextBudget,
  depth: number,
): Redacted {
  if (!isSecretName(name) || places?.confidentiality !== undefined)
    return toRedacted(value, places, budget, depth)
  if (typeof value === 'string') return NO_LITERAL.test(value) ? text(value, budget) : spent(MASKED, budget)
  if (typeof value === 'number') return spent(MASKED, budget)
  if (Array.isArray(value)) return list(withoutLiterals(value, depth), places, budget, depth + 1)
  if (!isPlain(value) || isReference(value)) return toRedacted(value, places, budget, depth)
  const entries = Object.entries(value).map(([inner, one]) => [
    inner,
    VALUES.has(inner) ? withoutLiteral(one, depth) : one,
  ])
  return toRedacted(Object.fromEntries(entries), places, budget, depth)
}

function withoutLiterals(items: readonly unknown[], depth: number): unknown[] {
  return items.map((item) => withoutLiteral(item, depth + 1))
}

/** In the place of a value of a secret's name, or of a list of such. */
function withoutLiteral(value: unknown, depth: number): unknown {
  if (Array.isArray(value)) return depth > DEPTH_MAX ? MASKED : withoutLiterals(value, depth)
  if (typeof value === 'number') return MASKED
  return typeof value === 'string' && !NO_LITERAL.test(value) ? MASKED : value
}

/** Members that make a key private (RFC 7518 section 6). */
const PRIVATE_OF_KEY: ReadonlySet<string> = new Set(['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'])
const NAMES = ['name', 'header', 'key', 'field', 'path']
/** Members that hold the value of what has a name beside them, or above. */
const VALUES: ReadonlySet<string> = new Set(['value', 'values', 'default', 'example', 'literal', 'raw'])

/** Which members of the object are secret for what stands beside them: of a private key, or the value of such a name. */
function hiddenIn(value: Plain): (name: string) => boolean {
  const isKey = typeof value['kty'] === 'string'
  const isNamed = NAMES.some((name) => {
    const text = value[name]
    return typeof text === 'string' && isSecretName(text.slice(text.lastIndexOf('/') + 1))
  })
  return (name) => {
    if (isKey && PRIVATE_OF_KEY.has(name)) return true
    if (!isNamed || !VALUES.has(name)) return false
    const own = value[name]
    if (typeof own === 'string') return !NO_LITERAL.test(own)
    return typeof own === 'number' || Array.isArray(own)
  }
}

const KIND = /^[a-z_]{1,64}$/
const SLUG = /^[a-z0-9][a-z0-9:._-]{0,129}$/

function standIn(value: unknown, confidentiality: Confidentiality): Redacted {
  if (value === null || value === undefined) return null
  if (confidentiality === 'secret') return isReference(value) ? masked(value) : MASKED
  if (confidentiality === 'traffic')
    return typeof value === 'string' ? `[${value.length} characters]` : '[not kept]'
  if (typeof value === 'string') return `[document of ${value.length} characters]`
  if (!isPlain(value)) return '[document]'
  const { kind, slug } = value
  const isOurs = typeof kind === 'string' && typeof slug === 'string' && KIND.test(kind) && SLUG.test(slug)
  return isOurs ? { kind, slug: maskText(slug) } : '[document]'
}

/** Where in the values of a schema confidential ones lie. */
interface Places {
  readonly confidentiality?: Confidentiality
  readonly members: ReadonlyMap<string, Places>
  /** Of each item of a list, or value of a record. */
  readonly item?: Places
}

const known = new WeakMap<z.ZodType, { readonly places: Places | null }>()

/** Null where none lie. */
function placesOf(schema: z.ZodType, above: readonly z.ZodType[] = []): Places | null {
  const found = known.get(schema)
  if (found !== undefined) return found.places
  // A schema within itself: nothing that is confidential is
  if (above.includes(schema)) return null
  const confidentiality = confidentialityOf(schema)
  const places =
    confidentiality === undefined
      ? placesIn(schema, [...above, schema])
      : { confidentiality, members: new Map() }
  known.set(schema, { places })
  return places
}

function placesIn(schema: z.ZodType, above: readonly z.ZodType[]): Places | null {
  const inner = (one: unknown): Places | null => placesOf(one as z.ZodType, above)
  if (schema instanceof z.ZodObject) {
    const members = Object.entries(schema.shape).flatMap(([name, one]) => {
      const places = inner(one)
      return places === null ? [] : [[name, places] as const]
    })
    return members.length === 0 ? null : { members: new Map(members) }
  }
  if (schema instanceof z.ZodArray) return itemOf(inner(schema.element))
  if (schema instanceof z.ZodRecord) return itemOf(inner(schema.valueType))
  if (schema instanceof z.ZodUnion) return schema.options.map(inner).reduce(joined, null)
  if (schema instanceof z.ZodPipe) return joined(inner(schema.in), inner(schema.out))
  if (schema instanceof z.ZodLazy) return inner(schema.unwrap())
  return WRAPPERS.some((kind) => schema instanceof kind) ? inner((schema as z.ZodOptional).unwrap()) : null
}

const WRAPPERS = [
  z.ZodOptional,
  z.ZodNullable,
  z.ZodDefault,
  z.ZodPrefault,
  z.ZodNonOptional,
  z.ZodReadonly,
  z.ZodCatch,
] as const

function itemOf(item: Places | null): Places | null {
  return item && { members: new Map(), item }
}

/** The confidential places of both: a value may be of either. */
function joined(one: Places | null, other: Places | null): Places | null {
  if (one === null || other === null) return one ?? other
  const confidentiality = one.confidentiality ?? other.confidentiality
  const item = joined(one.item ?? null, other.item ?? null)
  const members = new Map(one.members)
  for (const [name, places] of other.members) members.set(name, joined(members.get(name) ?? null, places)!)
  return {
    members,
    ...(confidentiality === undefined ? {} : { confidentiality }),
    ...(item === null ? {} : { item }),
  }
}
