import { lookup } from 'node:dns'
import type { LookupFunction } from 'node:net'
import { bareHost, isSecureUrl } from './address.ts'
import { destinationOf, type Egress, EgressRefusal, type UrlSource } from './egress.ts'

export interface FetchLimits {
  /** From the first byte asked to the last byte answered. */
  readonly timeoutMs: number
  readonly bytesMax: number
}

const LIMITS: FetchLimits = { timeoutMs: 5000, bytesMax: 512 * 1024 }

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

interface Asked {
  readonly url: string
  /** How Postern has come to know the URL, by which the egress rule judges it. */
  readonly from: UrlSource
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array | null
}

interface Answered {
  readonly status: number
  /** Of a field that is repeated, all of its values with commas in between. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

/** Asks a server that the configuration, or an answer to it, names. Rejects with a {@link FetchFailure}. */
export type GuardedFetch = (asked: Asked, wanted?: (status: number) => boolean) => Promise<Answered>

/**
 * Bounded in size and time, no redirects, https unless the host is this machine, to what the egress rule admits. With
 * `wanted` an answer of another status is not read and is a failure.
 */
export function createGuardedFetch(
  egress: Egress,
  limits: FetchLimits = LIMITS,
  resolve: LookupFunction = lookup,
): GuardedFetch {
  return async (asked, wanted = () => true) => {
    const url = URL.parse(asked.url)
    if (url === null) throw new FetchFailure('the URL cannot be read')
    if (!isSecureUrl(url)) throw new FetchFailure('the URL is not https')
    const to = destinationOf(url, asked.from)
    const fault = egress.faultOf(to)
    if (fault !== null) throw new FetchFailure(fault)
    // Loaded by the first question: few threads ever ask one, and it would be a tenth of the start of each
    const { request: send } =
      url.protocol === 'https:' ? await import('node:https') : await import('node:http')
    return new Promise((done, reject) => {
      const request = send(url, {
        method: asked.method,
        host: bareHost(url.hostname),
        // A connection of its own: a few calls in ten minutes need no pool.
        agent: false,
        lookup: egress.lookup(to, resolve),
        headers: {
          ...asked.headers,
          ...(asked.body === null ? {} : { 'Content-Length': String(asked.body.length) }),
        },
      })
      const timer = setTimeout(() => end(`no answer in ${limits.timeoutMs} ms`), limits.timeoutMs)
      const end = (reason: string, status = 0): void => {
        clearTimeout(timer)
        request.destroy()
        reject(new FetchFailure(reason, status))
      }
      request.on('error', (error: NodeJS.ErrnoException) =>
        end(error instanceof EgressRefusal ? error.message : `cannot be reached (${error.code ?? 'error'})`),
      )
      request.on('response', (response) => {
        const status = response.statusCode ?? 0
        if (!wanted(status)) return end(`answered ${status}`, status)
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
          const headers = Object.entries(response.headers).map(([name, value]) => [name, String(value)])
          done({ status, headers: Object.fromEntries(headers), body: Buffer.concat(pieces) })
        })
      })
      request.end(asked.body ?? undefined)
    })
  }
}
