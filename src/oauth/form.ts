/** Reads forms that pages of Postern post. */
import { isStorable, toStorable, UNSTORABLE } from '../base/json/storable.ts'
import { refuse } from '../base/refusal.ts'

/** Bytes of a posted form: a few fields of a few hundred characters, each up to twelve bytes as percent-escapes. */
const FORM_BYTES_MAX = 16 * 1024

/**
 * The fields of a form that one of our own pages posts. Refuses with permission_denied what another site has sent,
 * with unsupported_media_type, body_too_large or payload_rejected what is no such form.
 */
export async function readForm(request: Request, origin: string): Promise<ReadonlyMap<string, string>> {
  demandOwnPage(request.headers, origin)
  const type = request.headers.get('content-type') ?? ''
  if (!/^application\/x-www-form-urlencoded\s*(;.*)?$/i.test(type))
    throw refuse('unsupported_media_type', { detail: 'The body must be a form.' })
  const fields = [...new URLSearchParams(await readText(request))]
  const form = new Map(fields)
  if (form.size !== fields.length) throw refuse('payload_rejected', { detail: 'A field is given twice.' })
  for (const [name, value] of fields)
    if (!isStorable(name) || !isStorable(value))
      throw refuse('payload_rejected', { detail: `The field "${toStorable(name)}" ${UNSTORABLE}.` })
  return form
}

/**
 * Pages here carry `Referrer-Policy: no-referrer`, under which browsers send `Origin: null` (Fetch section 3.2): then
 * `Sec-Fetch-Site` tells.
 */
function demandOwnPage(headers: Headers, origin: string): void {
  const site = headers.get('sec-fetch-site')
  const from = headers.get('origin')
  const isOwn = site === null ? from === null || from === 'null' || from === origin : site === 'same-origin'
  if (!isOwn) throw refuse('permission_denied', { detail: 'The form was sent from another site.' })
}

async function readText(request: Request): Promise<string> {
  const pieces: Uint8Array[] = []
  let bytes = 0
  for await (const piece of request.body ?? []) {
    bytes += piece.length
    if (bytes > FORM_BYTES_MAX)
      throw refuse('body_too_large', { detail: `A form has at most ${FORM_BYTES_MAX} bytes.` })
    pieces.push(piece)
  }
  return Buffer.concat(pieces).toString('utf8')
}
