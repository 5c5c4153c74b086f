import { isPlain } from '../../base/json/storable.ts'
import { Refusal } from '../../base/refusal.ts'
import { printable, visibleJson } from '../../base/text/visible.ts'
import type { ListedResource, ResourceContent, Resources, ResourceTemplate } from '../../mcp/protocol/door.ts'
import type { Said } from '../../mcp/protocol/tool-call.ts'
import { inWords, isResourceType } from '../../model/resource-types.ts'
import type { Operation } from '../../operations/engine/define.ts'
import { jsonSchemasOf } from '../fields.ts'
import { type ManagementCaller, viaOf } from './caller.ts'
import type { RunPorts } from './run.ts'

/** Pages of the documentation, by topic. */
export interface DocPages {
  readonly topics: () => readonly { readonly topic: string; readonly title: string }[]
  readonly read: (topic: string) => string | null
}

const PAGE_ITEMS = 50
const JSON_TYPE = 'application/json'
const SCHEMA_URI = 'config://schema'

interface Template extends ResourceTemplate {
  readonly form: RegExp
  /** The operation that reads it, and its input, by the parts of the address. */
  readonly reads: (parts: readonly string[]) => { readonly resource: string; readonly id: string } | null
}

/** Part of an address: what a client writes of an id or a slug. */
const PART = '([A-Za-z0-9._~:%-]{1,200})'

const TEMPLATES: readonly Template[] = [
  {
    uriTemplate: 'config://{type}/{id}',
    name: 'configuration',
    title: 'A resource of the configuration',
    description: 'By the plural of its type and its id or slug, such as config://proxies/orders:get-order',
    mimeType: JSON_TYPE,
    form: new RegExp(`^config://([a-z_]{1,40})/${PART}$`),
    reads: ([type, id]) => (isResourceType(type!) ? { resource: type!, id: id! } : null),
  },
  {
    uriTemplate: 'audit://entries/{id}',
    name: 'audit_entry',
    title: 'An entry of the audit trail',
    description: 'With its differences',
    mimeType: JSON_TYPE,
    form: new RegExp(`^audit://entries/${PART}$`),
    reads: ([id]) => ({ resource: 'audit', id: id! }),
  },
  {
    uriTemplate: 'records://{id}',
    name: 'request_record',
    title: 'The record of a call',
    description: 'By its request id',
    mimeType: JSON_TYPE,
    form: new RegExp(`^records://${PART}$`),
    reads: ([id]) => ({ resource: 'records', id: id! }),
  },
]

const DOC_URI = /^docs:\/\/([a-z0-9-]{1,80})$/
const DOC_TEMPLATE: ResourceTemplate = {
  uriTemplate: 'docs://{topic}',
  name: 'documentation',
  title: 'A page of the documentation',
  description: 'resources/list has the topics',
  mimeType: 'text/markdown',
}

/** Configuration, trail, records and documentation as resources, each read by the operation that tools call. */
export function createResources(
  operations: readonly Operation[],
  { invoke, allowed }: Pick<RunPorts, 'invoke' | 'allowed'>,
  docs: DocPages,
): Resources<ManagementCaller> {
  const kinds = operations.filter(({ resource, action }) => isResourceType(resource) && action === 'list')
  const operationOf = (resource: string, action: string): Operation | undefined =>
    operations.find((one) => one.resource === resource && one.action === action)
  let schema: string | undefined

  function fixed(): ListedResource[] {
    return [
      {
        uri: SCHEMA_URI,
        name: 'schema',
        title: 'Members that a resource of each type can have',
        description: 'JSON Schema by type',
        mimeType: JSON_TYPE,
      },
      ...docs.topics().map(({ topic, title }) => ({
        uri: `docs://${topic}`,
        name: topic,
        title,
        mimeType: DOC_TEMPLATE.mimeType,
      })),
    ]
  }

  async function listed(caller: ManagementCaller, at: Position, limit: number, said: Said) {
    const kind = kinds[at.kind]!
    if (!allowed(caller.principal, kind)) return { items: [], next: null }
    const input = { limit, ...(at.cursor === null ? {} : { cursor: at.cursor }) }
    const { output } = await invoke(kind, input, {}, caller.principal, viaOf(caller.request, said))
    const { items, next_cursor: next } = output
    return {
      items: (Array.isArray(items) ? items : []).filter(isPlain).map((item) => toListed(kind.resource, item)),
      next: typeof next === 'string' ? next : null,
    }
  }

  async function read(caller: ManagementCaller, uri: string, said: Said): Promise<ResourceContent | null> {
    if (uri === SCHEMA_URI) {
      schema ??= JSON.stringify(schemaOf(kinds, operationOf))
      return { uri, mimeType: JSON_TYPE, text: schema }
    }
    const topic = DOC_URI.exec(uri)?.[1]
    if (topic !== undefined) {
      const text = docs.read(topic)
      return text === null ? null : { uri, mimeType: DOC_TEMPLATE.mimeType, text }
    }
    for (const { form, reads, mimeType } of TEMPLATES) {
      const parts = partsOf(form.exec(uri))
      const meant = parts && reads(parts)
      const operation = meant && operationOf(meant.resource, 'get')
      if (!operation) continue
      const input = { id: meant!.id }
      const { output } = await invoke(operation, input, {}, caller.principal, viaOf(caller.request, said))
      return { uri, mimeType, text: visibleJson(JSON.stringify(output)) }
    }
    return null
  }

  return {
    async list(caller, cursor, said) {
      let at: Position | null = cursor === null ? { kind: 0, cursor: null } : positionOf(cursor, kinds.length)
      if (at === null) return null
      const resources = cursor === null ? fixed() : []
      while (at !== null && resources.length < PAGE_ITEMS) {
        try {
          const { items, next } = await listed(caller, at, PAGE_ITEMS - resources.length, said)
          resources.push(...items)
          at = next === null ? after(at.kind, kinds.length) : { kind: at.kind, cursor: next }
        } catch (error) {
          if (isRefusedAs(error, ['input_invalid'])) return null
          throw error
        }
      }
      return { resources, nextCursor: at === null ? null : textOf(at) }
    },
    templates: () => [...TEMPLATES.map(({ form: _, reads: __, ...template }) => template), DOC_TEMPLATE],
    async read(caller, uri, said) {
      try {
        return await read(caller, uri, said)
      } catch (error) {
        if (isRefusedAs(error, ['insufficient_scope'])) {
          // The whole answer asks for a token that reaches further
          caller.beyondScope = error
          return null
        }
        // What one may not see is not there
        if (isRefusedAs(error, ['not_found', 'permission_denied', 'input_invalid'])) return null
        throw error
      }
    },
  }
}

function isRefusedAs(error: unknown, codes: readonly string[]): error is Refusal {
  return error instanceof Refusal && codes.includes(error.code)
}

function partsOf(match: RegExpExecArray | null): readonly string[] | null {
  if (match === null) return null
  try {
    return match.slice(1).map(decodeURIComponent)
  } catch (error) {
    if (error instanceof URIError) return null
    throw error
  }
}

function toListed(type: string, { id, slug, name }: Readonly<Record<string, unknown>>): ListedResource {
  return {
    uri: `config://${type}/${id}`,
    name: typeof slug === 'string' ? slug : String(id),
    ...(typeof name === 'string' ? { title: printable(name) } : {}),
    description: inWords(type),
    mimeType: JSON_TYPE,
  }
}

/** Where a page begins: a kind, and its own cursor. */
interface Position {
  readonly kind: number
  readonly cursor: string | null
}

function after(kind: number, count: number): Position | null {
  return kind + 1 < count ? { kind: kind + 1, cursor: null } : null
}

function textOf({ kind, cursor }: Position): string {
  return Buffer.from(`${kind}:${cursor ?? ''}`).toString('base64url')
}

function positionOf(text: string, count: number): Position | null {
  const [, kind, cursor] = /^([0-9]{1,3}):(.{0,1000})$/.exec(Buffer.from(text, 'base64url').toString()) ?? []
  if (kind === undefined || Number(kind) >= count) return null
  return { kind: Number(kind), cursor: cursor === undefined || cursor === '' ? null : cursor }
}

/** What creating a resource of each type takes. */
function schemaOf(
  kinds: readonly Operation[],
  operationOf: (resource: string, action: string) => Operation | undefined,
): unknown {
  const types = kinds.flatMap(({ resource }) => {
    const create = operationOf(resource, 'create')
    return create === undefined ? [] : [[resource, jsonSchemasOf(create.input).input] as const]
  })
  return { types: Object.fromEntries(types) }
}
