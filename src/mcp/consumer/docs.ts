/**
 * Descriptions of APIs as resources: `openapi://{collection}` and `docs://{collection}/{page}`. They describe only the
 * endpoints that the caller may call. A page that does not exist and a page that the caller may not see get the same answer:
 * null.
 */
import { textHash } from '../../base/json/canonical.ts'
import { Lru } from '../../base/memory/lru.ts'
import type { Endpoint, GatewayPort } from '../../gateway/port.ts'
import type { Parameter } from '../../model/api/proxy.ts'
import type { HttpMethod } from '../../model/members.ts'
import type { Way } from '../../model/schema-looseness.ts'
import type { CollectionFragment } from '../../snapshot/fragments.ts'
import { type DescribedProxy, toDocument, withUsedSchemas } from '../../snapshot/offer/openapi-document.ts'
import { boundedSchema } from '../../snapshot/schema/bounded.ts'
import type { Members } from '../protocol/message.ts'
import type { Catalogue } from './catalogue.ts'
import { summaryOf } from './discover.ts'
import { callExample } from './inspect.ts'

/** Texts that are kept; the one unused for longest is written again when it is read. */
const TEXTS_MAX = 32
/** Longer texts are written anew each time. */
const KEPT_CHARS_MAX = 1024 * 1024
const SCHEMA_BYTES_MAX = 16 * 1024
const OVERVIEW = 'overview'

const OPENAPI = /^openapi:\/\/([^/?#]+)$/
const PAGE = /^docs:\/\/([^/?#]+)\/([^/?#]+)$/

const JSON_TYPE = 'application/json'
const MARKDOWN = 'text/markdown'

export const DOC_TEMPLATES: readonly Members[] = [
  {
    uriTemplate: 'openapi://{collection}',
    name: 'openapi',
    title: 'OpenAPI description',
    description:
      'OpenAPI 3.1 description of the endpoints of a collection that you may call. collection is its slug.',
    mimeType: JSON_TYPE,
  },
  {
    uriTemplate: 'docs://{collection}/{page}',
    name: 'docs',
    title: 'Documentation',
    description:
      'Pages about a collection. The page overview lists its endpoints; each endpoint has a page by its slug or id.',
    mimeType: MARKDOWN,
  },
]

export interface Docs {
  /** The descriptions of the collections that a caller sees. */
  list(catalogue: Catalogue): readonly Members[]
  /** Null for what is not there for this caller. */
  read(catalogue: Catalogue, uri: string): Content | null
}

interface Content {
  readonly mimeType: string
  readonly text: string
}

/** The descriptions of one gateway thread. */
export function createDocs(gateway: GatewayPort): Docs {
  /** By what is seen, and the URI. */
  const kept = new Lru<string, string>(TEXTS_MAX)
  const numbers = new WeakMap<Catalogue, number>()
  let last = 0

  function numberOf(catalogue: Catalogue): number {
    let number = numbers.get(catalogue)
    if (number === undefined) {
      number = ++last
      numbers.set(catalogue, number)
    }
    return number
  }

  function keptText(catalogue: Catalogue, uri: string, write: () => string): string {
    const key = `${numberOf(catalogue)} ${uri}`
    let text = kept.get(key)
    if (text === undefined) {
      text = write()
      if (text.length <= KEPT_CHARS_MAX) kept.set(key, text)
    }
    return text
  }

  return {
    list: ({ collections }) =>
      collections.flatMap(({ collection: { slug, name } }) => [
        {
          uri: `openapi://${slug}`,
          name: `${slug}-openapi`,
          title: `${name}: OpenAPI`,
          description: `OpenAPI 3.1 description of the endpoints of ${name} that you may call`,
          mimeType: JSON_TYPE,
        },
        {
          uri: `docs://${slug}/${OVERVIEW}`,
          name: `${slug}-overview`,
          title: `${name}: overview`,
          description: `Purpose and endpoints of ${name}. Each endpoint has its own page`,
          mimeType: MARKDOWN,
        },
      ]),
    read(catalogue, uri) {
      const described = OPENAPI.exec(uri)
      const paged = PAGE.exec(uri)
      const slug = described?.[1] ?? paged?.[1]
      const collection = catalogue.collections.find((one) => one.collection.slug === slug)?.collection
      if (collection === undefined) return null
      const own = catalogue.endpoints.filter((endpoint) => endpoint.collection.id === collection.id)
      if (described !== null)
        return {
          mimeType: JSON_TYPE,
          text: keptText(catalogue, uri, () => openapi(gateway, collection, own)),
        }
      const page = paged![2]!
      if (page === OVERVIEW)
        return {
          mimeType: MARKDOWN,
          text: keptText(catalogue, uri, () => overview(gateway, collection, own)),
        }
      const endpoint = own.find(({ proxy }) => proxy.slug === page || proxy.id === page)
      if (endpoint === undefined) return null
      return { mimeType: MARKDOWN, text: pageOf(gateway, catalogue, endpoint) }
    },
  }
}

function openapi(gateway: GatewayPort, collection: CollectionFragment, own: readonly Endpoint[]): string {
  let schemas: Readonly<Record<string, unknown>> = {}
  const proxies = own.map((endpoint): DescribedProxy => {
    const { proxy, methods } = endpoint
    const found = gateway.contract(endpoint)
    if (found !== null) schemas = found.schemas
    const { contract } = found ?? { contract: NO_CONTRACT }
    const { slug, name, tags, deprecated, path } = proxy
    return {
      ...contract,
      ...{ slug, name, tags, deprecated, path },
      kind: 'http',
      // How it is called at the upstream is not for callers
      target_path: null,
      methods: methods as readonly HttpMethod[],
      all_methods: proxy.methods,
      contracts: contract.by_method,
    }
  })
  const described = { collection, server: collection.base_path, proxies, schemas: schemas as never }
  const whole = toDocument({ ...described, version: '' }).document
  const document = withUsedSchemas(whole)
  const version = textHash(JSON.stringify(document)).slice(0, 12)
  return JSON.stringify({ ...document, info: { ...(document['info'] as object), version } })
}

const NO_CONTRACT = {
  description: '',
  operation_id: null,
  parameters: [],
  request_schema: null,
  request_types: [],
  request_required: true,
  response_schema: null,
  by_method: undefined,
} as const

function overview(gateway: GatewayPort, collection: CollectionFragment, own: readonly Endpoint[]): string {
  const { name, description, base_path, slug } = collection
  const rows = own.map((endpoint) => {
    const { proxy, methods, path } = endpoint
    const told = summaryOf(gateway.contract(endpoint)?.contract.description ?? '')
    const page = `[${cell(proxy.name)}](docs://${slug}/${proxy.slug === OVERVIEW ? proxy.id : proxy.slug})`
    return `| ${page} | ${methods.join(', ')} | \`${path}\` | ${cell(told)} |`
  })
  return [
    `# ${name}`,
    ...(description === '' ? [] : [description]),
    `Base path: \`${base_path}\`. The OpenAPI description is the resource openapi://${slug}.`,
    '## Endpoints',
    ['| endpoint | methods | path | about |', '|---|---|---|---|', ...rows].join('\n'),
  ].join('\n\n')
}

/** A page about one endpoint, with each method that the caller may use. */
function pageOf(gateway: GatewayPort, catalogue: Catalogue, endpoint: Endpoint): string {
  const { proxy, methods, path } = endpoint
  const description = gateway.contract(endpoint)?.contract.description ?? ''
  return [
    `# ${proxy.name}`,
    ...(proxy.deprecated ? ['Deprecated.'] : []),
    ...(description === '' ? [] : [description]),
    ...methods.flatMap((method) => [
      `## ${method} ${path}`,
      ...methodOf(gateway, endpoint, method),
      ...example(method),
    ]),
  ].join('\n\n')

  function example(method: string): string[] {
    const call = callExample(gateway, catalogue, endpoint, method)
    return ['Call it with `execute_call`:', block(call['arguments'])]
  }
}

function methodOf(gateway: GatewayPort, endpoint: Endpoint, method: string): string[] {
  const found = gateway.contract(endpoint, method)
  if (found === null) return []
  const { parameters, request_schema: request, response_schema: response } = found.contract
  const shown = (title: string, schema: typeof request, way: Way): string[] =>
    schema === null ? [] : [`${title}:`, block(boundedSchema(schema, found.schemas, SCHEMA_BYTES_MAX, way))]
  const hasBody = method !== 'GET' && method !== 'HEAD'
  return [
    ...(parameters.length === 0 ? [] : [tableOf(parameters)]),
    ...(hasBody ? shown('Request body', request, 'request') : []),
    ...shown('Response', response, 'response'),
  ]
}

function tableOf(parameters: readonly Parameter[]): string {
  const rows = parameters.map(
    ({ name, in: place, type, required, description }) =>
      `| ${cell(name)} | ${place} | ${type} | ${required || place === 'path' ? 'yes' : 'no'} | ${cell(description)} |`,
  )
  return ['| parameter | in | type | required | about |', '|---|---|---|---|---|', ...rows].join('\n')
}

/** One line for a cell of a table. */
function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll(/\s+/g, ' ').trim()
}

function block(value: unknown): string {
  return `\`\`\`json\n${JSON.stringify(value, null, 2)}\n\`\`\``
}
