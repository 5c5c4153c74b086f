/** A request as a gateway thread hands it to the control plane. */
import { CONSOLE_HEADER } from '../../base/http/fields.ts'
import { CONSOLE, FIELD_RULES } from '../../gateway/fields.ts'
import type { ForwardRequest, Incoming } from '../../wire/port.ts'
import { PREAMBLE } from '../shared/preamble.ts'

const ANSWER_NAMES = ['x-request-id']
const CORS_NAMES = ['x-request-id', 'access-control-allow-origin', 'access-control-expose-headers']

/**
 * A reserved path's request as the control plane gets it: unchanged but for the preamble, which says what this thread
 * has established. Inbound headers of those names were stripped by the wire.
 * @param ip address of the caller.
 * @param isBodyWithheld its body is not sent.
 * @param corsLines header lines of the response, of the CORS protocol.
 */
export function controlRequest(
  incoming: Incoming,
  ip: string,
  requestId: string,
  isBodyWithheld: boolean,
  corsLines: string,
): ForwardRequest {
  let fields = incoming.pass
  // The wire lifted these out for the checks; the control plane reads them itself.
  for (const [index, name] of FIELD_RULES.take.entries()) {
    const value = incoming.taken[index]
    if (value !== undefined) fields += `${name}: ${value}\r\n`
  }
  // Stripped with all names of its prefix, whose other headers only this thread may set
  if (incoming.taken[CONSOLE] !== undefined) fields += `${CONSOLE_HEADER}: ${incoming.taken[CONSOLE]}\r\n`
  fields += `${PREAMBLE.peer}: ${ip}\r\n${PREAMBLE.requestId}: ${requestId}\r\n`
  if (isBodyWithheld) fields += `${PREAMBLE.bodyWithheld}: 1\r\n`
  return {
    method: incoming.method,
    target: incoming.query === '' ? incoming.path : `${incoming.path}?${incoming.query}`,
    host: incoming.host === '' ? 'localhost' : incoming.host,
    fields,
    responseFields: `X-Request-ID: ${requestId}\r\n${corsLines}`,
    responseNames: corsLines === '' ? ANSWER_NAMES : CORS_NAMES,
  }
}
