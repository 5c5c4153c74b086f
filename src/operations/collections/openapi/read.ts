import { upgradeFromTwoToThree } from '@scalar/openapi-upgrader/2.0-to-3.0'
import { upgradeFromThreeToThreeOne } from '@scalar/openapi-upgrader/3.0-to-3.1'
import { isPlain, type Plain, scalarText } from '../../../base/plain.ts'
import { fromHar, isHar } from './har.ts'
import { readJson } from './json.ts'
import { broken, toPlain } from './plain.ts'
import { localTokens, lookUp } from './pointer.ts'
import { fromPostman, isPostman } from './postman.ts'
import { readYaml } from './yaml.ts'
import { readYamlApart } from './yaml-apart.ts'

const NO_OBJECT = 'an OpenAPI description is an object'

/** Largest description in bytes of UTF-8; the largest public ones have about 12 MB. */
export const DOCUMENT_BYTES_MAX = 16 * 1024 ** 2
/** YAML costs some fifty times more to parse than JSON. */
const YAML_BYTES_MAX = 8 * 1024 ** 2

/**
 * Reads an OpenAPI description, 2.0 (Swagger), 3.0 or 3.1, a Postman collection or a HAR,
 * JSON or YAML, and gives it as plain data in the terms of 3.1. Nothing is
 * fetched and no reference followed. Refuses with `document_invalid` and a pointer what is not one.
 */
export function readDocument(text: string, { bytesMax }: { readonly bytesMax: number }): Plain {
  const { form, source } = sourceOf(text, bytesMax)
  return toThreeOne(form === 'json' ? readJson(source) : readYaml(source))
}

/** Reads what takes long, YAML, beside the main thread: then the object, else the text as it is. Refuses as above. */
export async function readAhead(
  text: string,
  { bytesMax }: { readonly bytesMax: number },
): Promise<string | Plain> {
  const { form, source } = sourceOf(text, bytesMax)
  if (form === 'json') return text
  const document = await readYamlApart(source)
  if (!isPlain(document)) throw broken('', NO_OBJECT)
  return document
}

/** Plain data of a text or an object, whatever it says; YAML is read beside the main thread. Refuses as above. */
export async function readPlain(given: string | Readonly<Record<string, unknown>>): Promise<Plain> {
  if (typeof given !== 'string') return toPlain(given) as Plain
  const ahead = await readAhead(given, { bytesMax: DOCUMENT_BYTES_MAX })
  const read = typeof ahead === 'string' ? readJson(sourceOf(ahead, DOCUMENT_BYTES_MAX).source) : ahead
  if (!isPlain(read)) throw broken('', 'an object is needed')
  return read
}

function sourceOf(text: string, bytesMax: number): { form: 'json' | 'yaml'; source: string } {
  const bytes = Buffer.byteLength(text)
  if (bytes > bytesMax) throw broken('', `larger than ${bytesMax} bytes`)
  const start = /^\uFEFF?\s*/.exec(text)?.[0].length ?? 0
  if (start === text.length) throw broken('', 'empty')
  if (text[start] === '{' || text[start] === '[') return { form: 'json', source: text.slice(start) }
  if (bytes > YAML_BYTES_MAX) throw broken('', `YAML larger than ${YAML_BYTES_MAX} bytes; convert it to JSON`)
  return { form: 'yaml', source: text.replace(/^\uFEFF/, '') }
}

/** The same for a description that is an object already. */
export function takeDocument(value: Readonly<Record<string, unknown>>): Plain {
  return toThreeOne(toPlain(value))
}

function toThreeOne(document: unknown): Plain {
  if (!isPlain(document)) throw broken('', NO_OBJECT)
  if (isPostman(document)) return fromPostman(document)
  if (isHar(document)) return fromHar(document)
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
  if (version === undefined && document['_format_version'] !== undefined)
    throw broken(
      '/_format_version',
      'this is a configuration of Kong; convert_config (postern convert) makes documents of it',
    )
  if (version === undefined && isPlain(document['mcpServers']))
    throw broken(
      '/mcpServers',
      'these are servers of an MCP client; convert_config (postern convert) makes documents of them',
    )
  if (version === undefined)
    throw broken('/openapi', 'missing; it says the version, such as 3.1.0 (or `swagger`, for 2.0)')
  const isText = typeof version === 'string' || typeof version === 'number'
  const match = isText ? /^(3\.[01])(\.\d{1,3})?(-.{1,40})?$/.exec(String(version)) : null
  if (match === null) throw broken('/openapi', 'OpenAPI 2.0, 3.0 and 3.1 are read, as text such as "3.1.0"')
  return match[1] === '3.0' ? '3.0' : '3.1'
}
