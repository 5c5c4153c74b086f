/**
 * What the console needs of the OpenAPI document of management REST: a small row for each operation, and the schemas of one
 * resource at a time. The whole document is over a megabyte, and the browser never loads it.
 */

export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json }
export interface JsonObject {
  readonly [name: string]: Json
}

/** An operation, as far as menus, buttons and requests need it. */
export interface OperationRow {
  readonly resource: string
  readonly action: string
  readonly method: string
  /** Below the root of management REST, such as `/collections/{id}/publish`. */
  readonly path: string
  readonly summary: string
  readonly permission: string
  readonly effect: 'read' | 'create' | 'update' | 'delete' | 'act'
  /** The path names one resource. */
  readonly byId: boolean
  /** Options of a write that the operation takes: `dry_run`, `expected_revision`, `confirm`, `mode` and others. */
  readonly options: readonly string[]
  /** The MCP tool that runs the operation, and the words of its command; null if the document does not tell. */
  readonly tool: string | null
  readonly command: string | null
  /** Kind of the document of the configuration that does the same, such as `proxy`; null if no document does. */
  readonly kind: string | null
}

/** Schemas of the operations of one resource by action. References lead into `$defs`. */
export interface ResourceSchemas {
  readonly actions: Readonly<Record<string, { readonly input: JsonObject; readonly output: JsonObject }>>
  readonly $defs: Readonly<Record<string, JsonObject>>
}

const API_ROOT = '/management/v1'
const METHODS = ['get', 'post', 'put', 'patch', 'delete']
/** Members of bodies that are options of each write, not of the input. */
const WRITE_OPTIONS = [
  'dry_run',
  'expected_revision',
  'idempotency_key',
  'reason',
  'confirm',
  'mode',
  'plan_id',
]
const COMPONENT = '#/components/schemas/'

interface Found {
  readonly row: OperationRow
  readonly entry: JsonObject
}

function object(value: Json | undefined): JsonObject {
  return value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as JsonObject) : {}
}

function text(value: Json | undefined): string | null {
  return typeof value === 'string' ? value : null
}

function operationsOf(document: JsonObject): Found[] {
  return Object.entries(object(document['paths'])).flatMap(([path, item]) =>
    METHODS.flatMap((method) => {
      const entry = object(object(item)[method])
      const id = text(entry['operationId'])
      if (id === null) return []
      const [resource = '', action = ''] = id.split('.')
      const row: OperationRow = {
        resource,
        action,
        method: method.toUpperCase(),
        path: path.slice(API_ROOT.length),
        summary: text(entry['summary']) ?? '',
        permission: text(entry['x-postern-permission']) ?? '',
        // The document is printed from the registry, which has no other effects
        effect: text(entry['x-postern-effect']) as OperationRow['effect'],
        byId: path.includes('{id}'),
        options: optionsOf(document, entry),
        tool: text(entry['x-postern-tool']),
        command: text(entry['x-postern-cli']),
        kind: text(entry['x-postern-kind']),
      }
      return [{ row, entry }]
    }),
  )
}

function bodyOf(document: JsonObject, entry: JsonObject): JsonObject | null {
  const content = object(object(entry['requestBody'])['content'])
  if (content['application/json'] === undefined) return null
  return resolved(document, object(object(content['application/json'])['schema']))
}

function resolved(document: JsonObject, schema: JsonObject): JsonObject {
  const reference = text(schema['$ref'])
  if (reference === null) return schema
  const found = object(object(document['components'])['schemas'])[reference.slice(COMPONENT.length)]
  return resolved(document, object(found))
}

function optionsOf(document: JsonObject, entry: JsonObject): string[] {
  const body = object(bodyOf(document, entry)?.['properties'])
  return WRITE_OPTIONS.filter((name) => body[name] !== undefined)
}

/** The input as one flat schema, as an interface of operations takes it: the id of the path, the query or the members of the body. */
function inputOf(document: JsonObject, { row, entry }: Found): JsonObject {
  const body = bodyOf(document, entry)
  const id: Record<string, Json> = row.byId ? { id: { type: 'string', description: 'Id or slug' } } : {}
  if (body !== null) {
    const own = Object.entries(object(body['properties'])).filter(([name]) => !WRITE_OPTIONS.includes(name))
    const required = Array.isArray(body['required']) ? body['required'] : []
    return {
      ...body,
      properties: { ...id, ...Object.fromEntries(own) },
      required: [...Object.keys(id), ...required],
    }
  }
  const parameters = (Array.isArray(entry['parameters']) ? entry['parameters'] : []).map((one) => object(one))
  const query = parameters.filter((one) => one['in'] === 'query')
  return {
    type: 'object',
    properties: {
      ...id,
      ...Object.fromEntries(query.map((one) => [String(one['name']), object(one['schema'])])),
    },
    required: [
      ...Object.keys(id),
      ...query.filter((one) => one['required'] === true).map((one) => String(one['name'])),
    ],
  }
}

function outputOf(entry: JsonObject): JsonObject {
  const responses = object(entry['responses'])
  const success = object(responses['201'] ?? responses['200'])
  const schema = object(object(object(success['content'])['application/json'])['schema'])
  // The answer itself, or that of a dry run
  const either = schema['anyOf'] ?? schema['oneOf']
  return Array.isArray(either) ? object(either[0]) : schema
}

/** What each resource is for, in a sentence: the descriptions of the tags. */
export function aboutsOf(document: JsonObject): Record<string, string> {
  const tags = (Array.isArray(document['tags']) ? document['tags'] : []).map((tag) => object(tag))
  return Object.fromEntries(
    tags.flatMap(({ name, description }) =>
      typeof description === 'string' ? [[String(name), description]] : [],
    ),
  )
}

/** A row for each operation of the document, by its name. */
export function rowsOf(document: JsonObject): Record<string, OperationRow> {
  return Object.fromEntries(operationsOf(document).map(({ row }) => [`${row.resource}.${row.action}`, row]))
}

/** Schemas of all resources of the document. */
export function schemasOf(document: JsonObject): Record<string, ResourceSchemas> {
  const all = object(object(document['components'])['schemas'])
  const found = operationsOf(document)
  const resources = [...new Set(found.map(({ row }) => row.resource))]
  return Object.fromEntries(
    resources.map((resource) => {
      const actions = Object.fromEntries(
        found
          .filter(({ row }) => row.resource === resource)
          .map((one) => [one.row.action, { input: inputOf(document, one), output: outputOf(one.entry) }]),
      )
      return [resource, withDefinitions(actions, all)]
    }),
  )
}

function withDefinitions(
  actions: Record<string, { input: JsonObject; output: JsonObject }>,
  all: JsonObject,
): ResourceSchemas {
  const needed = new Map<string, JsonObject>()
  const rewrite = (value: Json): Json => {
    if (Array.isArray(value)) return value.map(rewrite)
    if (value === null || typeof value !== 'object') return value
    return Object.fromEntries(
      Object.entries(value as JsonObject).map(([name, member]) => {
        if (name !== '$ref' || typeof member !== 'string' || !member.startsWith(COMPONENT))
          return [name, rewrite(member)]
        const target = member.slice(COMPONENT.length)
        if (!needed.has(target)) {
          needed.set(target, {})
          needed.set(target, rewrite(object(all[target])) as JsonObject)
        }
        return [name, `#/$defs/${target}`]
      }),
    )
  }
  const rewritten = rewrite(actions) as unknown as ResourceSchemas['actions']
  return { actions: rewritten, $defs: Object.fromEntries(needed) }
}
