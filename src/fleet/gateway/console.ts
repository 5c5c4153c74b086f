/**
 * Virtual MCPs for the tester of the console, at `/console/mcp/{slug}`. A message there becomes the same message at
 * `/mcp/{slug}`, with the same checks, counters and records, from the address of the person.
 *
 * 1. Only a page of the console is accepted. Its headers say so, and the main thread verifies its session for each message.
 * 2. The browser has no access token. The main thread returns the token with which the person of the session calls. A page
 *    may send the token of a profile instead; the token is then judged as at `/mcp/{slug}`.
 * 3. Cookies and Origin of the browser are not passed on.
 * 4. If the sender leaves before its session is verified, the message is dropped: nothing would release what it takes.
 */

import { createHash } from 'node:crypto'
import { DOORS } from '../../base/doors.ts'
import { bearerOf, CONSOLE_HEADER, cookieValues, ownCookieNames } from '../../base/http/fields.ts'
import { createOriginFor, isConsumerResource, isVirtualMcp, type Origins } from '../../base/http/origins.ts'
import { Lru } from '../../base/memory/lru.ts'
import { PoolShare } from '../../base/memory/pool-share.ts'
import type { RefusalCode } from '../../base/refusal.ts'
import { createQuestions, type Questions } from '../../base/threads/in-line.ts'
import { AUTHORIZATION, CONSOLE, COOKIE, fieldValue, ORIGIN } from '../../gateway/request-headers.ts'
import type { ConsoleCall, ConsoleCaller } from '../../model/access/caller.ts'
import { networkOf } from '../../snapshot/find/network.ts'
import { MovedRequest } from '../../wire/moved-request.ts'
import type { Incoming } from '../../wire/port.ts'
import type { FromGateway } from '../shared/messages.ts'

const BELOW = DOORS.consoleMcp.path

export interface ConsoleMcpOptions<State> {
  readonly callers: Pick<ConsoleCallerClient, 'ask'>
  /** The door of `/mcp/{slug}`. */
  readonly virtual: (incoming: Incoming<State>) => void
  /** Where the console is reached. */
  readonly consoleOrigins: Origins
  /** Authority of the gateway, as its callers name it. */
  readonly host: string
  /** Address of the caller and id of the request. */
  readonly trace: (incoming: Incoming<State>) => { readonly ip: string; readonly requestId: string }
  readonly refuse: (incoming: Incoming<State>, code: RefusalCode, detail: string) => void
  readonly fault: (error: unknown) => void
}

export interface ConsoleMcp<State> {
  answer(incoming: Incoming<State>): void
  /** A request of this listener is over, whether it came here or not. */
  finished(incoming: Incoming<State>): void
}

export function createConsoleMcp<State>(options: ConsoleMcpOptions<State>): ConsoleMcp<State> {
  const { callers, virtual, host, refuse } = options
  const originFor = createOriginFor(options.consoleOrigins)
  /** Requests whose session is being proved. */
  const waiting = new Set<Incoming<State>>()

  async function handOn(incoming: Incoming<State>, resource: `/mcp${string}`): Promise<void> {
    const { ip, requestId } = options.trace(incoming)
    const brought = incoming.taken[AUTHORIZATION]
    waiting.add(incoming)
    const caller = await callers.ask(
      {
        sessions: consoleSessions(incoming, originFor(incoming.host).startsWith('https:')),
        resource: bearerOf(brought) === '' ? resource : null,
        ip,
        userAgent: fieldValue(incoming.pass, 'user-agent')?.slice(0, 512) ?? null,
        requestId,
      },
      networkOf(ip),
    )
    if (!waiting.delete(incoming)) return
    if (!caller.ok) return refuse(incoming, caller.code, caller.detail)
    const taken = [...incoming.taken]
    taken[AUTHORIZATION] = caller.token === null ? brought : `Bearer ${caller.token}`
    taken[COOKIE] = undefined
    taken[ORIGIN] = undefined
    virtual(new MovedRequest(incoming, { path: resource, host, taken }))
  }

  return {
    answer(incoming) {
      const resource = DOORS.consumerMcp.path + incoming.path.slice(BELOW.length)
      if (!isConsumerResource(resource) || !isVirtualMcp(resource))
        return refuse(incoming, 'not_found', `There is no virtual MCP at ${incoming.path}.`)
      if (!isOfConsolePage(incoming))
        return refuse(
          incoming,
          'credentials_missing',
          `Only the console calls this path: with ${CONSOLE_HEADER}: 1 and Sec-Fetch-Site: same-origin. Other programs call ${resource} of the gateway listener.`,
        )
      handOn(incoming, resource).catch((error: unknown) => {
        options.fault(error)
        refuse(incoming, 'internal_error', 'The message could not be forwarded. Try again.')
      })
    },
    finished: (incoming) => void waiting.delete(incoming),
  }
}

// Asks the main thread to verify sessions of the console. The answer has the token with which the person calls virtual MCPs.

/**
 * Sessions that one thread has verified at the same time, at most. Each source has a share, and so has each session that was verified
 * before: forged sessions from an address take no place from a person at the same address.
 */
const ASKED_MAX = 64
/** Verified sessions that have a share of their own. */
const VERIFIED_MAX = 1024
/** The authorization server may have to be loaded first, milliseconds. */
const ANSWER_MS = 10_000

/** Has sessions of the console verified by the main thread, which answers with the tokens by which they call virtual MCPs. */
export interface ConsoleCallerClient extends Pick<Questions<ConsoleCaller>, 'answered'> {
  /**
   * Never rejects. Each message has its session verified: a session that has ended is refused with the next message.
   * @param source network of the caller
   */
  ask(call: ConsoleCall, source: string): Promise<ConsoleCaller>
}

export function createConsoleCallerClient(say: (message: FromGateway) => void): ConsoleCallerClient {
  const questions = createQuestions<ConsoleCaller>(() => LATE)
  const places = new PoolShare(ASKED_MAX)
  const verified = new Lru<string, true>(VERIFIED_MAX)
  return {
    async ask(call, source) {
      const sent = createHash('sha256').update(call.sessions.join(' ')).digest('base64url')
      const holder = verified.get(sent) === undefined ? source : `session ${sent}`
      if (!places.mayTake(holder)) return LATE
      places.take(holder)
      const caller = await questions.ask(ANSWER_MS, (id) => say({ kind: 'console_caller', id, ...call }))
      places.give(holder)
      if (caller.ok) verified.set(sent, true)
      else if (caller.code !== 'store_unavailable') verified.delete(sent)
      return caller
    },
    answered: questions.answered,
  }
}

const LATE: ConsoleCaller = {
  ok: false,
  code: 'store_unavailable',
  detail: 'The session could not be checked in time. Try again.',
}

// Finds the session cookie of the console in a request, and requests that a page of the console has sent.

/**
 * Values of session cookies of the console, in the order in which they count; none in requests that do not say that the console made them.
 *
 * @param isSecure the console is reached over HTTPS, where only the name with a prefix counts: other hosts of the domain can set the
 * other one. Null: not known, and both are given.
 */
export function consoleSessions(
  { taken }: Pick<Incoming, 'taken'>,
  isSecure: boolean | null,
): readonly string[] {
  if (taken[CONSOLE] !== '1') return []
  const cookies = taken[COOKIE] ?? ''
  const names = (isSecure === null ? [true, false] : [isSecure]).map((one) => ownCookieNames(one).console)
  return names.flatMap((name) => cookieValues(cookies, name))
}

/** True for a request that a page of this very origin made for the console; see `surfaces/console/door`. */
function isOfConsolePage({ taken, pass }: Pick<Incoming, 'taken' | 'pass'>): boolean {
  return taken[CONSOLE] === '1' && fieldValue(pass, 'sec-fetch-site') === 'same-origin'
}
