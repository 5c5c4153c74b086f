import { isPlain, type Plain, pointerTo } from '../../base/json/storable.ts'
import { type FieldError, Refusal, refuse } from '../../base/refusal.ts'
import { withoutEndSlashes } from '../../base/text/url.ts'
import { ProxySpec } from '../../model/api/proxy.ts'
import { UpstreamUrl } from '../../model/api/upstream.ts'
import { takeDocument } from '../descriptions.ts'
import { EXTENSION, type Imported, toCollection } from './collection.ts'
import type { Description } from './description.ts'

/** Members of a proxy that only a description says; an operation may say the others in its extension. */
const DESCRIBED: ReadonlySet<string> = new Set([
  'collection',
  'operation_id',
  'deprecated',
  'methods',
  'path',
  'target_path',
  'parameters',
  'contracts',
  'request_schema',
  'request_schemas',
  'request_types',
  'request_required',
  'request_example',
  'response_schema',
  'response_example',
])

/** A document, the pointer to it in the input, and that to the members of its spec. */
export interface Placed<T> {
  readonly value: T
  readonly place: string
  readonly specPlace: string
}

/** What a description stands for. */
interface Described {
  readonly documents: readonly Placed<Plain>[]
  readonly warnings: readonly FieldError[]
}

/** True for a description of an API rather than a document of kind, slug and spec. */
export function isDescription(value: Plain): boolean {
  return value['kind'] === undefined && (value['openapi'] !== undefined || value['swagger'] !== undefined)
}

/**
 * The documents of a collection and its proxies, of an OpenAPI description (2.0, 3.0, 3.1) that says by `x-postern` which
 * collection it is of. Refuses with document_invalid what cannot be read as one.
 * @param place of the description in the input
 */
export function fromDescription(value: Plain, place: string): Described {
  try {
    return describe(takeDocument(value), place)
  } catch (error) {
    if (!(error instanceof Refusal) || error.code !== 'document_invalid') throw error
    throw refuse('document_invalid', {
      detail: error.message,
      errors: (error.facts.errors ?? []).map(({ pointer, reason }) => ({ pointer: place + pointer, reason })),
    })
  }
}

function describe(description: Description, place: string): Described {
  const { slug, spec } = extensionOf(description.document)
  const { upstream } = spec
  const first = firstUrl(upstream)
  const imported = toCollection(description, {
    base_path: '',
    slug,
    ...(typeof spec['name'] === 'string' ? { name: spec['name'] } : {}),
    ...(first === undefined ? {} : { upstream: first }),
  })
  const { collection, schemas, proxies, endpoints, warnings } = imported
  const whole = {
    name: collection.name,
    description: collection.description,
    schemas,
    ...spec,
    upstream: upstream === undefined ? (collection.upstream ?? null) : placed(upstream, imported),
  }
  return {
    documents: [
      {
        value: { kind: 'collection', slug, spec: whole },
        place: `${place}/${EXTENSION}`,
        specPlace: `${place}/${EXTENSION}/spec`,
      },
      ...proxies.map(({ slug: own, ...proxy }, index) => {
        const { operation, pointer } = endpoints[index]!
        const { slug: chosen, ...members } = settingsOf(operation, pointer)
        const at = place + (operation[EXTENSION] === undefined ? pointer : pointerTo(pointer, EXTENSION))
        return {
          value: { kind: 'proxy', slug: chosen ?? own, spec: { ...proxy, ...members } },
          place: at,
          specPlace: at,
        }
      }),
    ],
    warnings: warnings.map(({ pointer, reason }) => ({ pointer: place + pointer, reason })),
  }
}

/** Which collection it is of. */
function extensionOf(description: Plain): { slug: string; spec: Plain } {
  const extension = description[EXTENSION]
  const at = `/${EXTENSION}`
  if (extension === undefined)
    throw invalid(
      at,
      'missing; a description is a document only if it names its collection: {"kind": "collection", "slug": "orders", "spec": {"base_path": "/orders"}}',
    )
  if (!isPlain(extension)) throw invalid(at, 'must be an object of kind, slug and spec')
  const { kind, slug, spec } = extension
  if (kind !== 'collection') throw invalid(`${at}/kind`, 'must be collection')
  if (typeof slug !== 'string') throw invalid(`${at}/slug`, 'required')
  if (!isPlain(spec)) throw invalid(`${at}/spec`, 'required, with the base_path')
  const unknown = Object.keys(extension).find((name) => !['kind', 'slug', 'spec'].includes(name))
  if (unknown !== undefined) throw invalid(pointerTo(at, unknown), 'unknown member')
  if (spec['schemas'] !== undefined)
    throw invalid(`${at}/spec/schemas`, 'are read from the description; remove them here')
  return { slug, spec }
}

/** What an operation says beside its description: members of its proxy, and its slug. */
function settingsOf(operation: Plain, pointer: string): Plain {
  const settings = operation[EXTENSION]
  if (settings === undefined) return {}
  const at = pointerTo(pointer, EXTENSION)
  if (!isPlain(settings)) throw invalid(at, 'must be an object of members of the proxy')
  for (const name of Object.keys(settings)) {
    if (!Object.hasOwn(ProxySpec.shape, name)) throw invalid(pointerTo(at, name), 'unknown member of a proxy')
    if (DESCRIBED.has(name))
      throw invalid(pointerTo(at, name), 'is read from the description; remove it here')
  }
  return settings
}

function firstUrl(upstream: unknown): string | undefined {
  const targets = isPlain(upstream) ? upstream['targets'] : undefined
  const first: unknown = Array.isArray(targets) ? targets[0] : undefined
  return isPlain(first) && isUrl(first['url']) ? first['url'] : undefined
}

/** The upstream with the path of the servers where its URLs have none, as an import has it. */
function placed(upstream: unknown, { collection }: Imported): unknown {
  const first = firstUrl(upstream)
  const [made] = collection.upstream?.targets ?? []
  if (!isPlain(upstream) || first === undefined || made === undefined) return upstream
  const path = pathOf(first) === '' ? pathOf(made.url) : ''
  const targets = (upstream['targets'] as readonly unknown[]).map((target) =>
    isPlain(target) && isUrl(target['url']) && pathOf(target['url']) === ''
      ? { ...target, url: withoutEndSlashes(target['url']) + path }
      : target,
  )
  return { ...upstream, targets }
}

function isUrl(value: unknown): value is string {
  return UpstreamUrl.safeParse(value).success
}

function pathOf(url: string): string {
  return withoutEndSlashes(new URL(url).pathname)
}

function invalid(pointer: string, reason: string): Error {
  return refuse('document_invalid', { detail: `${pointer}: ${reason}.`, errors: [{ pointer, reason }] })
}
