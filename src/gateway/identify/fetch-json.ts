import { type LookupAddress, lookup } from 'node:dns'
import { request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import type { LookupFunction } from 'node:net'
import { bareHost, isLoopbackHost, isRefusedAddress, isRefusedHost } from '../../base/address.ts'
import { isPlain, type Plain } from '../../base/plain.ts'

interface JsonRequest {
  readonly url: string
  /** Sent as a form (POST); null asks by GET. */
  readonly form: Readonly<Record<string, string>> | null
  /** Value of the Authorization field; empty for none. */
  readonly authorization: string
}

/** Asks an issuer. Rejects with an Error that says what failed, without addresses or secrets. */
export type FetchJson = (request: JsonRequest) => Promise<Plain>

export interface FetchLimits {
  /** From the first byte asked to the last byte answered. */
  readonly timeoutMs: number
  readonly bytesMax: number
}

const LIMITS: FetchLimits = { timeoutMs: 5000, bytesMax: 512 * 1024 }

/**
 * Asks for one JSON object: bounded in size and time, no redirects, https unless the host is this machine. The address
 * that was judged is the address connected to; link-local and metadata addresses are none.
 */
export function createFetchJson(limits: FetchLimits = LIMITS, resolve: typeof lookup = lookup): FetchJson {
  const checked = checkedLookup(resolve)
  return (asked) =>
    new Promise((done, reject) => {
      const fail = (reason: string): void => reject(new Error(reason))
      const url = URL.parse(asked.url)
      if (url === null) return fail('the URL cannot be read')
      const isLocal = isLoopbackHost(url.hostname)
      if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLocal))
        return fail('the URL is not https')
      if (isRefusedHost(url.hostname)) return fail('the address is link-local')
      const body = asked.form === null ? '' : new URLSearchParams(asked.form).toString()
      const request = (url.protocol === 'https:' ? requestHttps : requestHttp)(url, {
        method: asked.form === null ? 'GET' : 'POST',
        host: bareHost(url.hostname),
        // A connection of its own: a few calls in ten minutes need no pool.
        agent: false,
        lookup: checked,
        headers: {
          Accept: 'application/json',
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
      const end = (reason: string): void => {
        clearTimeout(timer)
        request.destroy()
        fail(reason)
      }
      request.on('error', (error: NodeJS.ErrnoException) =>
        end(`cannot be reached (${error.code ?? 'error'})`),
      )
      request.on('response', (response) => {
        if (response.statusCode !== 200) return end(`answered ${response.statusCode}`)
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
          if (value === null) fail('the answer is no JSON object')
          else done(value)
        })
      })
      request.end(body)
    })
}

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
