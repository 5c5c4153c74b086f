import { upgradeFromTwoToThree } from '@scalar/openapi-upgrader/2.0-to-3.0'
import { upgradeFromThreeToThreeOne } from '@scalar/openapi-upgrader/3.0-to-3.1'
import { isPlain, type Plain, scalarText } from '../../base/plain.ts'
import { broken } from '../text/plain-data.ts'
import { localTokens, lookUp } from './pointer.ts'

/** An OpenAPI description (2.0, 3.0, 3.1) in the terms of 3.1. Refuses any other object with `document_invalid`. */
export function fromOpenApi(document: Plain): Plain {
  const version = versionOf(document)
  if (version === '3.1') return document
  try {
    // The upgrader looks at the version as text; a number (`openapi: 3.1` in YAML) was understood above.
    const three = version === '2.0' ? upgradeFromTwoToThree(withBodies(withSecureFirst(document))) : document
    return upgradeFromThreeToThreeOne({ ...three, openapi: '3.0.3' }) as Plain
  } catch {
    throw broken('', `it cannot be read as OpenAPI ${version}`)
  }
}

/** The first scheme becomes the upstream, and the order of schemes means nothing (OpenAPI 2.0, "Swagger Object"). */
function withSecureFirst(document: Plain): Plain {
  const { schemes } = document
  const isSecure = Array.isArray(schemes) && schemes.includes('https')
  return { ...document, swagger: '2.0', ...(isSecure ? { schemes: ['https'] } : {}) }
}

const FORMS = ['application/x-www-form-urlencoded', 'multipart/form-data']

/**
 * Bodies of OpenAPI 2.0 in the form that the upgrade understands: form fields stand in their operation, and the media types are
 * said. An operation with `formData` takes both forms unless it names one of them, and without `consumes` a body may be of any
 * type ("Parameter Object", "Operation Object").
 */
function withBodies(document: Plain): Plain {
  const { paths } = document
  if (!isPlain(paths)) return document
  const resolved = (list: unknown): Plain[] =>
    Array.isArray(list)
      ? list.filter(isPlain).map((one) => {
          const tokens = typeof one['$ref'] === 'string' ? localTokens(one['$ref']) : null
          const parameter = tokens === null ? one : lookUp(document, tokens)
          return isPlain(parameter) && parameter['in'] === 'formData' ? parameter : one
        })
      : []
  const placeOf = (parameter: Plain): unknown => {
    const tokens = typeof parameter['$ref'] === 'string' ? localTokens(parameter['$ref']) : null
    const found = tokens === null ? parameter : lookUp(document, tokens)
    return isPlain(found) ? found['in'] : undefined
  }
  const isBody = (parameter: Plain): boolean => placeOf(parameter) === 'body'
  const withTypes = (operation: unknown, shared: readonly Plain[]): unknown => {
    if (!isPlain(operation)) return operation
    const own = resolved(operation['parameters'])
    const names = own.map(({ name }) => name)
    const isForm = (one: Plain): boolean => one['in'] === 'formData'
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
    const bodies = list.filter((one) => one['in'] === 'formData' || isBody(one))
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

const METHODS = new Set(['get', 'put', 'post', 'delete', 'options', 'head', 'patch'])

function versionOf(document: Plain): '2.0' | '3.0' | '3.1' {
  if (document['swagger'] !== undefined) {
    if (scalarText(document['swagger']) === '2.0' || document['swagger'] === 2) return '2.0'
    throw broken('/swagger', 'Swagger 2.0 is read, as text such as "2.0"; nothing older')
  }
  const version = document['openapi']
  if (version === undefined)
    throw broken('/openapi', 'missing; it says the version, such as 3.1.0 (or `swagger`, for 2.0)')
  const isText = typeof version === 'string' || typeof version === 'number'
  const match = isText ? /^(3\.[01])(\.\d{1,3})?(-.{1,40})?$/.exec(String(version)) : null
  if (match === null) throw broken('/openapi', 'OpenAPI 2.0, 3.0 and 3.1 are read, as text such as "3.1.0"')
  return match[1] === '3.0' ? '3.0' : '3.1'
}
