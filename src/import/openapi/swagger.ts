/** OpenAPI 2.0 ("Swagger"): what its upgrade to 3.0 needs done before, and where a place of the result stands in the source. */
import { isPlain, type Plain } from '../../base/json/plain.ts'
import { existing } from './description.ts'
import { localTokens, lookUp } from './pointer.ts'

const FORMS = ['application/x-www-form-urlencoded', 'multipart/form-data']
const METHODS = new Set(['get', 'put', 'post', 'delete', 'options', 'head', 'patch'])

/** The document as the upgrade reads it in the sense of the specification. The upgrade writes into the result. */
export function forUpgrade(document: Plain): Plain {
  return withBodies(withSecureFirst(document))
}

/** The first scheme becomes the upstream, and the order of schemes means nothing (OpenAPI 2.0, "Swagger Object"). */
function withSecureFirst(document: Plain): Plain {
  const { schemes } = document
  const isSecure = Array.isArray(schemes) && schemes.includes('https')
  return { ...document, swagger: '2.0', ...(isSecure ? { schemes: ['https'] } : {}) }
}

/** A parameter after its reference into `#/parameters` was followed. */
function parameterOf(document: Plain, value: unknown): Plain {
  if (!isPlain(value)) return {}
  const tokens = typeof value['$ref'] === 'string' ? localTokens(value['$ref']) : null
  const found = tokens === null ? value : lookUp(document, tokens)
  return isPlain(found) ? found : {}
}

const isForm = (parameter: Plain): boolean => parameter['in'] === 'formData'
const isBody = (parameter: Plain): boolean => parameter['in'] === 'body'

/**
 * Bodies of OpenAPI 2.0 in the form that the upgrade understands: bodies and form fields stand in their operation, and the media
 * types are said. An operation with `formData` takes both forms unless it names one of them, and without `consumes` a body may be
 * of any type ("Parameter Object", "Operation Object").
 */
function withBodies(document: Plain): Plain {
  const { paths } = document
  if (!isPlain(paths)) return document
  const resolved = (list: unknown): Plain[] =>
    Array.isArray(list)
      ? list.filter(isPlain).map((one) => {
          const parameter = parameterOf(document, one)
          return isForm(parameter) || isBody(parameter) ? parameter : one
        })
      : []
  const withTypes = (operation: unknown, shared: readonly Plain[]): unknown => {
    if (!isPlain(operation)) return operation
    const own = resolved(operation['parameters'])
    const names = own.map(({ name }) => name)
    const more = own.some(isBody) ? [] : shared.filter((one) => !names.includes(one['name']))
    const all = [...own, ...more]
    const said: unknown = operation['consumes'] ?? document['consumes']
    const types: readonly unknown[] = Array.isArray(said) ? said : []
    const isFormType = (type: unknown): boolean =>
      FORMS.includes(String(type).split(';')[0]!.trim().toLowerCase())
    const taken =
      all.some(isForm) && !types.some(isFormType)
        ? [...types, ...FORMS]
        : all.some(isBody) && types.length === 0
          ? ['application/json', '*/*']
          : null
    return {
      ...operation,
      ...(operation['parameters'] === undefined && all.length === 0 ? {} : { parameters: all }),
      ...(taken === null ? {} : { consumes: taken }),
    }
  }
  const item = (value: unknown): unknown => {
    if (!isPlain(value)) return value
    const list = resolved(value['parameters'])
    const bodies = list.filter((one) => isForm(one) || isBody(one))
    return Object.fromEntries(
      Object.entries(value).map(([member, one]) => [
        member,
        member === 'parameters' && bodies.length > 0
          ? list.filter((parameter) => !bodies.includes(parameter))
          : METHODS.has(member)
            ? withTypes(one, bodies)
            : one,
      ]),
    )
  }
  return {
    ...document,
    paths: Object.fromEntries(Object.entries(paths).map(([path, value]) => [path, item(value)])),
  }
}

const COMPONENTS: ReadonlyMap<string, string> = new Map([
  ['schemas', 'definitions'],
  ['parameters', 'parameters'],
  ['requestBodies', 'parameters'],
  ['responses', 'responses'],
  ['securitySchemes', 'securityDefinitions'],
])

/**
 * Place in a document of 2.0 of a place in what the upgrade made of it, or the nearest place around it.
 * @param source the document as it was, untouched by the upgrade
 * @param upgraded tells a parameter by its name: the upgrade moves bodies out of the lists
 */
export function swaggerPlace(source: Plain, upgraded: Plain, tokens: readonly string[]): string {
  const [first, ...rest] = tokens
  if (first === 'servers') return existing(source, [source['host'] === undefined ? 'basePath' : 'host'])
  if (first === 'components') {
    const [section = '', name, ...inside] = rest
    const own = COMPONENTS.get(section)
    if (own === undefined || name === undefined) return existing(source, own === undefined ? [] : [own])
    return existing(source, [own, name, ...insideOf(section, inside)])
  }
  if (first !== 'paths') return existing(source, first === undefined ? [] : [first, ...rest])
  const [path, member, ...inside] = rest
  if (path === undefined || member === undefined)
    return existing(source, rest.length === 0 ? ['paths'] : ['paths', path!])
  if (member === 'parameters') return listed(source, upgraded, ['paths', path], inside)
  const [part, ...deeper] = inside
  const operation = ['paths', path, member]
  if (part === 'parameters') return listed(source, upgraded, operation, deeper)
  if (part === 'requestBody') return bodyPlace(source, operation, deeper)
  if (part === 'responses') return existing(source, [...operation, part, ...insideOf('responses', deeper, 1)])
  return existing(source, [...operation, ...inside])
}

/** Tokens within a component: 2.0 has no media types, and says the schema of a parameter in the parameter itself. */
function insideOf(section: string, tokens: readonly string[], skip = 0): string[] {
  const kept = tokens.slice(0, skip)
  const own = tokens.slice(skip)
  if (own[0] === 'content') return [...kept, ...own.slice(2)]
  return [...kept, ...(section === 'parameters' && own[0] === 'schema' ? own.slice(1) : own)]
}

/** A place in a list of parameters. The operation may have those of its path item, and lacks bodies and form fields. */
function listed(source: Plain, upgraded: Plain, owner: readonly string[], tokens: readonly string[]): string {
  const [index, ...inside] = tokens
  const place = [...owner, 'parameters']
  if (index === undefined) return existing(source, place)
  const made = lookUp(upgraded, [...place, index])
  const wanted = isPlain(made) ? made : {}
  const at = indexOf(source, place, (one, parameter) =>
    wanted['$ref'] === undefined
      ? parameter['name'] === wanted['name'] && parameter['in'] === wanted['in']
      : String(one['$ref']).split('/').at(-1) === String(wanted['$ref']).split('/').at(-1),
  )
  return existing(source, at === null ? place : [...place, at, ...insideOf('parameters', inside)])
}

/** A place in a request body: that of the body parameter, or of the form field with the name of the property. */
function bodyPlace(source: Plain, operation: readonly string[], tokens: readonly string[]): string {
  const inside = insideOf('requestBodies', tokens)
  const field = inside[0] === 'schema' && inside[1] === 'properties' ? inside[2] : undefined
  for (const owner of [operation, operation.slice(0, 2)]) {
    const place = [...owner, 'parameters']
    const body = indexOf(source, place, (_, parameter) => isBody(parameter))
    if (body !== null) return existing(source, followed(source, [...place, body], inside))
    const form = indexOf(
      source,
      place,
      (_, parameter) => isForm(parameter) && (field === undefined || parameter['name'] === field),
    )
    if (form !== null) return existing(source, followed(source, [...place, form], inside.slice(3)))
  }
  return existing(source, operation)
}

/** The tokens below a parameter, or below what it refers to. */
function followed(source: Plain, place: readonly string[], inside: readonly string[]): string[] {
  const one = lookUp(source, place)
  const tokens = isPlain(one) && typeof one['$ref'] === 'string' ? localTokens(one['$ref']) : null
  return [...(tokens === null || inside.length === 0 ? place : tokens), ...inside]
}

function indexOf(
  source: Plain,
  place: readonly string[],
  fits: (one: Plain, parameter: Plain) => boolean,
): string | null {
  const list = lookUp(source, place)
  if (!Array.isArray(list)) return null
  const index = list.findIndex((one) => isPlain(one) && fits(one, parameterOf(source, one)))
  return index === -1 ? null : String(index)
}
