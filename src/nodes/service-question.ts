import type { Plain } from '../base/plain.ts'
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

/** @throws NodeFailure for values that are too long together */
export function boundValues(values: readonly (string | Uint8Array | null)[]): void {
  let bytes = 0
  for (const value of values) {
    if (value !== null) bytes += typeof value === 'string' ? Buffer.byteLength(value) : value.length
    if (bytes > VALUES_BYTES_MAX)
      throw new NodeFailure('size', `the values are longer than ${VALUES_BYTES_MAX} bytes`)
  }
}
