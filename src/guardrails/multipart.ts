/**
 * Applies rules to `multipart/form-data` (RFC 7578). Fields are judged by their media types; files pass unchanged. Names of
 * fields and files are judged by rules that change nothing.
 *
 * A body that readers could split in different ways is a failure. Otherwise a server could read a part that no rule has seen.
 */
import {
  applyBinary,
  applyJson,
  applyText,
  failed,
  isJson,
  isJsonWithMembers,
  type Judged,
  type Stop,
} from './apply.ts'
import { boundaryOf, contentOf, isLikeWideText } from './media.ts'
import type { Chain, Leg } from './rule.ts'
import type { Tally } from './tally.ts'

const PARTS_MAX = 1000
const HEAD_BYTES_MAX = 8192
const CRLF = '\r\n'
const UTF_8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** A part, by the places of its bytes. */
export interface FormPart {
  readonly name: string
  /** Null for a field, and for a file without a name. */
  readonly filename: string | null
  /** Value of its Content-Type; undefined where there is none. */
  readonly type: string | undefined
  readonly start: number
  readonly end: number
}

export function applyMultipart(
  chain: Chain,
  bytes: Uint8Array,
  type: string,
  leg: Leg,
  tally: Tally,
): Judged<Uint8Array> {
  const stopped = applyBinary(chain, leg, tally) ?? sizeStop(chain, bytes, leg, tally)
  if (stopped !== null) return { value: bytes, stop: stopped }
  const ofTexts = chain.filter(({ isWhole }) => !isWhole)
  if (ofTexts.length === 0) return { value: bytes, stop: null }
  const boundary = boundaryOf(type)
  const parts = boundary === null ? 'the boundary of the form is missing' : readForm(bytes, boundary)
  if (typeof parts === 'string') return failed(ofTexts, bytes, leg, tally, parts)
  const fields = parts.filter(({ filename }) => filename === null)
  const length = fields.reduce((sum, { start, end }) => sum + end - start, 0)
  const within = ofTexts.filter(({ bytesMax }) => length <= bytesMax)
  const beyond = ofTexts.filter((rule) => !within.includes(rule))
  const { stop } = failed(beyond, bytes, leg, tally, 'the fields of the form are longer than max_body')
  if (stop !== null) return { value: bytes, stop }
  const judged = applyParts(within, bytes, parts, leg, tally)
  if (judged.value === bytes) return judged
  const after = readForm(judged.value, boundary!)
  if (typeof after !== 'string' && after.length === parts.length) return judged
  // What stands in the place of a value has become a boundary
  return failed(within, bytes, leg, tally, 'a changed field contains the boundary of the form')
}

function sizeStop(chain: Chain, { length }: Uint8Array, leg: Leg, tally: Tally): Stop | null {
  for (const rule of chain) {
    if (rule.sizeMax === null || length <= rule.sizeMax) continue
    const { hits } = tally.of(rule, leg)
    hits['size'] = { bytes: (hits['size']?.['bytes'] ?? 0) + 1 }
    if (rule.blocks) return { rule, cause: 'found', reason: '' }
  }
  return null
}

function applyParts(
  chain: Chain,
  bytes: Uint8Array,
  parts: readonly FormPart[],
  leg: Leg,
  tally: Tally,
): Judged<Uint8Array> {
  const still = chain.filter(({ act }) => act === null)
  const out: Uint8Array[] = []
  let copied = 0
  for (const part of parts) {
    const names = [part.name, part.filename ?? ''].filter((name) => name !== '')
    for (const name of names) {
      const { stop } = applyText(still, name, leg, tally)
      if (stop !== null) return { value: bytes, stop }
    }
    if (part.filename !== null) continue
    const { value, stop } = applyField(chain, bytes.subarray(part.start, part.end), part, leg, tally)
    if (stop !== null) return { value: bytes, stop }
    if (value === null) continue
    out.push(bytes.subarray(copied, part.start), Buffer.from(value))
    copied = part.end
  }
  return { value: copied === 0 ? bytes : Buffer.concat([...out, bytes.subarray(copied)]), stop: null }
}

/** Null for a field that stays as it is. */
function applyField(
  chain: Chain,
  bytes: Uint8Array,
  { name, type }: FormPart,
  leg: Leg,
  tally: Tally,
): Judged<string | null> {
  const { kind, isUtf8 } = contentOf(type ?? 'text/plain')
  let text: string
  try {
    if (!isUtf8) throw new RangeError('it is in another charset')
    text = UTF_8.decode(bytes)
  } catch {
    return failed(chain, null, leg, tally, 'a field of the form is no valid UTF-8')
  }
  if (isLikeWideText(bytes, kind))
    return failed(chain, null, leg, tally, 'a field of the form may be read as UTF-16')
  const isOfJson = kind === 'json' || (kind === 'text' ? isJsonWithMembers(text) : isJson(text))
  const { value, stop } = isOfJson
    ? applyJson(chain, text, leg, tally)
    : applyText(chain, text, leg, tally, name)
  return { value: value === text ? null : value, stop }
}

/** The parts of a form, or why it cannot be read, as a sentence without a value. Takes time linear in the bytes. */
export function readForm(bytes: Uint8Array, boundary: string): readonly FormPart[] | string {
  const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const mark = `--${boundary}`
  const parts: FormPart[] = []
  if (!startsAt(body, mark, 0)) return 'the form does not begin with its boundary'
  for (let at = mark.length; ; ) {
    if (startsAt(body, '--', at)) {
      const rest = body.length - at - 2
      return rest === 0 || (rest === 2 && startsAt(body, CRLF, at + 2))
        ? parts
        : 'bytes follow the end of the form'
    }
    if (!startsAt(body, CRLF, at)) return 'a boundary of the form does not end its line'
    if (parts.length === PARTS_MAX) return `the form has more than ${PARTS_MAX} parts`
    const headEnd = body.indexOf(CRLF + CRLF, at)
    if (headEnd === -1 || headEnd - at > HEAD_BYTES_MAX) return 'the head of a part is too long'
    const start = headEnd + 4
    // A boundary anywhere else would be one for a reader that takes other ends of lines
    const end = body.indexOf(mark, start) - 2
    if (end < start || !startsAt(body, CRLF, end)) return 'a part of the form does not end with its boundary'
    const head = body.subarray(at + 2, headEnd)
    const known = readHead(head.includes(mark) ? '' : head.toString())
    if (known === null) return 'the head of a part cannot be read'
    parts.push({ ...known, start, end })
    at = end + 2 + mark.length
  }
}

function startsAt(body: Buffer, text: string, at: number): boolean {
  return body.subarray(at, at + text.length).equals(Buffer.from(text))
}

const LINE = /^([!#$%&'*+.^_`|~\w-]+):[\t ]*([^\r\n\0]*)$/
const DISPOSITION = /^form-data; ?name="([^"\\]*)"(?:; ?filename="([^"\\]*)")?$/i

/** Null for a head that readers may read in different ways. */
function readHead(head: string): Pick<FormPart, 'name' | 'filename' | 'type'> | null {
  const fields = new Map<string, string>()
  for (const line of head.split(CRLF)) {
    const [, name, value] = LINE.exec(line) ?? []
    if (name === undefined || fields.has(name.toLowerCase())) return null
    fields.set(name.toLowerCase(), value!.trim())
  }
  if (fields.has('content-transfer-encoding')) return null
  const [, name, filename] = DISPOSITION.exec(fields.get('content-disposition') ?? '') ?? []
  if (name === undefined) return null
  // Servers in Go and Python, among others, read a part whose file has no name as a field
  const isFile = filename !== undefined && filename.trim() !== ''
  return { name, filename: isFile ? filename : null, type: fields.get('content-type') }
}
