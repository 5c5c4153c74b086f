/** Requests that an operator makes in the place of a caller: replays and live trials. */
import type { Exchange } from '../exchange.ts'
import type { InnerAnswer, InnerCall } from '../port.ts'
import { REPLAY_CHECKS } from '../stages.ts'
import { createInnerCalls, type InnerOptions } from './in-process.ts'

/** Bytes of the answer that are kept. */
const KEEP_BYTES_MAX = 64 * 1024

/** A request in the place of a caller who proves nothing: client and profile are named by their ids. */
export type AskedAsProfile = Pick<
  InnerCall,
  'requestId' | 'method' | 'host' | 'target' | 'fields' | 'body' | 'agent'
> & { readonly client: string; readonly profile: string; readonly ip: string }

export interface AsProfileOptions extends Pick<InnerOptions, 'lane' | 'snapshot'> {
  /** The gateway listener speaks TLS. */
  readonly secure: boolean
  /** A request that takes longer is given up, milliseconds. */
  readonly waitMs: number
  /** Sets what bounds the request (`replayed`), before its checks. */
  readonly prepare: (exchange: Exchange) => void
}

/**
 * Makes the request by the checks, counters and record of a recorded request that is made again. Resolves with null when it had no whole
 * answer in time. Never rejects.
 */
export function callAsProfile(
  { client, profile, ip, ...asked }: AskedAsProfile,
  { lane, snapshot, secure, waitMs, prepare }: AsProfileOptions,
): Promise<{ readonly answer: InnerAnswer; readonly exchange: Exchange } | null> {
  const call = createInnerCalls({ lane, snapshot, checks: REPLAY_CHECKS, prepare })
  const caller = {
    client: { id: client },
    profile: { id: profile },
    credentialId: '',
    subject: '',
    agentHost: '',
    claims: new Map(),
    signIn: null,
    bearer: '',
    ip,
    secure,
  }
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      handle.abort()
      resolve(null)
    }, waitMs)
    const handle = call(
      { ...asked, caller, keepBytesMax: KEEP_BYTES_MAX, until: null },
      (answer, exchange) => {
        clearTimeout(timer)
        resolve({ answer, exchange })
      },
    )
  })
}
