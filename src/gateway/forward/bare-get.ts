import type { LinkedTarget } from '../../snapshot/linked/upstream.ts'
import type { CallRequest } from '../../wire/port.ts'

/** Bytes of an answer that are read before the rest is given up. */
const ANSWER_BYTES_MAX = 64 * 1024

/**
 * A GET that the gateway makes of its own accord, of whose answer the status alone is wanted.
 * @param target path with query at the server. @param fields header lines ending in CRLF.
 */
export function bareGet(server: LinkedTarget, target: string, fields: string): CallRequest {
  return {
    method: 'GET',
    target,
    host: server.fragment.authority,
    fields,
    responseFields: '',
    responseNames: [],
    body: null,
    keepBytesMax: 0,
    readBytesMax: ANSWER_BYTES_MAX,
  }
}
