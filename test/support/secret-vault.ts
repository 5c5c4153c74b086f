import type { IncomingMessage, ServerResponse } from 'node:http'
import { Loopback } from './loopback.ts'

/** A vault on a real socket, as far as reading a secret of KV version 2 goes. */
export class SecretVault extends Loopback {
  /** By path, such as `secret/data/orders`. */
  readonly secrets = new Map<string, Readonly<Record<string, unknown>>>()
  token = ''
  /** Status of every answer; 200 works. */
  status = 200
  questions = 0

  protected answer(incoming: IncomingMessage, outgoing: ServerResponse): void {
    this.questions++
    const data = this.secrets.get((incoming.url ?? '').replace(/^\/v1\//, ''))
    const allowed = incoming.headers['x-vault-token'] === this.token
    outgoing.statusCode = this.status !== 200 ? this.status : !allowed ? 403 : data === undefined ? 404 : 200
    outgoing.setHeader('content-type', 'application/json')
    const metadata = { version: 1, destroyed: false }
    outgoing.end(
      JSON.stringify(
        outgoing.statusCode === 200
          ? { request_id: 'r', lease_duration: 0, renewable: false, data: { data, metadata } }
          : { errors: ['permission denied'] },
      ),
    )
  }
}
