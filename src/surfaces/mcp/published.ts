import { z } from 'zod'

/** A JSON Schema object of ours: made here from zod, so its members are the keywords used below. */
export type PublishedSchema = {
  readonly type: 'object'
  readonly properties: Readonly<Record<string, Property>>
  readonly required?: readonly string[]
  readonly additionalProperties?: boolean
}

export type Property = Readonly<Record<string, unknown>>

/**
 * Schemas as tool lists publish them: one flat object each, without union at the root (model APIs drop such tools),
 * without references, and without what only costs tokens. The exact zod schema judges the call.
 */
export function publishInput(schema: z.ZodObject): PublishedSchema {
  return keptOrPublished(inputs, schema, 'input')
}

/** As {@link publishInput}, for what an operation answers. */
export function publishOutput(schema: z.ZodObject): PublishedSchema {
  return keptOrPublished(outputs, schema, 'output')
}

/** Made once per schema: each caller with other permissions gets other lists of the same parts. */
const inputs = new WeakMap<z.ZodObject, PublishedSchema>()
const outputs = new WeakMap<z.ZodObject, PublishedSchema>()

function keptOrPublished(
  kept: WeakMap<z.ZodObject, PublishedSchema>,
  schema: z.ZodObject,
  io: 'input' | 'output',
): PublishedSchema {
  let published = kept.get(schema)
  if (published === undefined) {
    published = toPublished(schema, io)
    kept.set(schema, published)
  }
  return published
}

function toPublished(schema: z.ZodObject, io: 'input' | 'output'): PublishedSchema {
  const json = z.toJSONSchema(schema, {
    io,
    unrepresentable: 'any',
    override: ({ jsonSchema }) => trim(jsonSchema),
  })
  const defs = (json['$defs'] ?? {}) as Readonly<Record<string, unknown>> // the place of shared parts, by name
  const properties = Object.fromEntries(
    Object.entries(json.properties ?? {}).map(([name, part]) => {
      const whole = inlined(part, defs, []) as Property
      return [name, io === 'output' ? outlined(whole, 1) : whole]
    }),
  )
  return {
    type: 'object',
    properties,
    ...(json.required === undefined || json.required.length === 0 ? {} : { required: json.required }),
  }
}

/** Levels of objects in an output that are shown with their members. */
const OUTLINE_DEPTH = 2
const OUTLINE_KEYWORDS = new Set(['type', 'enum', 'const', 'format'])

/** An output as a model needs it to read one: what the members are, not the bounds that their writing had. */
function outlined(schema: Property, depth: number): Property {
  const { description, ...rest } = schema
  const outline = outlinedForm(rest, depth)
  return description === undefined || depth > 1 ? outline : { ...outline, description }
}

/** A property of an input as far as it fits an error: types, choices and the names of members, two levels deep. */
export function outlineOf(schema: Property): Property {
  return outlined(schema, 0)
}

function outlinedForm(schema: Property, depth: number): Property {
  const kept = Object.entries(schema).filter(([key]) => OUTLINE_KEYWORDS.has(key))
  const { properties, items, anyOf, oneOf } = schema as {
    readonly properties?: Readonly<Record<string, Property>>
    readonly items?: Property
    readonly anyOf?: readonly Property[]
    readonly oneOf?: readonly Property[]
  }
  const choice = anyOf ?? oneOf
  return {
    ...Object.fromEntries(kept),
    ...(items === undefined ? {} : { items: outlinedForm(items, depth) }),
    ...(choice === undefined ? {} : { anyOf: choice.map((part) => outlinedForm(part, depth)) }),
    ...(properties === undefined || depth >= OUTLINE_DEPTH
      ? {}
      : {
          properties: Object.fromEntries(
            Object.entries(properties).map(([name, part]) => [name, outlined(part, depth + 1)]),
          ),
        }),
  }
}

/** Annotations are for forms. Formats say what their long patterns repeat; objects that forbid further members need not say so in every place. */
function trim(json: Record<string, unknown>): void {
  for (const key of Object.keys(json)) if (key.startsWith('x-postern-')) delete json[key]
  if (json['format'] !== undefined) delete json['pattern']
  if (json['additionalProperties'] === false) delete json['additionalProperties']
  // The bounds that zod puts on every integer are those of JavaScript.
  if (json['minimum'] === Number.MIN_SAFE_INTEGER) delete json['minimum']
  if (json['maximum'] === Number.MAX_SAFE_INTEGER) delete json['maximum']
}

/** Puts shared parts in place; a part inside itself, such as any JSON value, becomes "anything". */
function inlined(part: unknown, defs: Readonly<Record<string, unknown>>, open: readonly string[]): unknown {
  if (Array.isArray(part)) return part.map((item) => inlined(item, defs, open))
  if (part === null || typeof part !== 'object') return part
  const { $ref, ...rest } = part as { readonly $ref?: unknown }
  const kept = Object.fromEntries(Object.entries(rest).map(([key, item]) => [key, inlined(item, defs, open)]))
  if (typeof $ref !== 'string') return kept
  const name = $ref.replace(/^#\/\$defs\//, '')
  if (open.includes(name) || isRecursive(defs[name], name, defs)) return kept
  return { ...(inlined(defs[name], defs, [...open, name]) as object), ...kept }
}

function isRecursive(part: unknown, name: string, defs: Readonly<Record<string, unknown>>): boolean {
  return JSON.stringify(part ?? null).includes(`"#/$defs/${name}"`) || defs[name] === undefined
}
