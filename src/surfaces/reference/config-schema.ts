import { DOORS } from '../../base/doors.ts'
import { isPlain } from '../../base/json/storable.ts'
import { withoutPause } from '../../base/threads/time-slices.ts'
import type { Kind } from '../../operations/engine/kind.ts'
import { writableSchema } from '../../operations/engine/kind-schema.ts'
import { KINDS_IN_ORDER } from '../../operations/kinds.ts'
import { type JsonSchema, jsonSchemasOf, membersOf } from '../fields.ts'

/** Where a running instance answers it. */
export const CONFIG_SCHEMA_PATH = DOORS.configSchema.path

/** A text with a variable in it may stand where something else than any text is wanted. */
const VARIABLE: JsonSchema = { $ref: '#/$defs/variable' }

/** The JSON Schema (2020-12) of a document of the configuration, for editors: a projection of the kinds. */
export function toConfigSchema(): JsonSchema {
  return withoutPause(printConfigSchema())
}

/** The same, with a pause after each kind. */
export function* printConfigSchema(): Generator<void, JsonSchema> {
  const definitions: Record<string, JsonSchema> = {
    variable: {
      description: 'A text with variables, whose values are given to plan and apply',
      type: 'string',
      pattern: '\\$\\{var\\.[A-Za-z_][A-Za-z0-9_-]*\\}',
    },
  }
  for (const kind of KINDS_IN_ORDER) {
    definitions[kind.noun] = toDocument(kind, definitions)
    yield
  }
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: 'urn:postern:schema:config',
    title: 'A document of the configuration of Postern',
    oneOf: KINDS_IN_ORDER.map(({ noun }) => ({ $ref: `#/$defs/${noun}` })),
    $defs: definitions,
  }
}

function toDocument(kind: Kind, definitions: Record<string, JsonSchema>): JsonSchema {
  const { $defs = {}, ...schema } = jsonSchemasOf(writableSchema(kind)).input
  // Those of one kind have names that another kind has too
  const rename = (name: string): string => `${kind.noun}_${name}`
  for (const [name, inner] of Object.entries($defs as Record<string, JsonSchema>))
    definitions[rename(name)] = adapted(inner, rename) as JsonSchema
  const { slug, ...members } = membersOf(schema)
  const own = { ...members, ...(members['schemas'] === undefined ? {} : { schemas: SHARED_SCHEMAS }) }
  const spec: JsonSchema = { ...schema, properties: withoutSecretsRequired(kind, own) }
  return {
    type: 'object',
    properties: {
      kind: { const: kind.noun },
      slug: adapted(slug, rename),
      spec: adapted(spec, rename),
    },
    required: ['kind', 'slug', 'spec'],
    additionalProperties: false,
  }
}

const SHARED_SCHEMAS: JsonSchema = {
  description: 'Shared schemas that contracts of the collection refer to. Default: the current schemas',
  anyOf: [
    { type: 'object', additionalProperties: { type: ['object', 'boolean'] } },
    { type: 'string' },
    { type: 'null' },
  ],
}

/** A document may leave secrets out: they stay as they are stored. */
function withoutSecretsRequired(
  kind: Kind,
  members: Readonly<Record<string, JsonSchema>>,
): Readonly<Record<string, JsonSchema>> {
  const { secrets } = kind
  const { auth } = members
  if (secrets === undefined || auth === undefined) return members
  const options = (auth['oneOf'] ?? auth['anyOf']) as readonly JsonSchema[]
  const loose = options.map((option) => {
    const fields = secrets({ auth: { type: membersOf(option)['type']?.['const'] } })
    const required = (option['required'] ?? []) as readonly string[]
    return { ...option, required: required.filter((name) => !fields.includes(name)) }
  })
  return { ...members, auth: { description: auth['description'], anyOf: loose } }
}

/** A copy with its references renamed, and with variables allowed. */
function adapted(schema: unknown, rename: (name: string) => string): unknown {
  if (Array.isArray(schema)) return schema.map((one) => adapted(one, rename))
  if (!isPlain(schema)) return schema
  const copy: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(schema)) {
    if (name === '$ref')
      copy[name] = String(value).replace(
        /^#\/\$defs\/(.*)$/,
        (_, inner: string) => `#/$defs/${rename(inner)}`,
      )
    else if (name === 'properties' || name === 'patternProperties')
      copy[name] = Object.fromEntries(
        Object.entries(value as JsonSchema).map(([member, inner]) => [member, adapted(inner, rename)]),
      )
    else copy[name] = DATA.has(name) ? value : adapted(value, rename)
  }
  if (!isNarrow(copy)) return copy
  const { description, default: preset, ...narrow } = copy
  return {
    ...(description === undefined ? {} : { description }),
    ...(preset === undefined ? {} : { default: preset }),
    anyOf: [narrow, VARIABLE],
  }
}

/** Keywords whose values are no schemas. */
const DATA: ReadonlySet<string> = new Set([
  'default',
  'enum',
  'const',
  'examples',
  'required',
  'type',
  'propertyNames',
])

/** A single value that not every text is. */
function isNarrow({ type, enum: values, pattern, format, maxLength }: JsonSchema): boolean {
  if (Array.isArray(values)) return true
  if (type === 'string') return pattern !== undefined || format !== undefined || maxLength !== undefined
  return type === 'integer' || type === 'number' || type === 'boolean'
}
