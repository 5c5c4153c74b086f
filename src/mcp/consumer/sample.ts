/**
 * Makes an example value for a JSON Schema: short, with the required and writable members. For a schema that it cannot
 * decide, it makes a plausible value. The work is bounded by {@link STEPS_MAX} schemas.
 */
import { isPlain, type Plain } from '../../base/json/storable.ts'
import { linearPattern } from '../../base/text/patterns.ts'
import { isJson } from '../../model/api/body-form.ts'
import { nameIn } from '../../model/schema-looseness.ts'

/** What of several values that a schema takes is chosen. */
export interface SampleChoice {
  /** False leaves out examples of the description, which often break its own rules. */
  readonly examples: boolean
  /** Members of an object, where it has as many: a form cannot say that an object is empty. */
  readonly membersMin: number
  /** Which of the alternatives, from 0. Where there are fewer, counting begins anew. */
  readonly alternative: number
}

const STEPS_MAX = 2000
const DEPTH_MAX = 12
/** Deeper than this, a value that may be null is. */
const NESTED = 2
const ITEMS_MAX = 20
const TEXT_MAX = 2000

/** Texts by format; those of `src/model/schema-looseness.ts` and others that are common. */
const FORMATS: Readonly<Record<string, string>> = {
  date: '2026-01-31',
  'date-time': '2026-01-31T12:00:00Z',
  time: '12:00:00Z',
  duration: 'P1D',
  email: 'name@example.com',
  'idn-email': 'name@example.com',
  hostname: 'example.com',
  'idn-hostname': 'example.com',
  ipv4: '192.0.2.1',
  ipv6: '2001:db8::1',
  uri: 'https://example.com/',
  url: 'https://example.com/',
  'uri-reference': '/example',
  iri: 'https://example.com/',
  'iri-reference': '/example',
  'uri-template': '/example/{id}',
  uuid: '00000000-0000-4000-8000-000000000000',
  'json-pointer': '/example',
  'relative-json-pointer': '0',
  regex: '.*',
  byte: 'dmFsdWU=',
  binary: 'dmFsdWU=',
}

/**
 * @param shared schemas that `#/$defs/<name>` leads to
 */
export function sampleOf(schema: unknown, shared: Plain, choice: SampleChoice): unknown {
  const { examples, membersMin, alternative } = choice
  let steps = 0
  return of(schema, 0)

  function of(given: unknown, depth: number): unknown {
    const merged = mergedOf(given, [], depth > NESTED)
    const { type } = merged
    if (merged['const'] !== undefined) return merged['const']
    const [said] = [merged['default'], merged['example'], listOf(merged['examples'])[0]].filter(
      (value) => value !== undefined && examples,
    )
    if (said !== undefined) return said
    const values = listOf(merged['enum'])
    if (values.length > 0) return values.find((value) => value !== null && isOfType(value, type)) ?? values[0]
    switch (typeOf(merged)) {
      case 'object':
        return depth > DEPTH_MAX ? {} : objectOf(merged, depth)
      case 'array':
        return depth > DEPTH_MAX ? [] : arrayOf(merged, depth)
      case 'integer':
        return numberOf(merged, 1)
      case 'number':
        return numberOf(merged, 1)
      case 'boolean':
        return true
      case 'null':
        return null
      default:
        return textOf(merged)
    }
  }

  /** What is said about one value, in one schema: references, all of `allOf`, and the first usable alternative. */
  function mergedOf(given: unknown, above: readonly unknown[], isDeep = false): Plain {
    if (!isPlain(given) || above.includes(given) || above.length > 20 || ++steps > STEPS_MAX) return {}
    const inside = [...above, given]
    let merged: Plain = { ...given }
    const name = typeof given['$ref'] === 'string' ? nameIn(given['$ref']) : null
    const own = isPlain(given['$defs']) ? given['$defs'] : {}
    if (name !== null) {
      const target = Object.hasOwn(own, name) ? own[name] : Object.hasOwn(shared, name) ? shared[name] : {}
      merged = together(mergedOf(target, inside, isDeep), merged)
    }
    for (const one of listOf(given['allOf'])) merged = together(merged, mergedOf(one, inside, isDeep))
    for (const keyword of ['oneOf', 'anyOf']) {
      const list = listOf(given[keyword])
      const some = list.map((one) => ({ one, merged: mergedOf(one, inside, isDeep) }))
      // Null ends what contains itself
      const fitting = some.filter((each) => (each.merged['type'] === 'null') === isDeep)
      const from = fitting.length > 0 ? fitting : some
      const chosen = from[alternative % from.length]
      if (chosen === undefined) continue
      merged = together(merged, chosen.merged)
      const tag = tagOf(given['discriminator'], chosen.one)
      if (tag !== null) merged = tagged(merged, tag)
    }
    return merged
  }

  function objectOf(schema: Plain, depth: number): Plain {
    const properties = isPlain(schema['properties']) ? schema['properties'] : {}
    const required = listOf(schema['required']).filter((name) => typeof name === 'string')
    const least = typeof schema['minProperties'] === 'number' ? schema['minProperties'] : 0
    const wanted = Math.max(least, membersMin)
    const names = new Set(required.filter((name) => !isReadOnly(properties[name])))
    for (const name of Object.keys(properties)) {
      if (names.size >= wanted) break
      if (!isReadOnly(properties[name])) names.add(name)
    }
    const rest = isPlain(schema['additionalProperties']) ? schema['additionalProperties'] : {}
    for (
      let count = 1;
      names.size < Math.min(schema['additionalProperties'] === false ? least : wanted, ITEMS_MAX);
      count++
    )
      names.add(`name${count}`)
    return Object.fromEntries(
      [...names].map((name) => [
        name,
        of(Object.hasOwn(properties, name) ? properties[name] : rest, depth + 1),
      ]),
    )
  }

  function isReadOnly(property: unknown): boolean {
    return isPlain(property) && mergedOf(property, [])['readOnly'] === true
  }

  function arrayOf(schema: Plain, depth: number): unknown[] {
    const least = typeof schema['minItems'] === 'number' ? schema['minItems'] : 1
    const most = typeof schema['maxItems'] === 'number' ? schema['maxItems'] : ITEMS_MAX
    const length = Math.min(Math.max(1, least), most, ITEMS_MAX)
    const first = listOf(schema['prefixItems'])
    const items: unknown[] = []
    while (items.length < length) items.push(of(first[items.length] ?? schema['items'] ?? {}, depth + 1))
    if (schema['uniqueItems'] !== true || length < 2) return items
    const values = listOf(mergedOf(schema['items'], [])['enum'])
    return items.map((item, index) =>
      values.length > index
        ? values[index]
        : typeof item === 'number'
          ? item + index
          : typeof item === 'string'
            ? `${item}${index}`
            : item,
    )
  }
}

interface Tag {
  readonly property: string
  readonly value: string
}

/** What a discriminator calls an alternative: its entry of `mapping`, or the name of its schema (OpenAPI 3.1 section 4.8.25). */
function tagOf(discriminator: unknown, alternative: unknown): Tag | null {
  if (!isPlain(discriminator) || typeof discriminator['propertyName'] !== 'string') return null
  const reference = isPlain(alternative) ? alternative['$ref'] : undefined
  if (typeof reference !== 'string') return null
  const name = nameIn(reference)
  const mapping = isPlain(discriminator['mapping']) ? discriminator['mapping'] : {}
  const entry = Object.entries(mapping).find(
    ([, target]) =>
      target === reference || target === name || (typeof target === 'string' && nameIn(target) === name),
  )
  const value = entry?.[0] ?? name
  return value === null ? null : { property: discriminator['propertyName'], value }
}

/** With a value for the property of a tag, unless its schema states values. */
function tagged(schema: Plain, { property, value }: Tag): Plain {
  const properties = isPlain(schema['properties']) ? schema['properties'] : {}
  const own = Object.hasOwn(properties, property) ? properties[property] : undefined
  const states = isPlain(own) && (own['const'] !== undefined || own['enum'] !== undefined)
  return together(schema, {
    type: 'object',
    required: [property],
    ...(states ? {} : { properties: { [property]: { const: value } } }),
  })
}

/** Both schemas hold. */
function together(a: Plain, b: Plain): Plain {
  const properties = { ...(isPlain(a['properties']) ? a['properties'] : {}) }
  for (const [name, one] of Object.entries(isPlain(b['properties']) ? b['properties'] : {}))
    properties[name] = Object.hasOwn(properties, name) ? { allOf: [properties[name], one] } : one
  const required = [...new Set([...listOf(a['required']), ...listOf(b['required'])])]
  const [these, those] = [listOf(a['enum']), listOf(b['enum'])]
  const both = these.filter((value) => those.length === 0 || those.includes(value))
  const values = these.length === 0 ? those : both.length === 0 ? these : both
  return {
    ...a,
    ...b,
    ...(Object.keys(properties).length === 0 ? {} : { properties }),
    ...(required.length === 0 ? {} : { required }),
    ...(values.length === 0 ? {} : { enum: values }),
  }
}

function typeOf(schema: Plain): unknown {
  const types = (Array.isArray(schema['type']) ? schema['type'] : [schema['type']]) as readonly unknown[]
  const type = types.find((one) => one !== 'null') ?? types[0]
  if (type !== undefined) return type
  if (
    isPlain(schema['properties']) ||
    schema['additionalProperties'] !== undefined ||
    schema['required'] !== undefined
  )
    return 'object'
  if (schema['items'] !== undefined) return 'array'
  return ['minimum', 'maximum', 'multipleOf'].some((keyword) => schema[keyword] !== undefined)
    ? 'number'
    : 'string'
}

function isOfType(value: unknown, type: unknown): boolean {
  switch (type) {
    case 'string':
      return typeof value === 'string'
    case 'integer':
    case 'number':
      return typeof value === 'number'
    default:
      return true
  }
}

function numberOf(schema: Plain, usual: number): number {
  const bound = (keyword: string): number | null =>
    typeof schema[keyword] === 'number' ? (schema[keyword] as number) : null
  const step = bound('multipleOf') ?? (typeOf(schema) === 'integer' ? 1 : null)
  const low = bound('minimum')
  const above = bound('exclusiveMinimum')
  const high = bound('maximum')
  const below = bound('exclusiveMaximum')
  const width = step ?? ((high ?? below ?? Number.POSITIVE_INFINITY) - (low ?? above ?? 0) < 1 ? 0.001 : 1)
  const least = Math.max(
    low ?? Number.NEGATIVE_INFINITY,
    above === null ? Number.NEGATIVE_INFINITY : above + width,
  )
  const most = Math.min(
    high ?? Number.POSITIVE_INFINITY,
    below === null ? Number.POSITIVE_INFINITY : below - width,
  )
  const near = Math.min(Math.max(usual, least), most)
  if (step === null || step <= 0) return near
  const up = Math.ceil(near / step) * step
  return up <= most ? up : Math.floor(near / step) * step
}

function textOf(schema: Plain): string {
  const { format, pattern } = schema
  const least = typeof schema['minLength'] === 'number' ? schema['minLength'] : 0
  const most = typeof schema['maxLength'] === 'number' ? schema['maxLength'] : TEXT_MAX
  const known =
    typeof format === 'string' && Object.hasOwn(FORMATS, format)
      ? FORMATS[format]!
      : isBytes(schema)
        ? FORMATS['binary']!
        : null
  if (typeof pattern === 'string') {
    const made = textOfPattern(pattern, least, known === null ? ['value'] : [known, 'value'])
    if (made !== null) return made
  }
  if (known !== null) return known
  return 'value'.padEnd(Math.min(least, TEXT_MAX), 'e').slice(0, Math.max(most, 0))
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as readonly unknown[]) : []
}

/** Bytes as OpenAPI 3.1 describes them, which callers give as base64. */
function isBytes({ contentMediaType, contentEncoding }: Plain): boolean {
  return typeof contentMediaType === 'string' && contentEncoding === undefined && !isJson(contentMediaType)
}

const REPEATS_MAX = 64
const LENGTH_MAX = 2000
/** Characters that are tried for a class. */
const CHARACTERS = [
  ...'a1A0-_. /:@,+#',
  ...'bcdefghijklmnopqrstuvwxyzBCDEFGHIJKLMNOPQRSTUVWXYZ23456789',
  '\t',
  '€',
  '\u00e9',
]

/**
 * @param length characters that the text has at least
 * @param usual texts that are taken where they fit
 * @returns null where nothing is found
 */
function textOfPattern(source: string, length: number, usual: readonly string[]): string | null {
  const pattern = linearPattern(source)
  if (pattern === null) return null
  const fits = (text: string): boolean => [...text].length >= length && pattern.test(text)
  const plain = usual.find(fits)
  if (plain !== undefined) return plain
  for (const repeats of [0, 1, 2, length, length + 1, 8, 16, 32]) {
    const made = new Maker(source, Math.min(repeats, REPEATS_MAX)).whole()
    if (made === null) continue
    const text = [made, made.padEnd(Math.min(length, LENGTH_MAX), 'a')].find(fits)
    if (text !== undefined) return text
  }
  return null
}

/** Reads an expression and writes the first text that comes to mind; what it makes is tested, so it may be wrong. */
class Maker {
  readonly #source: string
  readonly #repeats: number
  #at = 0

  constructor(source: string, repeats: number) {
    this.#source = source
    this.#repeats = repeats
  }

  whole(): string | null {
    const text = this.#choice()
    return this.#at < this.#source.length || text.length > LENGTH_MAX ? null : text
  }

  /** The first of several alternatives. */
  #choice(): string {
    const first = this.#sequence()
    while (this.#source[this.#at] === '|') {
      this.#at++
      this.#sequence()
    }
    return first
  }

  #sequence(): string {
    let text = ''
    while (this.#at < this.#source.length && !'|)'.includes(this.#source[this.#at]!)) {
      const one = this.#atom()
      const count = this.#count()
      if (text.length <= LENGTH_MAX) text += one.repeat(count)
    }
    return text
  }

  #atom(): string {
    const char = this.#source[this.#at++]!
    switch (char) {
      case '^':
      case '$':
        return ''
      case '.':
        return 'a'
      case '(': {
        this.#at += /^\?(?::|<[^>]*>)?/.exec(this.#source.slice(this.#at))?.[0].length ?? 0
        const inner = this.#choice()
        this.#at++
        return inner
      }
      case '[':
        return this.#class()
      case '\\':
        return this.#escape()
      default:
        return char
    }
  }

  #escape(): string {
    const rest = this.#source.slice(this.#at - 1)
    const text =
      /^\\(?:[pP]\{[^}]*\}|u\{[0-9a-fA-F]+\}|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|c[A-Za-z]|.)/su.exec(
        rest,
      )?.[0] ?? ''
    this.#at += text.length - 1
    return text === '\\b' || text === '\\B' ? '' : first(text)
  }

  #class(): string {
    const rest = this.#source.slice(this.#at - 1)
    const text = /^\[\^?(?:\\.|[^\]\\])*\]/su.exec(rest)?.[0] ?? rest
    this.#at += text.length - 1
    return first(text)
  }

  /** How often the atom stands. */
  #count(): number {
    const found = /^(?:[*+?]|\{(\d+)(?:(,)(\d*))?\})\??/.exec(this.#source.slice(this.#at))
    if (found === null) return 1
    this.#at += found[0].length
    const [all, least, comma, most] = found
    const low = all.startsWith('+') ? 1 : Number(least ?? 0)
    const high = all.startsWith('?')
      ? 1
      : least !== undefined && comma === undefined
        ? low
        : most
          ? Number(most)
          : REPEATS_MAX
    return Math.min(Math.max(low, Math.min(this.#repeats, high)), LENGTH_MAX)
  }
}

/** A character that the class or escape takes. */
function first(expression: string): string {
  const pattern = linearPattern(`^${expression}$`)
  return CHARACTERS.find((char) => pattern?.test(char) === true) ?? ''
}
