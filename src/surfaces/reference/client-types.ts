import { isPlain } from '../../base/json/storable.ts'
import type { Operation } from '../../operations/engine/define.ts'
import { type JsonSchema, jsonSchemasOf } from '../fields.ts'
import { createComponents, pascal } from '../openapi/components.ts'
import { singular } from '../openapi/document.ts'
import { API_ROOT, nameOf, routeOf } from '../route.ts'

const HEADER = `// Printed from the operations by \`npm run golden\`: what each of them takes and answers over REST.

`

/** TypeScript of what every operation takes and answers, and where it lives; for clients that know no registry. */
export function clientTypes(operations: readonly Operation[]): string {
  const components = createComponents({})
  for (const operation of operations)
    if (operation.action === 'get')
      components.share(singular(operation.resource), jsonSchemasOf(operation.output).output)
  // The client reads JSON
  const answering = operations.filter(({ content }) => content === undefined)
  const entries = answering.map((operation) => {
    const name = pascal(operation.resource) + pascal(operation.action)
    const { method, path } = routeOf(operation)
    return {
      name: nameOf(operation),
      summary: operation.summary,
      route: `${method} ${path}`,
      input: typeOf(components.add(`${name}Input`, jsonSchemasOf(operation.input).input)),
      output: typeOf(components.share(`${name}Output`, jsonSchemasOf(operation.output).output)),
    }
  })
  const types = Object.entries(components.schemas).map(
    ([name, schema]) => `type ${name} = ${typeOf(schema)}\n`,
  )
  const members = entries.map(
    ({ name, summary, input, output }) =>
      `  /** ${summary} */\n  readonly '${name}': { readonly input: ${input}; readonly output: ${output} }\n`,
  )
  const routes = entries.map(({ name, route }) => `  '${name}': '${route}',\n`)
  return [
    HEADER,
    ...types,
    '\n/** Every operation by its name. */\nexport interface Operations {\n',
    ...members,
    `}\n\n/** Path of Management REST. */\nexport const API_ROOT = '${API_ROOT}'\n\n/** Method and path of each, below {@link API_ROOT}. */\n`,
    'export const ROUTES: { readonly [N in keyof Operations]: string } = {\n',
    ...routes,
    '}\n',
  ].join('')
}

/** The type of the values of a schema. What a schema says beyond types is for the server to judge. */
function typeOf(schema: JsonSchema): string {
  const { $ref: reference, anyOf, oneOf, allOf, type } = schema
  if (typeof reference === 'string') return reference.slice(reference.lastIndexOf('/') + 1)
  if ('const' in schema) return JSON.stringify(schema['const'])
  if (Array.isArray(schema['enum']))
    return joined(
      schema['enum'].map((value) => JSON.stringify(value)),
      ' | ',
    )
  for (const choice of [anyOf, oneOf]) if (Array.isArray(choice)) return joined(choice.map(typeOf), ' | ')
  if (Array.isArray(allOf)) return joined(allOf.map(typeOf), ' & ')
  if (Array.isArray(type))
    return joined(
      type.map((one: unknown) => typeOf({ ...schema, type: one })),
      ' | ',
    )
  switch (type) {
    case 'object':
      return objectOf(schema)
    case 'array':
      return `readonly (${isPlain(schema['items']) ? typeOf(schema['items']) : 'unknown'})[]`
    case 'integer':
      return 'number'
    case 'string':
    case 'number':
    case 'boolean':
    case 'null':
      return type
    default:
      return 'unknown'
  }
}

function joined(types: readonly string[], by: string): string {
  return [...new Set(types)].map((type) => (/[|&]/.test(type) ? `(${type})` : type)).join(by)
}

function objectOf({ properties, required, additionalProperties: others }: JsonSchema): string {
  const needed: readonly unknown[] = Array.isArray(required) ? required : []
  // zod prints properties as an object of schemas
  const members = Object.entries((properties ?? {}) as Readonly<Record<string, JsonSchema>>).map(
    ([name, schema]) =>
      `readonly ${JSON.stringify(name)}${needed.includes(name) ? '' : '?'}: ${typeOf(schema)}`,
  )
  const isOpen = isPlain(others)
  if (members.length === 0) return `{ readonly [name: string]: ${isOpen ? typeOf(others) : 'unknown'} }`
  const known = `{ ${members.join('; ')} }`
  return isOpen ? `${known} & { readonly [name: string]: unknown }` : known
}
