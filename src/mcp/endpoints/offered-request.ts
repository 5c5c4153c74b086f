/** Makes the request for a tool, prompt or resource that stands for an endpoint: from its arguments, or from its URI. */
import { pointerTo } from '../../base/json/storable.ts'
import type { FieldError } from '../../base/refusal.ts'
import type { OfferedEndpoint } from '../../model/mcp/capability.ts'
import { isMembers, type Members } from '../protocol/message.ts'
import { matchPath, toPattern } from './parameter-text.ts'
import { buildTarget, type Told } from './target.ts'

/** An offered endpoint, and where it is. */
export interface CalledOffer extends OfferedEndpoint {
  readonly collection: { readonly fragment: { readonly slug: string; readonly hosts: readonly string[] } }
  readonly route: {
    /** Base path and pattern. */
    readonly route: string
    readonly fragment: { readonly path: string }
  }
}

const NO_VALUES: ReadonlyMap<string, string> = new Map()
const NO_PARAMS: Members = Object.freeze({})
const NO_FORM = Object.freeze({})
const NOTHING: readonly string[] = []

type Built = ReturnType<typeof buildTarget>

/** The request that arguments make. Pointers of errors are into the arguments. */
export function byArguments(endpoint: CalledOffer, given: unknown): Built {
  const { places, hasBody, route } = endpoint
  const errors: FieldError[] = []
  const groups = {
    path: new Map<string, unknown>(),
    query: new Map<string, unknown>(),
    headers: new Map<string, unknown>(),
    cookies: new Map<string, unknown>(),
  }
  let body: Members = {}
  for (const [key, value] of Object.entries(isMembers(given) ? given : {})) {
    if (key === 'body' && hasBody) body = { body: value }
    else if (!Object.hasOwn(places, key)) {
      const names = [...Object.keys(places), ...(hasBody ? ['body'] : [])].join(', ')
      errors.push({
        pointer: pointerTo('', key.slice(0, 128)),
        reason: `no such argument; there are: ${names || 'none'}`,
      })
      // Models send null for what they leave out
    } else if (value !== null) groups[places[key]![0]].set(places[key]![1], value)
  }
  if (errors.length > 0) return { ok: false, errors }
  const { path, query, headers, cookies } = groups
  const params = {
    path: Object.fromEntries(path),
    query: Object.fromEntries(query),
    headers: Object.fromEntries(headers),
    cookies: Object.fromEntries(cookies),
    ...body,
  }
  const built = buildTarget(toPattern(route.route), NO_VALUES, '', params, toldBy(endpoint), undefined)
  if (built.ok) return built
  const toArgument = argumentPointer(endpoint)
  return {
    ok: false,
    errors: built.errors.map(({ pointer, reason }) => ({
      pointer: toArgument(pointer.replace(/^\/params/, '')),
      reason,
    })),
  }
}

function toldBy({ places, bodyType = 'application/json', base64 = NOTHING }: CalledOffer): Told {
  return {
    parameters: () => [],
    formOf(place, name) {
      const found = Object.values(places).find(([in_, own]) => in_ === place && own === name)
      return found === undefined ? undefined : (found[2] ?? NO_FORM)
    },
    bodyForm: () => ({ type: bodyType, base64 }),
  }
}

/** The request that a URI of a resource makes, such as `postern://orders/v1/orders/7?fields=id`. */
export function byUri(endpoint: CalledOffer, uri: string): Built {
  const { collection, route } = endpoint
  const [path = '', query = ''] = uri.slice(`postern://${collection.fragment.slug}`.length).split(/\?(.*)/s)
  const values = matchPath(toPattern(route.fragment.path), path)
  if (values === null)
    return { ok: false, errors: [{ pointer: '/uri', reason: 'is not a URI of the template' }] }
  return buildTarget(toPattern(route.route), values, query, NO_PARAMS, toldBy(endpoint), undefined)
}

/** From a pointer into the request, such as `/query/limit/0`, to one into the arguments. */
export function argumentPointer({ places }: CalledOffer): (pointer: string) => string {
  const names = new Map(
    Object.entries(places).map(([name, [place, own]]) => [pointerTo(`/${place}`, own).toLowerCase(), name]),
  )
  return (pointer) => {
    const [, place = '', token = '', ...rest] = pointer.split('/')
    const name = names.get(`/${place}/${token}`.toLowerCase())
    return name === undefined ? pointer : [pointerTo('', name), ...rest].join('/')
  }
}
