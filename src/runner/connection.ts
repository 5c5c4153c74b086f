/**
 * The messages between one process and the callers that share it.
 *
 * 1. Ids and progress tokens of requests are replaced by numbers of the runner, and restored on the way to the caller. All
 *    other bytes stay as they are.
 * 2. A message of the server goes to the caller to which it belongs. If that is not certain, it goes to nobody: a request is
 *    declined, a notification is dropped.
 * 3. Each request is answered once: by the server, or by the runner when the process ends, a limit is reached or the caller
 *    is too late.
 * 4. A caller may have at most as many requests under way as then remain free: one caller alone half, two callers a third
 *    each.
 */
import { Lru } from '../base/memory/lru.ts'
import { PoolShare } from '../base/memory/pool-share.ts'
import { errorText, RPC, resultText } from '../mcp/protocol/answer.ts'
import { bufferOf, readJson, withoutMark } from '../mcp/protocol/json.ts'
import {
  isMembers,
  type Members,
  type Message,
  type RpcId,
  rpcIdIn,
  toMessage,
} from '../mcp/protocol/message.ts'
import { type Edit, type Exchange, edited, placeOf } from './exchange.ts'
import { type Failure, failure } from './failure.ts'
import type { Timers } from './timers.ts'

/** Requests of the server that wait for a caller. */
const ASKED_MAX = 100
/** Of them for one caller: one that never answers takes the places of nobody else. */
const ASKED_EACH_MAX = 16
/** Tasks, elicitations and progress tokens whose owner is remembered. */
const OWNED_MAX = 1000
/** Characters of what is remembered by name. */
const OWNED_CHARS_MAX = 256
/** Resources that one caller has subscribed to, and characters of the URI of one. */
const SUBSCRIPTIONS_MAX = 1000
const URI_CHARS_MAX = 8192
const SUBSCRIPTION_ID = 'io.modelcontextprotocol/subscriptionId'
const LOG_LEVEL = 'io.modelcontextprotocol/logLevel'
const RELATED_TASK = 'io.modelcontextprotocol/related-task'

/** Requests during which a server may ask its caller something. */
const ASKING_METHODS: ReadonlySet<string> = new Set([
  ...['tools/call', 'prompts/get', 'resources/read', 'tasks/result'],
])
/** Errors with which a modern server refuses a request as such have a status of HTTP (2026-07-28, basic: error codes). */
const MODERN_STATUS: Readonly<Record<number, number>> = {
  [RPC.methodNotFound]: 404,
  [RPC.headerMismatch]: 400,
  [-32_021]: 400,
  [RPC.unsupportedVersion]: 400,
}

export type Request = Extract<Message, { kind: 'request' }>

/** A caller that shares the process: a legacy session. A modern request stands for itself. */
export interface Peer {
  /** Takes a message that belongs to no call. `undelivered` is called, now or within seconds, if nobody has taken it. */
  tell(text: string, undelivered: () => void): void
}

interface RequestOptions {
  /** Null for a modern request. */
  readonly peer: Peer | null
  /** Whose share of the requests under way it counts in; empty for a client that names no caller. */
  readonly caller: string
  readonly message: Request
  /** Of the whole message, as it came. */
  readonly text: string
  readonly exchange: Exchange
  /** Milliseconds until the runner gives up; null for a request that stays open. */
  readonly timeoutMs: number | null
}

export interface Connection {
  /** Requests that are not answered yet. */
  readonly callCount: number
  /** Passes a request on. The exchange gets its answer, and what comes before it. */
  request(options: RequestOptions): void
  /** As {@link request} for the runner itself. The text of the response, with any id, or why there is none. */
  ask(message: Request, text: string, timeoutMs: number): Promise<{ text: string } | { why: Failure }>
  /** Passes on what a caller sends without expecting an answer. */
  notify(peer: Peer, message: Extract<Message, { kind: 'notification' }>, text: string): void
  /** Passes on the answer of a caller to a request of the server. False when it was asked nothing of that id. */
  reply(peer: Peer, id: RpcId, text: string): boolean
  /** The caller of a modern request has left: that cancels it (2026-07-28, streamable HTTP). */
  abandon(exchange: Exchange): void
  join(peer: Peer): void
  /** The caller is gone: its requests are cancelled, its subscriptions end, what it was asked is declined. */
  leave(peer: Peer): void
  /** Takes a line of the server. */
  line(bytes: Buffer): void
  /** The server has told its era, which was not known before. */
  speaks(isModern: boolean): void
  /** The process has ended: everything under way is answered. */
  ended(why: Failure): void
}

export interface ConnectionOptions {
  /** See {@link Connection.speaks}. */
  readonly isModern: boolean
  readonly callsMax: number
  readonly timers: Timers
  /** Writes a line to the server; false when it does not read. */
  readonly write: (text: string) => boolean
  /** Told of output that is no message, and of messages for nobody. */
  readonly note: (text: string) => void
}

interface Call {
  readonly peer: Peer | null
  /** Whose share it counts in; empty for the runner itself, and for clients that name no caller. */
  readonly caller: string
  readonly method: string
  readonly id: RpcId
  /** JSON of the caller's id and progress token. */
  readonly idText: string
  readonly tokenText: string | null
  readonly takesLogs: boolean
  readonly exchange: Exchange | null
  readonly done: ((outcome: { text: string } | { why: Failure }) => void) | null
  readonly stopTimer: () => void
}

const INPUT_FULL = failure('input_full', 'The server does not read its input at the moment.', {
  retryAfterMs: 1000,
})

export function createConnection(options: ConnectionOptions): Connection {
  const { callsMax, timers, write, note } = options
  let { isModern } = options
  const calls = new Map<number, Call>()
  const share = new PoolShare(callsMax)
  const peers = new Set<Peer>()
  /** Requests of the server, by their ids, with the caller that was asked. */
  const asked = new Map<RpcId, Peer>()
  const subscriptions = new Map<Peer, Set<string>>()
  const owners = new Lru<string, Peer>(OWNED_MAX)
  /** Progress tokens that outlive their requests, as those of tasks do. */
  const tokens = new Lru<number, { readonly peer: Peer; readonly tokenText: string }>(OWNED_MAX)
  let lastId = 0
  let end: Failure | null = null

  function start(
    message: Request,
    text: string,
    timeoutMs: number | null,
    call: Pick<Call, 'peer' | 'caller' | 'exchange' | 'done'>,
  ): void {
    const id = ++lastId
    const idPlace = placeOf(text, 'id')!
    const tokenPlace = placeOf(text, 'params', '_meta', 'progressToken')
    const edits: Edit[] = [{ ...idPlace, text: String(id) }]
    if (tokenPlace !== null) edits.push({ ...tokenPlace, text: String(id) })
    const why = refusal(call.caller) ?? (write(edited(text, edits)) ? null : INPUT_FULL)
    if (why !== null) {
      call.exchange?.fail(why, message.id)
      call.done?.({ why })
      return
    }
    const meta = message.params['_meta']
    share.take(call.caller)
    calls.set(id, {
      ...call,
      method: message.method,
      id: message.id,
      idText: text.slice(idPlace.from, idPlace.to),
      tokenText: tokenPlace === null ? null : text.slice(tokenPlace.from, tokenPlace.to),
      takesLogs: isMembers(meta) && meta[LOG_LEVEL] !== undefined,
      stopTimer: timeoutMs === null ? () => {} : timers.after(timeoutMs, () => tooLate(id, timeoutMs)),
    })
  }

  /** Why no further request can be passed on at the moment; null when it can. */
  function refusal(caller: string): Failure | null {
    if (end !== null) return { ...end, executed: 'no' }
    if (share.mayTake(caller)) return null
    const text =
      calls.size < callsMax
        ? `The caller has used its share of the ${callsMax} pending requests of the server (limits.calls). Wait for a response.`
        : `The server has ${callsMax} pending requests (limits.calls). Try again later.`
    return failure('calls_full', text, { retryAfterMs: 1000 })
  }

  function tooLate(id: number, timeoutMs: number): void {
    finish(id, {
      reason: 'call_timeout',
      message: `The server has not answered within ${timeoutMs / 1000} s (limits.call_timeout). The request was cancelled.`,
      executed: 'unknown',
    })
    cancel(id, 'timeout')
  }

  /** Ends a request without an answer of the server; null ends it without any. */
  function finish(id: number, why: Failure | null): void {
    const call = calls.get(id)
    if (call === undefined) return
    forget(id, call)
    if (why === null) call.exchange?.end()
    else call.exchange?.fail(why, call.id)
    call.done?.({ why: why ?? failure('stopped', 'The request was cancelled.') })
  }

  function forget(id: number, { caller, stopTimer }: Call): void {
    calls.delete(id)
    share.give(caller)
    stopTimer()
  }

  function cancel(requestId: number, reason: string): void {
    write(
      JSON.stringify({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId, reason } }),
    )
  }

  function answered(id: RpcId | undefined, value: Members, text: string): void {
    const call = typeof id === 'number' ? calls.get(id) : undefined
    if (call === undefined) {
      // One that was cancelled may still be answered
      if (typeof id !== 'number' || id < 1 || id > lastId) note('answered a request that it was never sent')
      return
    }
    forget(id as number, call)
    call.done?.({ text })
    if (call.exchange === null) return
    const edits: Edit[] = [{ ...placeOf(text, 'id')!, text: call.idText }]
    const subscription = placeOf(text, 'result', '_meta', SUBSCRIPTION_ID)
    if (subscription !== null) edits.push({ ...subscription, text: call.idText })
    remember(call, id as number, value)
    const code = isMembers(value['error']) ? value['error']['code'] : undefined
    const status = isModern && typeof code === 'number' ? (MODERN_STATUS[code] ?? 200) : 200
    call.exchange.answer(edited(text, edits), status)
  }

  /** What the answer names and later messages refer to: a task, a page that a person has to open. */
  function remember({ peer, tokenText }: Call, id: number, { result, error }: Members): void {
    if (peer === null) return
    if (isMembers(result) && isMembers(result['task'])) {
      own('task', result['task']['taskId'], peer)
      if (tokenText !== null) tokens.set(id, { peer, tokenText })
    }
    const data = isMembers(error) ? error['data'] : undefined
    const elicitations = isMembers(data) ? data['elicitations'] : undefined
    if (Array.isArray(elicitations))
      for (const one of elicitations.slice(0, 100) as unknown[])
        if (isMembers(one)) own('elicitation', one['elicitationId'], peer)
  }

  function own(kind: 'task' | 'elicitation', name: unknown, peer: Peer): void {
    if (typeof name === 'string' && name.length <= OWNED_CHARS_MAX) owners.set(`${kind} ${name}`, peer)
  }

  function ownerOf(kind: 'task' | 'elicitation', name: unknown): Peer | undefined {
    return typeof name === 'string' ? owners.get(`${kind} ${name}`) : undefined
  }

  /** The request or the caller that a message without a reference belongs to; null where that is not certain. */
  function addressee(
    among = [...calls.values()].filter(({ exchange }) => exchange !== null),
  ): Call | Peer | null {
    const asking = among.filter(({ method }) => ASKING_METHODS.has(method))
    const candidates = asking.length > 0 ? asking : among
    const [only] = candidates
    if (candidates.length === 1 && only!.exchange!.isOpen) return only!
    const possible = new Set(candidates.length > 0 ? candidates.map(({ peer }) => peer) : peers)
    const [peer] = possible
    return possible.size === 1 && peer != null ? peer : null
  }

  function ownerIn(params: Members): Peer | undefined {
    const meta = params['_meta']
    const task = isMembers(meta) ? meta[RELATED_TASK] : undefined
    const taskId = isMembers(task) ? task['taskId'] : undefined
    return ownerOf('task', taskId)
  }

  /** Hands a message to a request or a caller. */
  function hand(to: Call | Peer, text: string, undelivered: () => void): void {
    if (!('tell' in to)) {
      if (!to.exchange!.message(text)) undelivered()
    } else to.tell(text, undelivered)
  }

  function decline(id: RpcId, reason: string): void {
    write(errorText(id, RPC.internalError, reason))
  }

  function serverAsks({ id, method, params }: Request, text: string): void {
    if (method === 'ping') {
      write(resultText(id, '{}'))
      return
    }
    const isRefused = isModern || asked.has(id) || asked.size >= ASKED_MAX
    const to = isRefused ? null : (ownerIn(params) ?? addressee())
    const peer = to === null ? null : 'tell' in to ? to : to.peer
    const waiting = [...asked.values()].filter((one) => one === peer).length
    if (to === null || peer === null || waiting >= ASKED_EACH_MAX) {
      note(`${method} was declined: its caller is unknown, or too many requests wait`)
      decline(id, 'This request belongs to no known caller')
      return
    }
    asked.set(id, peer)
    own('elicitation', params['elicitationId'], peer)
    hand(to, text, () => {
      if (asked.delete(id)) decline(id, 'The caller accepts no requests at the moment')
    })
  }

  function serverTells(method: string, params: Members, text: string): void {
    const nobody = (): void => {}
    const meta = params['_meta']
    if (isMembers(meta) && meta[SUBSCRIPTION_ID] !== undefined) {
      const call = calls.get(numberOf(meta[SUBSCRIPTION_ID]))
      const place = placeOf(text, 'params', '_meta', SUBSCRIPTION_ID)
      if (call?.exchange != null && place !== null)
        call.exchange.message(edited(text, [{ ...place, text: call.idText }]))
      return
    }
    switch (method) {
      case 'notifications/progress': {
        const token = params['progressToken']
        const call = typeof token === 'number' ? calls.get(token) : undefined
        const place = placeOf(text, 'params', 'progressToken')
        if (place === null || typeof token !== 'number') return
        if (call?.tokenText != null)
          call.exchange?.message(edited(text, [{ ...place, text: call.tokenText }]))
        const kept = call === undefined ? tokens.get(token) : undefined
        kept?.peer.tell(edited(text, [{ ...place, text: kept.tokenText }]), nobody)
        return
      }
      case 'notifications/cancelled': {
        const id = rpcIdIn(params, 'requestId')
        if (id === undefined) return
        const peer = asked.get(id)
        if (peer !== undefined) {
          asked.delete(id)
          const open = [...calls.values()].filter((call) => call.peer === peer && call.exchange?.isOpen)
          hand(open.length === 1 ? open[0]! : peer, text, nobody)
        } else if (isModern && typeof id === 'number' && calls.get(id)?.method === 'subscriptions/listen')
          finish(id, null)
        return
      }
      case 'notifications/resources/updated': {
        const uri = params['uri']
        for (const [peer, uris] of subscriptions)
          if (typeof uri === 'string' && uris.has(uri)) peer.tell(text, nobody)
        return
      }
      case 'notifications/tools/list_changed':
      case 'notifications/prompts/list_changed':
      case 'notifications/resources/list_changed':
        for (const peer of peers) peer.tell(text, nobody)
        return
      case 'notifications/tasks/status':
        ownerOf('task', params['taskId'])?.tell(text, nobody)
        return
      case 'notifications/elicitation/complete':
        ownerOf('elicitation', params['elicitationId'])?.tell(text, nobody)
        return
      default: {
        const among = isModern
          ? [...calls.values()].filter(({ takesLogs, exchange }) => takesLogs && exchange !== null)
          : undefined
        const to = ownerIn(params) ?? addressee(among)
        if (to !== null) hand(to, text, nobody)
      }
    }
  }

  /** Keeps count of subscriptions. True when the server need not hear of this one. */
  function subscribes(peer: Peer, { method, params }: Request): boolean {
    const uri = params['uri']
    if (typeof uri !== 'string' || uri.length > URI_CHARS_MAX) return false
    const uris = subscriptions.get(peer) ?? new Set()
    if (method === 'resources/subscribe' && uris.size < SUBSCRIPTIONS_MAX)
      subscriptions.set(peer, uris.add(uri))
    if (method !== 'resources/unsubscribe') return false
    uris.delete(uri)
    return isSubscribed(uri)
  }

  function isSubscribed(uri: string): boolean {
    return [...subscriptions.values()].some((uris) => uris.has(uri))
  }

  const connection: Connection = {
    get callCount() {
      return calls.size
    },
    request({ peer, caller, message, text, exchange, timeoutMs }) {
      if (peer !== null && subscribes(peer, message)) return exchange.answer(resultText(message.id, '{}'))
      start(message, text, timeoutMs, { peer, caller, exchange, done: null })
    },
    ask(message, text, timeoutMs) {
      return new Promise((done) =>
        start(message, text, timeoutMs, { peer: null, caller: '', exchange: null, done }),
      )
    },
    notify(peer, { method, params }, text) {
      if (method !== 'notifications/cancelled') {
        write(text)
        return
      }
      const cancelled = rpcIdIn(params, 'requestId')
      for (const [id, call] of calls)
        if (call.peer === peer && call.id === cancelled) {
          write(edited(text, [{ ...placeOf(text, 'params', 'requestId')!, text: String(id) }]))
          finish(id, null)
          return
        }
    },
    reply(peer, id, text) {
      if (asked.get(id) !== peer) return false
      asked.delete(id)
      write(text)
      return true
    },
    abandon(exchange) {
      for (const [id, call] of calls)
        if (call.exchange === exchange) {
          finish(id, null)
          cancel(id, 'The caller has disconnected')
          return
        }
    },
    join: (peer) => peers.add(peer),
    leave(peer) {
      peers.delete(peer)
      for (const [id, call] of [...calls])
        if (call.peer === peer) {
          finish(id, null)
          cancel(id, 'The session has ended')
        }
      for (const [id, one] of [...asked])
        if (one === peer) {
          asked.delete(id)
          decline(id, 'The session has ended')
        }
      const uris = subscriptions.get(peer) ?? new Set()
      subscriptions.delete(peer)
      for (const uri of uris)
        if (!isSubscribed(uri)) {
          const message = { jsonrpc: '2.0', id: ++lastId, method: 'resources/unsubscribe', params: { uri } }
          write(JSON.stringify(message))
        }
    },
    line(given) {
      const bytes = bufferOf(withoutMark(given))
      const read = readJson(bytes)
      const message = read.ok ? toMessage(read.value) : null
      if (message === null || message.kind === 'invalid' || !read.ok)
        return note('wrote a line to stdout that is no message of MCP')
      // In a stream of events a carriage return ends a line; outside of strings it is a space of JSON
      const text = bytes.toString('utf8').replaceAll('\r', ' ')
      if (message.kind === 'response') answered(message.id, read.value as Members, text)
      else if (message.kind === 'request') serverAsks(message, text)
      else serverTells(message.method, message.params, text)
    },
    speaks(given) {
      isModern = given
    },
    ended(why) {
      end ??= why
      for (const id of [...calls.keys()]) finish(id, why)
      asked.clear()
    },
  }
  return connection
}

/** Of an id that a server gives back, as a number or its digits; NaN for anything else. */
function numberOf(id: unknown): number {
  return typeof id === 'number' || typeof id === 'string' ? Number(id) : Number.NaN
}
