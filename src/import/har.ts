import { isPlain, type Plain, pointerTo, scalarText } from '../base/json/storable.ts'
import type { FieldError } from '../base/refusal.ts'
import { type Description, MadePaths } from './openapi/description.ts'
import { broken } from './text/plain-data.ts'

/** A segment that is the id of something: a number, a UUID, or long and of digits and letters. */
const ID =
  /^(\d+|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|(?=[^.]*\d)(?=[^.]*[a-z])[\w-]{20,})$/i
/** What a page loads beside its calls. */
const ASSET = /^(image|font|audio|video)\/|^text\/(css|html|javascript)|javascript|wasm/i

/** True for a HAR of the version 1.1 or 1.2: traffic that a browser or proxy has recorded. */
export function isHar(document: Plain): boolean {
  const { log } = document
  return isPlain(log) && Array.isArray(log['entries'])
}

/**
 * The calls of a HAR as an OpenAPI 3.1 description: methods, paths (ids become parameters), names of query parameters
 * and media types of bodies, of the host that most calls went to. No value of the traffic is taken over: it is full of
 * secrets and personal data. Refuses with document_invalid.
 */
export function fromHar(document: Plain): Description {
  const notes = new Set<string>(['values in the traffic and authentication are not imported'])
  const faults: FieldError[] = []
  const calls = callsOf((document['log'] as Plain)['entries'] as unknown[], notes, faults)
  const counts = new Map<string, number>()
  for (const { origin, isAsset } of calls) if (!isAsset) counts.set(origin, (counts.get(origin) ?? 0) + 1)
  const [main] = [...counts].sort(([, a], [, b]) => b - a)
  if (main === undefined) throw broken('/log/entries', 'it contains no API calls')
  const [origin] = main
  const gathered = new Map<string, Gathered>()
  for (const call of calls) {
    if (call.isAsset) notes.add('pages, scripts, styles and images are left out')
    else if (call.origin !== origin) notes.add(`calls of ${call.origin} are left out; import them separately`)
    else gather(gathered, call)
  }
  const paths = new MadePaths()
  for (const one of gathered.values()) paths.set(one.path, one.method, toOperation(one), one.place)
  return {
    document: {
      openapi: '3.1.0',
      info: { title: new URL(origin).hostname, version: '1' },
      servers: [{ url: origin }],
      paths: paths.toPlain(),
    },
    sourceOf: (pointer) => paths.sourceOf(pointer),
    notes: [...faults, ...[...notes].map((reason) => ({ pointer: '', reason }))],
  }
}

interface Call {
  /** Pointer of its entry. */
  readonly place: string
  readonly origin: string
  readonly method: string
  readonly path: string
  readonly ids: readonly string[]
  readonly query: readonly string[]
  /** Media types; null without a body. */
  readonly sent: string | null
  readonly answered: string | null
  readonly status: number
  readonly isAsset: boolean
}

function callsOf(entries: readonly unknown[], notes: Set<string>, faults: FieldError[]): Call[] {
  const leftOut = (pointer: string, reason: string): [] => {
    faults.push({ pointer, reason: `left out: ${reason}` })
    return []
  }
  return entries.flatMap((entry, index) => {
    const place = pointerTo('/log/entries', index)
    const request = isPlain(entry) ? entry['request'] : undefined
    if (!isPlain(entry) || !isPlain(request)) return leftOut(place, 'an entry must have a request')
    const { method, url, postData } = request
    if (typeof url !== 'string' || !URL.canParse(url))
      return leftOut(pointerTo(place, 'request', 'url'), 'an absolute URL is needed')
    if (typeof method !== 'string')
      return leftOut(pointerTo(place, 'request', 'method'), 'a method is needed')
    const { protocol, origin, pathname, searchParams } = new URL(url)
    if (protocol !== 'http:' && protocol !== 'https:') {
      notes.add(`calls by ${protocol.slice(0, 40)} are left out`)
      return []
    }
    const response = isPlain(entry['response']) ? entry['response'] : {}
    const answered = typeOf(response['content'])
    const verb = method.toLowerCase()
    return [
      {
        place,
        origin,
        method: verb,
        ...templated(pathname),
        query: [...searchParams.keys()],
        sent: typeOf(postData),
        answered,
        status: Number(scalarText(response['status'])),
        isAsset: verb === 'options' || (verb === 'get' && answered !== null && ASSET.test(answered)),
      },
    ]
  })
}

/** `/orders/42/lines/7` as `/orders/{id}/lines/{id_2}`. */
function templated(pathname: string): Pick<Call, 'path' | 'ids'> {
  const ids: string[] = []
  const path = pathname.split('/').map((segment) => {
    if (!ID.test(segment)) return segment
    ids.push(ids.length === 0 ? 'id' : `id_${ids.length + 1}`)
    return `{${ids.at(-1)}}`
  })
  return { path: path.join('/'), ids }
}

function typeOf(body: unknown): string | null {
  const type = isPlain(body) ? body['mimeType'] : undefined
  return typeof type === 'string' && type !== '' ? type.split(';')[0]!.trim().toLowerCase() : null
}

/** What all calls of a method and path show of it. */
interface Gathered extends Pick<Call, 'place' | 'method' | 'path' | 'ids'> {
  readonly query: Set<string>
  readonly sent: Set<string>
  /** Media types by status. */
  readonly answered: Map<number, Set<string>>
}

function gather(gathered: Map<string, Gathered>, call: Call): void {
  const { place, method, path, ids, query, sent, answered, status } = call
  const key = `${method} ${path}`
  const known = gathered.get(key) ?? {
    place,
    method,
    path,
    ids,
    query: new Set(),
    sent: new Set(),
    answered: new Map<number, Set<string>>(),
  }
  gathered.set(key, known)
  for (const name of query) known.query.add(name)
  if (sent !== null) known.sent.add(sent)
  if (!(status >= 200) || answered === null) return
  const types = known.answered.get(status) ?? new Set()
  known.answered.set(status, types.add(answered))
}

function toOperation({ method, path, ids, query, sent, answered }: Gathered): Plain {
  return {
    summary: `${method.toUpperCase()} ${path}`.slice(0, 120),
    parameters: [
      ...ids.map((name) => ({ name, in: 'path', required: true, schema: { type: 'string' } })),
      ...[...query].map((name) => ({ name, in: 'query', schema: { type: 'string' } })),
    ],
    ...(sent.size === 0 ? {} : { requestBody: { content: contentOf(sent) } }),
    responses: Object.fromEntries(
      [...answered].map(([status, types]) => [status, { description: '', content: contentOf(types) }]),
    ),
  }
}

function contentOf(types: ReadonlySet<string>): Plain {
  return Object.fromEntries([...types].map((type) => [type, {}]))
}
