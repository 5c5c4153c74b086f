import type { z } from 'zod'
import { canonicalJson } from '../../base/json/canonical.ts'
import { isPlain, type Plain, pointerTo } from '../../base/json/storable.ts'
import { type FieldError, refuse } from '../../base/refusal.ts'
import { withoutEndSlashes } from '../../base/text/url.ts'
import { BasePath, type CollectionSpec } from '../../model/api/collection.ts'
import { type JsonSchema, type Parameter, PathPattern, type ProxySpec } from '../../model/api/proxy.ts'
import { UpstreamUrl } from '../../model/api/upstream.ts'
import { slugOf } from '../../model/members.ts'
import { createSlugs, toName, toTags } from '../names.ts'
import { broken } from '../text/plain-data.ts'
import { type Body, requestBody, responseBody } from './body.ts'
import { type Description, withSourcePlaces } from './description.ts'
import { commonPath, type DescribedEndpoint, firstServer, listEndpoints, type Server } from './endpoints.ts'
import { type Reading, takeParameters } from './parameters.ts'
import { createSchemas } from './schemas.ts'
import { createWarnings, type NotEnforced, type Warn } from './warnings.ts'

export interface ImportOptions {
  /** That of the servers of the description when absent, else the slug. */
  readonly base_path?: string | undefined
  readonly name?: string
  readonly slug?: string
  /** URL of the upstream; without a path it takes over the path of the description's servers. */
  readonly upstream?: string
  /** Publish the collection; else it is a draft, which hides its proxies whatever their state. */
  readonly publish?: boolean
  /** `skip`: a schema reference that points nowhere allows any value and is reported, instead of being refused. */
  readonly broken_refs?: 'refuse' | 'skip'
}

export interface Imported {
  readonly collection: z.input<typeof CollectionSpec> & { readonly slug: string }
  readonly proxies: readonly (z.input<typeof ProxySpec> & { readonly slug: string })[]
  /** The operation that each proxy is made of, in the same order. */
  readonly endpoints: readonly Pick<DescribedEndpoint, 'operation' | 'pointer'>[]
  /** Shared schemas that `#/$defs/<name>` in the proxies point into; null when there are none. */
  readonly schemas: Readonly<Record<string, JsonSchema>> | null
  readonly warnings: readonly FieldError[]
  /** Keywords that no request is held to. */
  readonly notEnforced: readonly NotEnforced[]
}

const DESCRIPTION_MAX = 20_000
/** Characters of all proxies as JSON. References let a small document ask for much more than its own size. */
const PROXIES_MAX = 64 * 1024 ** 2

/**
 * Makes of a description, as `readDocument` gives it, a collection with one proxy per path and method. Pure and
 * deterministic; linear in the document. Refuses with `document_invalid` and the pointer of what is broken.
 */
export function toCollection(description: Description, options: ImportOptions): Imported {
  return withSourcePlaces(description, () => read(description, options))
}

function read({ document, sourceOf, notes }: Description, options: ImportOptions): Imported {
  const { warn, note, leave, list, notEnforced } = createWarnings(sourceOf)
  const info = document['info']
  if (!isPlain(info))
    throw broken('/info', info === undefined ? 'missing' : 'an object with title and version')

  const endpoints = endpointsOf(document, warn)
  const placement = placeEndpoints(document, endpoints, options.upstream, warn)
  const name = toName([options.name, info['title'], nameOfPath(options.base_path ?? placement.path), 'API'])
  if (options.name === undefined && toName([info['title'], '-']) === '-')
    warn('/info/title', `missing; the collection gets the name "${name}"`)
  const slug = options.slug ?? (slugOf(name) || 'api')
  const upstream = usableUpstream(placement, options)
  const schemas = createSchemas(document, options.broken_refs ?? 'refuse', warn, leave)
  const reading = { document, schemas, warn, leave }
  const slugs = createSlugs()
  const operationIds = new Set<string>()
  let left = PROXIES_MAX
  const proxies = endpoints.map((endpoint) => {
    const proxy = toProxy(reading, endpoint)
    left -= JSON.stringify(proxy).length
    if (left < 0) throw broken('/paths', `references in it expand to more than ${PROXIES_MAX} characters`)
    const unique = uniqueOperationId(endpoint, operationIds, warn)
    const { target, elsewhere } = targetOf(placement, endpoint, warn)
    return {
      ...proxy,
      collection: slug,
      slug: slugs([unique ?? '', proxy.name, `${endpoint.method} ${endpoint.path.pattern}`]),
      operation_id: unique,
      target_path: target,
      // A draft collection hides all its proxies, so that publishing it is the one step that is left.
      status: elsewhere ? ('draft' as const) : ('published' as const),
    }
  })
  noteSecurity(document, warn)
  for (const { pointer, reason } of notes) note(pointer, reason)

  const shared = schemas.all()
  return {
    collection: {
      name,
      slug,
      description: textOf(info['description']),
      base_path: options.base_path ?? basePathOf(placement, slug),
      upstream,
      status: options.publish === true && upstream !== null ? 'published' : 'draft',
    },
    proxies,
    endpoints,
    schemas: Object.keys(shared).length > 0 ? shared : null,
    warnings: list(),
    notEnforced: notEnforced(),
  }
}

/** The last segment of a path, for a description without a title. */
function nameOfPath(path: string | null): string | undefined {
  return path?.split('/').findLast((segment) => segment !== '')
}

function endpointsOf(document: Plain, warn: Warn): DescribedEndpoint[] {
  if (document['paths'] === undefined) {
    // OpenAPI 3.1 allows a description of webhooks or components alone.
    const hasOther = isPlain(document['webhooks']) || isPlain(document['components'])
    if (!hasOther || String(document['openapi']).startsWith('3.0')) throw broken('/paths', 'missing')
    warn('/paths', 'missing, so there are no proxies')
    return []
  }
  const endpoints = listEndpoints(document, warn)
  if (endpoints.length === 0) warn('/paths', 'no operation in it, so there are no proxies')
  return endpoints
}

/** Under which it answers as it is described, or under its slug where that cannot be. */
function basePathOf({ path }: Placement, slug: string): string {
  const found = [path, `/${slug}`].find((one) => BasePath.safeParse(one).success)
  if (found !== undefined) return found
  const reason = 'required: neither the servers of the description nor the slug give a free path'
  throw refuse('input_invalid', {
    detail: 'Give the base_path under which it is published.',
    errors: [{ pointer: '/base_path', reason }],
  })
}

function usableUpstream(placement: Placement, options: ImportOptions): { targets: { url: string }[] } | null {
  const { url } = placement
  if (url !== null && UpstreamUrl.safeParse(url).success) return { targets: [{ url }] }
  if (options.publish === true)
    throw refuse('input_invalid', {
      detail:
        'The description names no usable host, so it cannot be published without the URL of the upstream.',
      errors: [
        { pointer: '/upstream', reason: 'required to publish, because the description names no usable host' },
      ],
    })
  return null
}

function targetOf(
  placement: Placement,
  endpoint: DescribedEndpoint,
  warn: Warn,
): { target: string | null; elsewhere: boolean } {
  const elsewhere = placement.isElsewhere(endpoint)
  if (elsewhere)
    warn(
      endpoint.pointer,
      'the description serves it from another host; it stays a draft, because its calls would go to the upstream',
    )
  const target = placement.targetOf(endpoint)
  if (target === null || PathPattern.safeParse(target).success) return { target, elsewhere }
  warn(endpoint.pointer, 'the path of its server cannot be used; its calls use only its own path')
  return { target: null, elsewhere }
}

function toProxy(
  reading: Reading,
  endpoint: DescribedEndpoint,
): Omit<z.input<typeof ProxySpec>, 'collection' | 'slug'> {
  const { method, path, operation, item, twins } = endpoint
  const texts = [operation['description'], operation['summary'], item['description'], item['summary']]
  const own = contractOf(reading, endpoint)
  return {
    name: toName([
      operation['summary'],
      operation['operationId'],
      item['summary'],
      `${method} ${path.pattern}`,
    ]),
    description: textOf(texts.find((text) => typeof text === 'string' && text.trim() !== '')),
    tags: toTags(operation['tags']),
    deprecated: operation['deprecated'] === true,
    methods: [method],
    path: path.pattern,
    ...(twins.length === 0
      ? own
      : commonContract(
          own,
          twins.map((twin) => contractOf(reading, twin)),
        )),
  }
}

function contractOf(
  reading: Reading,
  {
    path,
    operation,
    pointer,
    parameters,
  }: Pick<DescribedEndpoint, 'path' | 'operation' | 'pointer' | 'parameters'>,
): ImportedContract {
  const { document, schemas } = reading
  const request: Body =
    operation['requestBody'] === undefined
      ? { schema: null }
      : requestBody(document, operation['requestBody'], pointerTo(pointer, 'requestBody'), schemas)
  const response = responseBody(document, operation['responses'], pointerTo(pointer, 'responses'), schemas)
  return {
    parameters: takeParameters(reading, parameters, path),
    request_schema: request.schema,
    ...(request.schemas === undefined ? {} : { request_schemas: { ...request.schemas } }),
    request_types: [...(request.types ?? [])],
    request_required: request.required ?? false,
    response_schema: response.schema,
    ...(request.example === undefined ? {} : { request_example: request.example as never }),
    ...(response.example === undefined ? {} : { response_example: response.example as never }),
  }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, DESCRIPTION_MAX).toWellFormed() : ''
}

/** The operationId when it is the first of that name: later ones would make updates by id ambiguous. */
function uniqueOperationId(
  { operation, pointer }: DescribedEndpoint,
  taken: Set<string>,
  warn: Warn,
): string | null {
  const id = operation['operationId']
  if (typeof id !== 'string' || id === '' || id.length > 256) return null
  if (!taken.has(id)) {
    taken.add(id)
    return id
  }
  warn(
    pointerTo(pointer, 'operationId'),
    `"${id.slice(0, 80)}" occurs twice; only the first operation keeps it`,
  )
  return null
}

function noteSecurity(document: Plain, warn: Warn): void {
  const components = document['components']
  const schemes = isPlain(components) ? components['securitySchemes'] : undefined
  if (document['security'] === undefined && (!isPlain(schemes) || Object.keys(schemes).length === 0)) return
  warn(
    document['security'] === undefined ? '/components/securitySchemes' : '/security',
    'not imported: callers authenticate with their profile; set a credential for the upstream',
  )
}

/** Where calls go: one upstream for the collection, and for each endpoint how its path differs there. */
interface Placement {
  /** URL of the upstream, or null when neither the description nor the caller names a host. */
  readonly url: string | null
  /** Where the description serves its endpoints, as far as that is the same for all; empty at the root. */
  readonly path: string
  /** Path at the upstream below {@link url}, or null when it is the pattern itself. */
  targetOf(endpoint: DescribedEndpoint): string | null
  /** The description serves this endpoint from another host than the rest. */
  isElsewhere(endpoint: DescribedEndpoint): boolean
}

/**
 * Joins the servers of the description with the upstream that the caller gives. Without one, the first server is the
 * upstream. An upstream without a path takes over the path of the servers; one with a path is used as it is given.
 */
function placeEndpoints(
  document: Plain,
  endpoints: readonly DescribedEndpoint[],
  upstream: string | undefined,
  warn: Warn,
): Placement {
  const home: Server = firstServer(document, '', warn) ?? { origin: null, path: '', pointer: '/servers' }
  const given = upstream === undefined ? null : new URL(upstream)
  const givenPath = given === null ? '' : withoutEndSlashes(given.pathname)
  const serverOf = (endpoint: DescribedEndpoint): Server => endpoint.server ?? home
  const isElsewhere = (endpoint: DescribedEndpoint): boolean => {
    const { origin } = serverOf(endpoint)
    return origin !== null && origin !== origins.main
  }
  const origins = {
    main: home.origin ?? endpoints.map(serverOf).find((server) => server.origin !== null)?.origin,
  }

  const paths = endpoints.map((endpoint) => serverOf(endpoint).path)
  const common = paths.length === 0 ? home.path : commonPath(paths)
  if (given !== null && givenPath !== '')
    return {
      url: `${given.protocol}//${given.host}${givenPath}`,
      path: common,
      targetOf: () => null,
      isElsewhere,
    }
  const origin = given === null ? origins.main : `${given.protocol}//${given.host}`
  if (origin === undefined) {
    const path = common === '' ? '' : `, with the path ${common}`
    warn(home.pointer, `the description names no host; set the upstream of the collection${path}`)
  }
  return {
    url: origin === undefined ? null : `${origin}${common}`,
    path: common,
    targetOf(endpoint) {
      const rest = serverOf(endpoint).path.slice(common.length)
      return rest === '' ? null : `${rest}${endpoint.path.pattern}`
    },
    isElsewhere,
  }
}

/** What a description says of the requests and answers of one operation. */
type ImportedContract = Pick<
  z.input<typeof ProxySpec>,
  | 'request_schema'
  | 'request_schemas'
  | 'request_types'
  | 'request_required'
  | 'response_schema'
  | 'request_example'
  | 'response_example'
> & { parameters: z.input<typeof Parameter>[] }

/**
 * The contract of a route that several operations share: only what each of them asks, so that a call that is valid for one
 * of them is never refused for another. Texts and examples are those of the first.
 */
function commonContract(first: ImportedContract, others: readonly ImportedContract[]): ImportedContract {
  const all = [first, ...others]
  const types = all.map(({ request_types }) => request_types ?? [])
  const isSame = (member: 'request_schema' | 'request_schemas' | 'response_schema'): boolean =>
    others.every((other) => canonicalJson(other[member] ?? null) === canonicalJson(first[member] ?? null))
  const isSameBody = isSame('request_schema') && isSame('request_schemas')
  const { request_schemas, ...rest } = first
  return {
    ...rest,
    parameters: first.parameters.map((parameter) => commonParameter(parameter, others)),
    request_schema: isSameBody ? (first.request_schema ?? null) : null,
    ...(isSameBody && request_schemas !== undefined ? { request_schemas } : {}),
    // An operation without types takes any.
    request_types: types.every((some) => some.length > 0)
      ? [...new Set(types.flat())].slice(0, TYPES_MAX + 1)
      : [],
    request_required: all.every(({ request_required }) => request_required === true),
    response_schema: isSame('response_schema') ? (first.response_schema ?? null) : null,
  }
}

/** Media types of one proxy. */
const TYPES_MAX = 20

/** The parameter as every operation has it; one that they say differently may be anything. */
function commonParameter(
  parameter: z.input<typeof Parameter>,
  others: readonly ImportedContract[],
): z.input<typeof Parameter> {
  const judged = (one: z.input<typeof Parameter> | undefined): string => {
    const { description: _, name: __, ...rest } = one ?? { name: '', in: 'query' }
    return canonicalJson(rest)
  }
  const isSame = others.every((other) => judged(twinOf(parameter, other)) === judged(parameter))
  if (isSame) return parameter
  const { name, in: place, description } = parameter
  const isRequired = others.every((other) => twinOf(parameter, other)?.required === true)
  return {
    name,
    in: place,
    ...(description === undefined ? {} : { description }),
    ...(place === 'path' || (isRequired && parameter.required === true) ? { required: true } : {}),
    schema: true,
  }
}

/** The same parameter of another operation; in a path by its place, whatever it is called. */
function twinOf(
  parameter: z.input<typeof Parameter>,
  { parameters }: ImportedContract,
): z.input<typeof Parameter> | undefined {
  return parameters.find((one) => one.in === parameter.in && one.name === parameter.name)
}

/** The member by which a description counts as documents of configuration. */
export const EXTENSION = 'x-postern'

/** What an import says of that member, which it does not read. */
export function extensionWarnings({ document }: Description): FieldError[] {
  if (document[EXTENSION] === undefined) return []
  return [
    {
      pointer: `/${EXTENSION}`,
      reason: 'is ignored by an import; use plan and apply for documents with it',
    },
  ]
}
