/**
 * The calls of one gateway thread that may wait for input of their clients (parked-call.ts), and the retries that arrive at
 * this thread, wherever their calls are.
 *
 * 1. A retry is valid for its own principal and request, within its time, and once over all threads and nodes.
 * 2. Few calls are parked for one principal, and a bounded number for all. A client that chooses the names of its principals
 *    gets no more places than remain free. Each call lasts {@link PARKED_MS} at most.
 * 3. A parked call ends at its origin when its caller loses the right to it, and when the thread stops.
 */
import { setInterval } from 'node:timers'
import type { Clock } from '../../../base/clock.ts'
import { contentHash } from '../../../base/json/canonical.ts'
import { PoolShare } from '../../../base/memory/pool-share.ts'
import type { RefusalCode } from '../../../base/refusal.ts'
import type { GatewayPort } from '../../../gateway/port.ts'
import type { HeldCalls } from '../../../shared-state/ports/held-calls.ts'
import type { Once } from '../../../shared-state/ports/memory.ts'
import type { JoinedVirtualMcp } from '../../../snapshot/find/virtual-mcps.ts'
import { identityOf, type Sender, toRecordAgent } from '../../http/message.ts'
import { refusal } from '../../http/relay.ts'
import { RPC } from '../../protocol/answer.ts'
import { isMembers, isModernVersion, type Members } from '../../protocol/message.ts'
import type { RelayedAnswer, RelayedRequest } from '../../protocol/relay-port.ts'
import { createSealer, toReply } from '../../protocol/sealed-elicitation.ts'
import { offers } from './input-requests.ts'
import {
  type Ended,
  inputRequired,
  ParkedCall,
  type RetryEnd,
  type RetryPayload,
  ROUNDS_MAX,
} from './parked-call.ts'

/** Methods whose results may ask the client (2026-07-28, basic/patterns: multi round-trip requests). */
const ASKING: ReadonlySet<string> = new Set(['tools/call', 'prompts/get', 'resources/read'])
/** Calls that may be parked for one principal in one thread. */
const EACH_MAX = 16
/** And for all. */
const ALL_MAX = 512
/** From the first question to the end of the call, milliseconds. */
const PARKED_MS = 10 * 60_000
/** How often calls are looked for whose time is over, milliseconds. */
const LOOK_MS = 1000
/** How long a stop waits until origins have heard that their calls are given up, milliseconds. */
const CLOSE_MS = 1000

/** What is known of a call that is parked. */
interface Place {
  /** Under whom its caller shares the places. */
  readonly holder: string
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
  readonly isAllowed: () => boolean
}

/** A capability that a request is about, at its origin. */
interface About {
  /** Id of the origin. */
  readonly member: string
  /** Public name or URI. */
  readonly name: string
  /** What the origin says of a tool; null for anything else. */
  readonly annotations: Members | null
}

/** A request that retries another one, by the state that it brings. */
export interface Retry {
  readonly state: RetryState
  /** Of the seal. */
  readonly name: string
}

export interface ParkingTools {
  readonly gateway: GatewayPort
  readonly heldCalls: HeldCalls
  /** 32 bytes that seal `requestState`; the same on every thread and node. */
  readonly sealKey: Uint8Array
  /** Retries that were used. */
  readonly usedReplies: Once
  readonly clock: Clock
  /** Told how many calls are parked, or may be, whenever that changes. */
  readonly counted?: (calls: number) => void
}

export interface Parking {
  /** The retry that a request is; null for any other, and for one whose state an origin has made. */
  read(request: RelayedRequest): Retry | null
  /** The call that a request begins, if its origin may ask the client in the middle of it; else null. */
  callOf(
    joined: JoinedVirtualMcp,
    sender: Sender,
    request: RelayedRequest,
    about: About,
    round: number,
    done: (answer: RelayedAnswer) => void,
  ): ParkedCall | null
  /**
   * Takes up the call of a retry.
   * @param again makes the call again, after that many rounds. `hasDeclined`: the person did not open the page that the call needs
   */
  resume(
    joined: JoinedVirtualMcp,
    sender: Sender,
    request: RelayedRequest,
    about: About,
    retry: Retry,
    again: (round: number, hasDeclined: boolean) => void,
    done: (answer: RelayedAnswer) => void,
  ): void
  /**
   * Asks the client to send the person to the page on which the account at the origin is connected, and to retry then; null for a client
   * that cannot be asked, or was asked too often.
   */
  connectFirst(
    joined: JoinedVirtualMcp,
    sender: Sender,
    request: RelayedRequest,
    page: { readonly url: string; readonly message: string },
    round: number,
  ): RelayedAnswer | null
  /** The request of a retry is refused: ends its call. */
  end(joined: JoinedVirtualMcp, sender: Sender, request: RelayedRequest, retry: Retry): void
  /** Ends all calls that wait, and tells their origins. */
  close(): Promise<void>
}

export function createParking(tools: ParkingTools): Parking {
  const { gateway, heldCalls, clock, usedReplies } = tools
  const states = createRetryStates(tools.sealKey)
  /** Calls that have asked their client. */
  const parked = new Map<ParkedCall, Place>()
  const share = new PoolShare(ALL_MAX)
  let sweep: NodeJS.Timeout | undefined
  let stopWatching: (() => void) | undefined

  function add(call: ParkedCall, place: Place): boolean {
    let own = 0
    for (const { identity } of parked.keys()) if (identity === call.identity) own++
    if (own >= EACH_MAX || !share.mayTake(place.holder)) return false
    share.take(place.holder)
    parked.set(call, place)
    sweep ??= setInterval(() => drop(({ expiresAt: end }) => end <= clock.now()), LOOK_MS).unref()
    stopWatching ??= gateway.onApplied(() => drop(({ isAllowed: may }) => !may()))
    tools.counted?.(parked.size)
    return true
  }

  function remove(call: ParkedCall): void {
    const place = parked.get(call)
    if (place === undefined) return
    parked.delete(call)
    share.give(place.holder)
    tools.counted?.(parked.size)
    if (parked.size > 0) return
    clearInterval(sweep)
    sweep = undefined
    stopWatching?.()
    stopWatching = undefined
  }

  /** Ends those of which nobody waits for the answer. */
  function drop(which: (of: Place) => boolean): void {
    for (const [call, of] of [...parked]) if (call.turn === null && which(of)) void call.drop()
  }

  function retried(joined: JoinedVirtualMcp, { caller }: Sender, { method, params }: RelayedRequest) {
    return { identity: identityOf(caller), virtualMcp: joined.virtualMcp.id, method, params }
  }

  return {
    read: ({ isModern, method, params }) =>
      isModern && ASKING.has(method) ? states.open(params['requestState']) : null,

    callOf(joined, sender, request, about, round, done) {
      const { method, isModern, params } = request
      const { verdict } = joined.members.get(about.member)!.origin.fragment
      if (!isModern || !ASKING.has(method) || verdict === null || isModernVersion(verdict.version))
        return null
      let expiresAt = clock.now() + PARKED_MS
      const call: ParkedCall = new ParkedCall(
        {
          identity: identityOf(sender.caller),
          heldCalls,
          memory: gateway.reserve(sender.caller),
          round,
          admits() {
            expiresAt = clock.now() + PARKED_MS
            const isAllowed = (): boolean => mayStill(gateway, joined, sender, request, about)
            return add(call, { holder: gateway.holderOf(sender.caller), expiresAt, isAllowed })
          },
          seal: (heldId, next) =>
            states.seal({
              digest: digestOf(retried(joined, sender, request)),
              expiresAt: heldId === null ? clock.now() + PARKED_MS : expiresAt,
              round: next,
              heldId,
            }),
          ended: () => remove(call),
          refusal: (code, detail) => ended(sender, request, code, detail),
        },
        {
          notify: (text) => request.notify(text),
          done: ({ answer }) => done(answer),
          progressToken: tokenOf(params),
          logLevel: request.logLevel,
        },
      )
      return call
    },

    resume(joined, sender, request, about, retry, again, done) {
      const { state, name } = retry
      const account = (code: RefusalCode | null): void => {
        const { received, method } = request
        received.isAccounted = true
        gateway.message(sender.incoming, {
          requestId: sender.requestId,
          code,
          reason: '',
          agent: toRecordAgent(received, method, about.name, ''),
          origin: about.member,
        })
      }
      const end = ({ answer, code }: Ended): void => {
        account(code)
        done(answer)
      }
      const isForeign = state.digest !== digestOf(retried(joined, sender, request))
      if (isForeign) {
        account('parameter_invalid')
        return done(unusable('The requestState belongs to another request or caller'))
      }
      const now = clock.now()
      const lost = (why: string): void => end(ended(sender, request, 'call_lost', why, about))
      // Nothing was sent to the origin before
      if (state.expiresAt <= now && state.connects === true) return again(0, false)
      if (state.expiresAt <= now) {
        this.end(joined, sender, request, retry)
        return lost('The answer came too late: the call had been given up.')
      }
      const goOn = (claimed: 'first' | 'again' | 'unavailable'): void => {
        if (claimed === 'again') {
          account('parameter_invalid')
          done(unusable('The requestState was used already'))
        } else if (claimed === 'unavailable')
          end(
            ended(
              sender,
              request,
              'overloaded',
              'Too many answers are stored at the moment. Try again later.',
            ),
          )
        else if (state.heldId === null) callAgain()
        else takeUp(state.heldId)
      }
      /** Pages had to be opened before the call. */
      const callAgain = (): void => {
        const replies = Object.values(responsesOf(request.params)).map(toReply)
        const isAgreed = replies.length > 0 && replies.every((reply) => reply?.action === 'accept')
        if (isAgreed || state.connects === true) again(state.round, !isAgreed)
        else end(ended(sender, request, 'permission_denied', 'A page that the origin needs was not opened.'))
      }
      const takeUp = (heldId: string): void => {
        const payload: RetryPayload = {
          identity: identityOf(sender.caller),
          responses: responsesOf(request.params),
          progressToken: tokenOf(request.params) ?? null,
          logLevel: request.logLevel,
        }
        const detach = heldCalls.attach(heldId, JSON.stringify(payload), {
          message: (text) => request.notify(text),
          end(text) {
            // Written by the thread that holds the call
            const ended = JSON.parse(text) as RetryEnd
            if (ended === null) lost('The call had ended.')
            else end(ended)
          },
          lost: () => lost('The call had ended, or the process that held it has ended.'),
        })
        gateway.giveUpWith(sender.incoming, { abort: detach })
      }
      const claimed = usedReplies.claim(
        `retry ${name}`,
        state.expiresAt,
        now,
        gateway.holderOf(sender.caller),
      )
      if (claimed instanceof Promise) void claimed.then(goOn)
      else goOn(claimed)
    },

    connectFirst(joined, sender, request, { url, message }, round) {
      const { isModern, method, clientCapabilities } = request
      const isAskable = isModern && ASKING.has(method) && offers(clientCapabilities, 'elicitation', 'url')
      if (!isAskable || round >= ROUNDS_MAX) return null
      const connect = { method: 'elicitation/create', params: { mode: 'url', message, url } }
      const requestState = states.seal({
        digest: digestOf(retried(joined, sender, request)),
        expiresAt: clock.now() + PARKED_MS,
        round: round + 1,
        heldId: null,
        connects: true,
      })
      return inputRequired({ connect }, requestState)
    },

    end(joined, sender, request, { state }) {
      if (state.heldId === null || state.digest !== digestOf(retried(joined, sender, request))) return
      const payload: RetryPayload = {
        identity: identityOf(sender.caller),
        responses: null,
        progressToken: null,
        logLevel: null,
      }
      const nothing = (): void => {}
      heldCalls.attach(state.heldId, JSON.stringify(payload), {
        message: nothing,
        end: nothing,
        lost: nothing,
      })
    },

    async close() {
      const waiting = [...parked.keys()].filter(({ turn }) => turn === null)
      if (waiting.length === 0) return
      let timer: NodeJS.Timeout | undefined
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, CLOSE_MS)
      })
      await Promise.race([late, Promise.all(waiting.map((call) => call.drop()))])
      clearTimeout(timer)
    },
  }
}

/** True while the caller may make the call that it has made. */
function mayStill(
  gateway: GatewayPort,
  { virtualMcp }: JoinedVirtualMcp,
  { caller }: Sender,
  { method, params }: RelayedRequest,
  { member, name }: About,
): boolean {
  // The answer of the person comes with a token of its own, which may be a newer one
  if (gateway.standingOf({ ...caller, proof: null }) === null) return false
  const joined = gateway.virtualMcp(caller, virtualMcp.fragment.slug)
  const now = joined?.members.get(member)
  if (joined === null || now === undefined || now.route === null || now.origin.route === null) return false
  const subject = gateway.policySubject(caller)
  const given = isMembers(params['arguments']) ? params['arguments'] : {}
  const admission =
    method === 'resources/read'
      ? joined.capabilities.read(subject, name)
      : joined.capabilities.call(subject, method === 'tools/call' ? 'tools' : 'prompts', name, given)
  return admission.kind === 'admitted'
}

function responsesOf({ inputResponses }: Members): Members {
  return isMembers(inputResponses) ? inputResponses : {}
}

/** Undefined for none. */
export function tokenOf({ _meta }: Members): unknown {
  return isMembers(_meta) ? _meta['progressToken'] : undefined
}

/** A `requestState` that says nothing about this request. */
export function unusable(reason: string): RelayedAnswer {
  return {
    kind: 'error',
    code: RPC.invalidParams,
    message: reason,
    data: { pointer: '/params/requestState' },
  }
}

/** The end of a call by a refusal. @param lost what the lost call was about */
function ended(
  sender: Sender,
  request: RelayedRequest,
  code: RefusalCode,
  detail: string,
  lost: About | null = null,
): Ended {
  const isSafe = lost !== null && (request.method !== 'tools/call' || isRepeatable(lost.annotations))
  const advice = isSafe
    ? ' It is safe to make it again.'
    : ' It may have taken effect: make it again only if a second effect does no harm.'
  const facts = lost === null ? { detail } : { detail: detail + advice, members: { repeat_is_safe: isSafe } }
  return { code, answer: refusal(request, sender, code, facts) }
}

/** By what the origin says of the tool (2025-03-26 and later, server/tools: annotations). */
function isRepeatable(annotations: Members | null): boolean {
  return annotations?.['readOnlyHint'] === true || annotations?.['idempotentHint'] === true
}

/** The request that is retried. */
interface Retried {
  readonly identity: string
  /** Id. */
  readonly virtualMcp: string
  readonly method: string
  readonly params: Members
}

interface RetryState {
  /** Of {@link Retried}. */
  readonly digest: string
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
  /** How often the client was asked. */
  readonly round: number
  /** The held call; null where the call is made again. */
  readonly heldId: string | null
  /** The client was sent to the page on which a person connects an account; absent for anything else. */
  readonly connects?: true
}

interface RetryStates {
  seal(state: RetryState): string
  /** Null for a text that no thread or process with this key has sealed. `name` is that of the very seal. */
  open(text: unknown): { readonly state: RetryState; readonly name: string } | null
}

/**
 * The `requestState` that a client of 2026-07-28 carries while Postern, and not the origin, waits for its input. Clients can neither read nor
 * change it. It is valid once, within its time, for the same principal, virtual MCP, method and parameters.
 * @param sealKey 32 bytes, the same on every thread and node
 */
function createRetryStates(sealKey: Uint8Array): RetryStates {
  const sealer = createSealer(sealKey, 'mcp-retry:1')
  return {
    seal: ({ digest, expiresAt, round, heldId, connects }) =>
      sealer.seal(JSON.stringify([digest, expiresAt, round, heldId, ...(connects ? [true] : [])])),
    open(text) {
      const opened = typeof text === 'string' ? sealer.open(text) : null
      if (opened === null) return null
      // Sealed by `seal` alone
      const [digest, expiresAt, round, heldId, connects] = JSON.parse(opened.text) as [
        string,
        number,
        number,
        string | null,
        true?,
      ]
      const state = { digest, expiresAt, round, heldId, ...(connects === undefined ? {} : { connects }) }
      return { state, name: opened.name }
    },
  }
}

/** Parameters without what a retry adds to them, and without `_meta`, which differs from request to request. */
function digestOf({ identity, virtualMcp, method, params }: Retried): string {
  const { _meta, ...same } = withoutRetry(params)
  return contentHash([identity, virtualMcp, method, same])
}

/** The parameters of the request that is retried. */
export function withoutRetry(params: Members): Members {
  const { inputResponses, requestState, ...rest } = params
  return rest
}
