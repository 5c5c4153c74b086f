import { jsonWithin } from '../base/json/canonical.ts'
import type { Plain } from '../base/json/plain.ts'
import { NodeFailure, type ServiceQuestion } from './run.ts'

/** Where a node asks, from its settings, which the definition has parsed. */
export function placeOf({
  host,
  port,
  tls,
  ca,
  credential,
}: Plain): Pick<ServiceQuestion, 'to' | 'credential'> {
  return {
    to: { host: String(host), port: Number(port), tls: tls === true, ca: typeof ca === 'string' ? ca : null },
    credential: typeof credential === 'string' ? credential : null,
  }
}

/** Bytes of all values that one question carries. */
const VALUES_BYTES_MAX = 1024 * 1024

/** The JSON of an object or a list, which may have one value at many places. @throws NodeFailure for one that is too long */
export function boundJson(value: object): string {
  const json = jsonWithin(value, VALUES_BYTES_MAX)
  if (json === null) throw tooLong()
  return json
}

/** @throws NodeFailure for values that are too long together */
export function boundValues(values: readonly (string | Uint8Array | null)[]): void {
  let bytes = 0
  for (const value of values) {
    if (value !== null) bytes += typeof value === 'string' ? Buffer.byteLength(value) : value.length
    if (bytes > VALUES_BYTES_MAX) throw tooLong()
  }
}

function tooLong(): NodeFailure {
  return new NodeFailure('size', `the values are longer than ${VALUES_BYTES_MAX} bytes`)
}
