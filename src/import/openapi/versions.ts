import { upgradeFromTwoToThree } from '@scalar/openapi-upgrader/2.0-to-3.0'
import { upgradeFromThreeToThreeOne } from '@scalar/openapi-upgrader/3.0-to-3.1'
import { isPlain, type Plain, pointerTo, scalarText } from '../../base/json/storable.ts'
import type { FieldError } from '../../base/refusal.ts'
import { broken } from '../text/plain-data.ts'
import { asItIs, type Description, existing, sourceOf } from './description.ts'
import { localTokens, lookUp } from './pointer.ts'

/** An OpenAPI description (2.0, 3.0, 3.1, 3.2) in the terms of 3.1. Refuses any other object with `document_invalid`. */
export function fromOpenApi(given: Plain): Description {
  const version = versionOf(given)
  const notes: FieldError[] = []
  const document = withoutNullResponses(given, notes)
  if (version === '3.2') return asItIs(fromThreeTwo(document, notes), given, notes)
  if (version === '3.1') return asItIs(document, given, notes)
  // The upgrades write into what they are given
  const source = structuredClone(given)
  try {
    prepareSchemas(document)
    // The upgrader looks at the version as text; a number (`openapi: 3.1` in YAML) was understood above.
    const three = version === '2.0' ? upgradeFromTwoToThree(forUpgrade(document)) : document
    const upgraded = upgradeFromThreeToThreeOne({ ...three, openapi: '3.0.3' }) as Plain
    if (version === '3.0') return asItIs(upgraded, source, notes)
    return {
      document: upgraded,
      sourceOf: sourceOf(upgraded, (tokens) => swaggerPlace(source, upgraded, tokens)),
      notes,
    }
  } catch {
    throw broken('', `it cannot be read as OpenAPI ${version}`)
  }
}

/** Without responses of null, which widespread generators write for a response without a description. */
function withoutNullResponses(document: Plain, notes: FieldError[]): Plain {
  const { paths } = document
  if (!isPlain(paths)) return document
  const kept = (responses: Plain, place: string): Plain =>
    Object.fromEntries(
      Object.entries(responses).filter(([status, response]) => {
        if (response === null)
          notes.push({ pointer: pointerTo(place, status), reason: 'left out, the response is null' })
        return response !== null
      }),
    )
  const copy: Plain = {}
  for (const [path, item] of Object.entries(paths)) {
    copy[path] = item
    if (!isPlain(item)) continue
    for (const [member, operation] of Object.entries(item)) {
      const responses = isPlain(operation) ? operation['responses'] : undefined
      if (!isPlain(responses) || !Object.values(responses).includes(null)) continue
      const place = pointerTo('/paths', path, member, 'responses')
      copy[path] = {
        ...(copy[path] as Plain),
        [member]: { ...(operation as Plain), responses: kept(responses, place) },
      }
    }
  }
  return notes.length === 0 ? document : { ...document, paths: copy }
}

function versionOf(document: Plain): '2.0' | '3.0' | '3.1' | '3.2' {
  if (document['swagger'] !== undefined) {
    if (scalarText(document['swagger']) === '2.0' || document['swagger'] === 2) return '2.0'
    throw broken('/swagger', 'Swagger 2.0 is read, as text such as "2.0"; nothing older')
  }
  const version = document['openapi']
  if (version === undefined)
    throw broken('/openapi', 'missing; it says the version, such as 3.1.0 (or `swagger`, for 2.0)')
  const isText = typeof version === 'string' || typeof version === 'number'
  const match = isText ? /^3\.([0-2])(\.\d{1,3})?(-.{1,40})?$/.exec(String(version)) : null
  if (match === null)
    throw broken('/openapi', 'OpenAPI 2.0, 3.0, 3.1 and 3.2 are read, as text such as "3.1.0"')
  return match[1] === '0' ? '3.0' : match[1] === '1' ? '3.1' : '3.2'
}

// Prepares schemas of OpenAPI 2.0 and 3.0 for the upgrade, so that it keeps their meaning.

/** Members that hold data, in which nothing is a schema. */
const DATA = new Set(['example', 'examples', 'default', 'enum', 'const', 'value'])
/** Members whose own members have any names. */
const MAPS = new Set([
  ...[
    'properties',
    'patternProperties',
    'definitions',
    'schemas',
    'paths',
    'callbacks',
    'content',
    'encoding',
  ],
  ...[
    'parameters',
    'responses',
    'requestBodies',
    'headers',
    'securityDefinitions',
    'securitySchemes',
    'links',
  ],
])
/** Keywords that make fewer values valid. `nullable` and `readOnly` make more, and many writers put them beside references. */
const NARROWING: readonly string[] = [
  ...['type', 'format', 'enum', 'pattern', 'multipleOf', 'uniqueItems', 'required', 'discriminator'],
  ...['maximum', 'exclusiveMaximum', 'minimum', 'exclusiveMinimum', 'maxLength', 'minLength'],
  ...[
    'maxItems',
    'minItems',
    'maxProperties',
    'minProperties',
    'items',
    'properties',
    'additionalProperties',
  ],
  ...['allOf', 'oneOf', 'anyOf', 'not'],
]

/**
 * Changes a document in place. What stands beside a reference is ignored (OpenAPI 3.0.4 section 4.7.23, 2.0 "Reference Object");
 * 3.1 has it narrow the schema. The discriminator of 2.0 becomes an object: the upgrade would make the property required.
 */
function prepareSchemas(document: Plain): void {
  const seen = new Set<object>()
  const walk = (value: unknown, isMap: boolean): void => {
    if (value === null || typeof value !== 'object' || seen.has(value)) return
    seen.add(value)
    if (Array.isArray(value)) for (const item of value) walk(item, false)
    if (!isPlain(value)) return
    if (!isMap) {
      if (typeof value['$ref'] === 'string') for (const keyword of NARROWING) delete value[keyword]
      if (typeof value['discriminator'] === 'string')
        value['discriminator'] = { propertyName: value['discriminator'] }
    }
    for (const [name, member] of Object.entries(value))
      if (isMap) walk(member, false)
      else if (!DATA.has(name) && !name.startsWith('x-')) walk(member, MAPS.has(name))
  }
  walk(document, false)
}

// OpenAPI 3.2 in the terms of 3.1, as far as these have the means; the rest is noted.

/** References of media types to media types that are followed. */
const HOPS_MAX = 8

/**
 * Bodies in the terms of 3.1: a reference to a shared Media Type Object (3.2 section 4.7.4) is replaced by that object, and the
 * schema of the items of a stream is noted as not enforced. Methods, places and styles of parameters that 3.2 adds are noted by the
 * readers of path items and parameters.
 */
function fromThreeTwo(document: Plain, notes: FieldError[]): Plain {
  const bodyOf = (owner: unknown, place: string): unknown => {
    if (!isPlain(owner) || !isPlain(owner['content'])) return owner
    const content = Object.entries(owner['content']).map(([type, value]) => {
      const media = mediaTypeOf(document, value)
      if (isPlain(media) && media['itemSchema'] !== undefined)
        notes.push({
          pointer: pointerTo(place, 'content', type, ...(media === value ? ['itemSchema'] : [])),
          reason: 'itemSchema: the items of a stream are not checked',
        })
      return [type, media] as const
    })
    return { ...owner, content: Object.fromEntries(content) }
  }
  const bodiesOf = (owner: unknown, place: string): unknown =>
    isPlain(owner) ? mapped(owner, (value, name) => bodyOf(value, pointerTo(place, name))) : owner
  const operationOf = (value: unknown, place: string): unknown =>
    isPlain(value)
      ? mapped(value, (part, member) =>
          member === 'requestBody'
            ? bodyOf(part, pointerTo(place, member))
            : member === 'responses'
              ? bodiesOf(part, pointerTo(place, member))
              : part,
        )
      : value
  const { paths, components } = document
  return {
    ...document,
    ...(isPlain(paths)
      ? {
          paths: mapped(paths, (item, path) =>
            isPlain(item)
              ? mapped(item, (part, member) =>
                  member === 'parameters' ? part : operationOf(part, pointerTo('/paths', path, member)),
                )
              : item,
          ),
        }
      : {}),
    ...(isPlain(components)
      ? {
          components: mapped(components, (section, name) =>
            name === 'requestBodies' || name === 'responses'
              ? bodiesOf(section, pointerTo('/components', name))
              : section,
          ),
        }
      : {}),
  }
}

function mapped(owner: Plain, to: (value: unknown, name: string) => unknown): Plain {
  return Object.fromEntries(Object.entries(owner).map(([name, value]) => [name, to(value, name)]))
}

/** A reference that leads nowhere allows any body, as an absent schema does. */
function mediaTypeOf(document: Plain, value: unknown): unknown {
  let current = value
  for (let hops = 0; hops < HOPS_MAX && isPlain(current) && typeof current['$ref'] === 'string'; hops++) {
    const tokens = localTokens(current['$ref'])
    current = tokens === null ? undefined : lookUp(document, tokens)
  }
  return isPlain(current) ? current : {}
}

// OpenAPI 2.0 ("Swagger"): what its upgrade to 3.0 needs done before, and where a place of the result stands in the source.

const FORMS = ['application/x-www-form-urlencoded', 'multipart/form-data']
const METHODS = new Set(['get', 'put', 'post', 'delete', 'options', 'head', 'patch'])

/** The document as the upgrade reads it in the sense of the specification. The upgrade writes into the result. */
function forUpgrade(document: Plain): Plain {
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
function swaggerPlace(source: Plain, upgraded: Plain, tokens: readonly string[]): string {
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
