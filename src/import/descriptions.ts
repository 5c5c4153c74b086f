import { isPlain, type Plain } from '../base/json/storable.ts'
import { CONFIGURATIONS } from './configurations.ts'
import { fromHar, isHar } from './har.ts'
import type { Description } from './openapi/description.ts'
import { fromOpenApi } from './openapi/versions.ts'
import { fromPostman, isFirstPostman, isPostman } from './postman.ts'
import { readText } from './text/configuration.ts'
import { broken, toPlain } from './text/plain-data.ts'

/** A format that describes an API, other than OpenAPI. */
interface DescriptionFormat {
  is(document: Plain): boolean
  /** The document as an OpenAPI 3.1 description. Refuses with `document_invalid`. */
  toOpenApi(document: Plain): Description
}

/** The formats of descriptions. A document that fits none of these rows is read as OpenAPI. */
const FORMATS: readonly DescriptionFormat[] = [
  { is: isPostman, toOpenApi: fromPostman },
  { is: isHar, toOpenApi: fromHar },
]

/**
 * Reads a description of an API: OpenAPI 2.0 (Swagger) to 3.2, or a format of {@link FORMATS}, in JSON or YAML. The
 * result is in the terms of OpenAPI 3.1. Nothing is fetched and no reference is followed. Refuses any other text
 * with `document_invalid` and a pointer.
 */
export function readDocument(text: string, { bytesMax }: { readonly bytesMax: number }): Description {
  return toOpenApi(readText(text, bytesMax))
}

/** The same as {@link readDocument} for a description that is an object already. */
export function takeDocument(value: Readonly<Record<string, unknown>>): Description {
  return toOpenApi(toPlain(value))
}

const NO_OBJECT = 'an OpenAPI description is an object'

function toOpenApi(document: unknown): Description {
  if (!isPlain(document)) throw broken('', NO_OBJECT)
  const format = FORMATS.find(({ is }) => is(document))
  if (format !== undefined) return format.toOpenApi(document)
  refuseConfiguration(document)
  return fromOpenApi(document)
}

/** A configuration of another program describes no API: the refusal names the operation that reads it. */
function refuseConfiguration(document: Plain): void {
  if (document['swagger'] !== undefined || document['openapi'] !== undefined) return
  if (isFirstPostman(document))
    throw broken(
      '',
      'this is a Postman collection of format 1; open it in Postman and export it as Collection v2.1',
    )
  const configuration = CONFIGURATIONS.find(({ resembles }) => resembles(document))
  if (configuration === undefined) return
  throw broken(`/${configuration.member}`, configuration.hint)
}
