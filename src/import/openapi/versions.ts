import { upgradeFromTwoToThree } from '@scalar/openapi-upgrader/2.0-to-3.0'
import { upgradeFromThreeToThreeOne } from '@scalar/openapi-upgrader/3.0-to-3.1'
import { isPlain, type Plain, pointerTo, scalarText } from '../../base/json/plain.ts'
import type { FieldError } from '../../base/refusal.ts'
import { broken } from '../text/plain-data.ts'
import { asItIs, type Description, sourceOf } from './description.ts'
import { prepareSchemas } from './schemas-for-upgrade.ts'
import { forUpgrade, swaggerPlace } from './swagger.ts'
import { fromThreeTwo } from './three-two.ts'

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
