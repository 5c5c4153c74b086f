import { type LookupAddress, lookup } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import { bareHost, isLoopbackHost, isPublicAddress, isRefusedAddress, isRefusedHost } from './address.ts'
import { isPlain, type Plain } from './plain.ts'

interface JsonRequest {
  readonly url: string
  /** Sent as a form (POST); null asks by GET. */
  readonly form: Readonly<Record<string, string>> | null
  /** Value of the Authorization field; empty for none. */
  readonly authorization: string
  /** Further header fields. */
  readonly headers?: Readonly<Record<string, string>>
}

/** Why asking failed, without addresses or secrets. */
export class FetchFailure extends Error {
  /** Of the answer; 0 when there was none. */
  readonly status: number

  constructor(message: string, status = 0) {
    super(message)
    this.name = 'FetchFailure'
    this.status = status
  }
}

/** Asks an issuer. Rejects with a {@link FetchFailure}. */
export type FetchJson = (request: JsonRequest) => Promise<Plain>

export interface FetchLimits {
  /** From the first byte asked to the last byte answered. */
  readonly timeoutMs: number
  readonly bytesMax: number
}

const LIMITS: FetchLimits = { timeoutMs: 5000, bytesMax: 512 * 1024 }
const DOCUMENT_LIMITS: FetchLimits = { timeoutMs: 2500, bytesMax: 64 * 1024 }

/**
 * Asks for one JSON object: bounded in size and time, no redirects, https unless the host is this machine. The address
 * that was judged is the address connected to; link-local and metadata addresses are none.
 */
export function createFetchJson(limits: FetchLimits = LIMITS, resolve: typeof lookup = lookup): FetchJson {
  const checked = checkedLookup(resolve)
  return async (asked) => {
    const url = URL.parse(asked.url)
    if (url === null) throw new FetchFailure('the URL cannot be read')
    const isLocal = isLoopbackHost(url.hostname)
    if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLocal))
      throw new FetchFailure('the URL is not https')
    if (isRefusedHost(url.hostname)) throw new FetchFailure('the address is link-local')
    // Loaded by the first question: few threads ever ask one, and it would be a tenth of the start of each
    const { request: send } =
      url.protocol === 'https:' ? await import('node:https') : await import('node:http')
    return new Promise((done, reject) => {
      const fail = (reason: string, status = 0): void => reject(new FetchFailure(reason, status))
      const body = asked.form === null ? '' : new URLSearchParams(asked.form).toString()
      const request = send(url, {
        method: asked.form === null ? 'GET' : 'POST',
        host: bareHost(url.hostname),
        // A connection of its own: a few calls in ten minutes need no pool.
        agent: false,
        lookup: checked,
        headers: {
          Accept: 'application/json',
          ...asked.headers,
          ...(asked.authorization === '' ? {} : { Authorization: asked.authorization }),
          ...(asked.form === null
            ? {}
            : {
                'Content-Type': 'application/x-www-form-urlencoded',
                'Content-Length': String(Buffer.byteLength(body)),
              }),
        },
      })
      const timer = setTimeout(() => end(`no answer in ${limits.timeoutMs} ms`), limits.timeoutMs)
      const end = (reason: string, status = 0): void => {
        clearTimeout(timer)
        request.destroy()
        fail(reason, status)
      }
      request.on('error', (error: NodeJS.ErrnoException) =>
        end(`cannot be reached (${error.code ?? 'error'})`),
      )
      request.on('response', (response) => {
        const status = response.statusCode ?? 0
        // An endpoint of OAuth says in a 400 or 401 what was wrong
        if (status !== 200 && (asked.form === null || (status !== 400 && status !== 401)))
          return end(`answered ${status}`, status)
        const pieces: Buffer[] = []
        let bytes = 0
        response.on('data', (piece: Buffer) => {
          bytes += piece.length
          if (bytes > limits.bytesMax) end('the answer is too large')
          else pieces.push(piece)
        })
        response.on('error', () => end('the answer broke off'))
        response.on('aborted', () => end('the answer broke off'))
        response.on('end', () => {
          clearTimeout(timer)
          const value = toPlain(Buffer.concat(pieces))
          if (status !== 200) fail(`answered ${status}${codeIn(value)}`, status)
          else if (value === null) fail('the answer is no JSON object')
          else done(value)
        })
      })
      request.end(body)
    })
  }
}

/** As {@link createFetchJson}, for URLs that anybody may name: https, and public addresses alone. */
export function createPublicFetchJson(resolve: typeof lookup = lookup): FetchJson {
  const publicly = ((name: string, options: object, callback: (...given: unknown[]) => void) => {
    resolve(name, { ...options, all: true }, (error, addresses: LookupAddress[]) => {
      if (error === null && !addresses.every(({ address }) => isPublicAddress(address)))
        callback(Object.assign(new Error('not public'), { code: 'ENOTPUBLIC' }), [])
      else callback(error, addresses)
    })
    // One of the overloads, which is the only one that asks
  }) as typeof lookup
  const fetchJson = createFetchJson(DOCUMENT_LIMITS, publicly)
  return async (asked) => {
    const url = URL.parse(asked.url)
    if (url?.protocol !== 'https:') throw new FetchFailure('the URL is not https')
    const host = bareHost(url.hostname)
    if (isLoopbackHost(url.hostname) || (isIP(host) !== 0 && !isPublicAddress(host)))
      throw new FetchFailure('the address is not public')
    return fetchJson(asked)
  }
}

/** The error code of an OAuth endpoint (RFC 6749 section 5.2), which repeats nothing that was sent. */
function codeIn(value: Plain | null): string {
  const code = value?.['error']
  return typeof code === 'string' && CODES.has(code) ? ` (${code})` : ''
}

/** RFC 6749 section 5.2, RFC 8693 section 2.2.2 */
const CODES: ReadonlySet<string> = new Set([
  'invalid_request',
  'invalid_client',
  'invalid_grant',
  'unauthorized_client',
  'unsupported_grant_type',
  'invalid_scope',
  'invalid_target',
])

function toPlain(bytes: Buffer): Plain | null {
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'))
    return isPlain(value) ? value : null
  } catch {
    return null
  }
}

/** Resolves a name, and leads nowhere where one of its addresses is refused. */
const checkedLookup =
  (resolve: typeof lookup): LookupFunction =>
  (name, options, callback) => {
    resolve(name, { ...options, all: true }, (error, addresses: LookupAddress[]) => {
      const first = addresses?.[0]
      const isRefused = error === null && addresses.some(({ address }) => isRefusedAddress(address))
      if (error !== null || first === undefined || isRefused) {
        const code = isRefused ? 'ELINKLOCAL' : 'ENOTFOUND'
        callback(error ?? Object.assign(new Error('no address'), { code }), [])
      } else if (options.all === true) callback(null, addresses)
      else callback(null, first.address, first.family)
    })
  }
