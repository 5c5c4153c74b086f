import type { IncomingMessage, ServerResponse } from 'node:http'
import { Loopback } from './loopback.ts'

type Fields = Readonly<Record<string, unknown>>

/** A vault on a real socket, as far as logins and reading a secret of KV version 2 go. */
export class SecretVault extends Loopback {
  /** By path, such as `secret/data/orders`. */
  readonly secrets = new Map<string, Fields>()
  token = ''
  /** Status of every answer; 200 works. */
  status = 200
  questions = 0
  /** What a login must hold, by its mount; each gives a token of its own. */
  readonly logins = new Map<string, Fields>()
  /** Of tokens that logins gave: those that count. */
  readonly issued = new Set<string>()
  leaseSeconds = 3600
  renewable = true
  /** Paths below `/v1/` in the order of the questions. */
  readonly asked: string[] = []

  protected answer(incoming: IncomingMessage, outgoing: ServerResponse, body: string): void {
    this.questions++
    const path = (incoming.url ?? '').replace(/^\/v1\//, '')
    this.asked.push(path)
    const [status, value] = this.status === 200 ? this.#answerTo(incoming, path, body) : [this.status, {}]
    outgoing.statusCode = status
    outgoing.setHeader('content-type', 'application/json')
    // Some say what they were shown
    outgoing.end(JSON.stringify(status === 200 ? value : { errors: ['permission denied', body] }))
  }

  #answerTo({ method, headers }: IncomingMessage, path: string, body: string): readonly [number, Fields] {
    const token = String(headers['x-vault-token'] ?? '')
    const [, mount] = /^auth\/(.+)\/login$/.exec(path) ?? []
    if (mount !== undefined) {
      const wanted = this.logins.get(mount)
      if (wanted === undefined || method !== 'POST') return [404, {}]
      if (JSON.stringify(wanted) !== body) return [400, {}]
      const issued = `planted-client-token-${this.issued.size + 1}`
      this.issued.add(issued)
      return [200, this.#authOf(issued)]
    }
    if (token !== this.token && !this.issued.has(token)) return [403, {}]
    if (path === 'auth/token/renew-self')
      return this.renewable && method === 'POST' ? [200, this.#authOf(token)] : [400, {}]
    if (path === 'auth/token/lookup-self') return [200, { data: {} }]
    if (path.includes('/denied')) return [403, {}]
    const data = this.secrets.get(path)
    if (data === undefined) return [404, {}]
    const metadata = { version: 1, destroyed: false }
    return [200, { request_id: 'r', lease_duration: 0, renewable: false, data: { data, metadata } }]
  }

  #authOf(client_token: string): Fields {
    return { auth: { client_token, lease_duration: this.leaseSeconds, renewable: this.renewable } }
  }
}
