import { canonicalJson } from '../../base/json/canonical.ts'
import type { JsonSchema } from '../fields.ts'

/** Named schemas of the document. */
export interface Components {
  readonly schemas: Readonly<Record<string, JsonSchema>>
  /** Puts a schema among the named ones, its `$defs` beside it, and gives the reference to it. */
  add(name: string, schema: JsonSchema): JsonSchema
  /** The same, but an equal schema that has a name already is used instead, here and inside of later ones. */
  share(name: string, schema: JsonSchema): JsonSchema
}

const ROOT = '#/components/schemas/'

/** Gathers the schemas of a document under names; `shared` are there from the start. */
export function createComponents(shared: Readonly<Record<string, JsonSchema>>): Components {
  const schemas: Record<string, JsonSchema> = { ...shared }
  const names = new Map<string, string>()

  return {
    schemas,
    share(name, schema) {
      const content = canonicalJson(schema)
      const known = names.get(content)
      if (known !== undefined) return { $ref: ROOT + known }
      const reference = this.add(name, schema)
      names.set(content, name)
      return reference
    },
    add(name, schema) {
      if (Object.hasOwn(schemas, name)) throw new Error(`two different schemas are called ${name}`)
      const { $defs, ...rest } = schema
      const nameOfDefinition = (definition: string): string =>
        `${name}${pascal(definition.replace(/^__schema/, 'Part'))}`
      const rename = (pointer: string): string => {
        if (pointer === '#') return ROOT + name
        const match = /^#\/\$defs\/(.+)$/.exec(pointer)
        return match === null ? pointer : ROOT + nameOfDefinition(match[1]!)
      }
      for (const [definition, part] of Object.entries(($defs ?? {}) as Record<string, JsonSchema>))
        schemas[nameOfDefinition(definition)] = copy(part, rename, names)
      schemas[name] = copy(rest, rename, names)
      return { $ref: ROOT + name }
    },
  }
}

/** A copy in which every `$ref` is renamed, and parts that have a name of their own are references to it. */
function copy<T>(schema: T, rename: (pointer: string) => string, names: ReadonlyMap<string, string>): T {
  if (Array.isArray(schema)) return schema.map((item: unknown) => copy(item, rename, names)) as T
  if (schema === null || typeof schema !== 'object') return schema
  const name = 'properties' in schema ? names.get(canonicalJson(schema)) : undefined
  // The copy has the members of T, or stands for it; both are schemas
  if (name !== undefined) return { $ref: ROOT + name } as T
  return Object.fromEntries(
    Object.entries(schema)
      .filter(([key, value]) => !isNoise(key, value, schema))
      .map(([key, value]) => [
        key,
        key === '$ref' && typeof value === 'string' ? rename(value) : copy(value as unknown, rename, names),
      ]),
  ) as T
}

/** How zod checks a date is longer than the rest of its schema, and the format says it; that a number is safe says nothing. */
function isNoise(key: string, value: unknown, schema: object): boolean {
  if (key === 'pattern') return 'format' in schema
  return (key === 'minimum' || key === 'maximum') && Math.abs(Number(value)) === Number.MAX_SAFE_INTEGER
}

/** `credential_state` is `CredentialState`. */
export function pascal(name: string): string {
  return name.replaceAll(/(?:^|[_.-])([a-z0-9])/gi, (_, letter: string) => letter.toUpperCase())
}
