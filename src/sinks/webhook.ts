/**
 * Batches as signed POST requests (https://github.com/standard-webhooks/standard-webhooks). A batch that is sent again has the same
 * `webhook-id`.
 */
import { createHmac } from 'node:crypto'
import type { Clock } from '../base/clock.ts'
import { parseRetryAfter } from '../base/http/fields.ts'
import { createGuardedFetch, FetchFailure } from '../base/net/guarded-fetch.ts'
import { type SinkDestination, webhookKeyOf, webhookSecretFault } from '../model/sink.ts'
import { VERSION } from '../version.ts'
import { NotAccepted, type Receiver, type ReceiverParts, TRY_MS } from './receiver.ts'

/** Bytes of an answer that are read. */
const ANSWER_BYTES_MAX = 65_536
const RETRY_AFTER_MS_MAX = 3_600_000

/** The value of `webhook-signature`. @param at seconds since the epoch */
export function webhookSignature(secret: string, id: string, at: number, body: string): string {
  const key = webhookKeyOf(secret) ?? ''
  return `v1,${createHmac('sha256', key).update(`${id}.${at}.${body}`).digest('base64')}`
}

export function createWebhookReceiver(
  { url }: Extract<SinkDestination, { type: 'webhook' }>,
  secret: string,
  { clock, egress }: Pick<ReceiverParts, 'clock' | 'egress'>,
): Receiver {
  const guarded = createGuardedFetch(egress, { timeoutMs: TRY_MS, bytesMax: ANSWER_BYTES_MAX })
  return {
    async send({ id, stream, events }) {
      // Of a source outside of Postern, which may have changed
      const fault = webhookSecretFault(secret)
      if (fault !== null) throw new NotAccepted(`the secret ${fault}`)
      const at = Math.floor(clock.now() / 1000)
      const data = events.map(({ json }) => json).join(',')
      const body = `{"type":"${stream}","timestamp":"${new Date(at * 1000).toISOString()}","data":[${data}]}`
      const headers = {
        'content-type': 'application/json',
        'user-agent': `Postern/${VERSION}`,
        'webhook-id': id,
        'webhook-timestamp': String(at),
        'webhook-signature': webhookSignature(secret, id, at, body),
      }
      const asked = { url, from: 'typed', method: 'POST', headers, body: Buffer.from(body) } as const
      const answer = await guarded(asked).catch((error: unknown) => {
        if (error instanceof FetchFailure) throw new NotAccepted(error.message)
        throw error
      })
      const { status } = answer
      if (status >= 200 && status < 300) return `answered ${status}`
      const asksToWait = status === 429 || status === 502 || status === 503 || status === 504
      throw new NotAccepted(
        `answered ${status}`,
        asksToWait ? retryAfterOf(answer.headers['retry-after'], clock) : null,
      )
    },
    close: async () => {},
  }
}

/** Milliseconds of a `Retry-After`, within a bound; null for none and for anything else. */
export function retryAfterOf(value: string | undefined, clock: Pick<Clock, 'now'>): number | null {
  const at = value === undefined ? null : parseRetryAfter(value, clock.now())
  return at === null ? null : Math.min(RETRY_AFTER_MS_MAX, Math.max(0, at - clock.now()))
}
