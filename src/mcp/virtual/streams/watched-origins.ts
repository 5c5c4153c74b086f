/**
 * The streams that one gateway thread keeps open at origins to receive notifications about changes.
 *
 * 1. A thread watches an origin if the main thread has assigned the origin to it, the origin is active and probed, and the origin announces
 *    changes of its lists or some thread watches its resources.
 * 2. A change of the origin that does not affect the stream leaves the stream open.
 * 3. An origin whose credential is made from the token of its caller, or at which each person has an account, is not watched, because
 *    Postern has no token.
 * 4. Notifications are collected for a moment, so that many notifications lead to one refresh.
 */

import type { Clock } from '../../../base/clock.ts'
import type { RunnerAddress } from '../../../base/net/address.ts'
import type { Gateway } from '../../../gateway/gateway.ts'
import type { OriginNews, OriginProbed } from '../../../model/mcp/origin.ts'
import type { LinkedOrigin } from '../../../snapshot/linked-types/mcp.ts'
import { StandingStream } from '../../origin/change-stream.ts'
import type { OwnName } from '../../origin/envelope.ts'
import { probeEntry, probeOrigin } from '../../origin/probe.ts'
import {
  ownSseTools,
  type StreamsTools,
  streamToolsOf,
  tellsOfLists,
  tellsOfResources,
  toOriginAnswer,
} from './watch-tools.ts'

export interface OriginWatch {
  /** Says which origins this thread watches from now on. */
  take(isOwn: (origin: string) => boolean): void
  /** Resources of an origin that all threads together want to hear of. */
  want(origin: string, uris: readonly string[]): void
  /** These origins cannot be reached. The streams of those that were among them before are opened at once. */
  down(origins: ReadonlySet<string>): void
  close(): void
}

export interface OriginWatchTools extends StreamsTools {
  readonly gateway: Pick<Gateway, 'snapshot' | 'onApplied' | 'isPersonal' | 'askOrigin' | 'readOrigin'>
  readonly news: (origin: string, news: OriginNews) => void
  readonly failed: (origin: string) => void
  readonly updated: (origin: string, uris: readonly string[]) => void
}

/** What an origin says is gathered for so long, milliseconds. */
const GATHER_MS = 50
const NO_URIS: ReadonlySet<string> = new Set()

interface Watched {
  readonly stream: StandingStream
  /** Of what the stream depends on. */
  readonly key: string
  readonly credential: object | null
  readonly lists: boolean
  /** As it was when the key was made. */
  origin: LinkedOrigin
  /** URIs that were wanted last. */
  uris: ReadonlySet<string>
  end(): void
}

export function createOriginWatch(tools: OriginWatchTools): OriginWatch {
  const { gateway } = tools
  const wanted = new Map<string, ReadonlySet<string>>()
  const watched = new Map<string, Watched>()
  let isOwn: (origin: string) => boolean = () => false
  let down = NO_URIS
  let isClosed = false
  const stop = gateway.onApplied(reconcile)

  function reconcile(): void {
    if (isClosed) return
    const { origins } = gateway.snapshot
    for (const [id, one] of [...watched]) {
      const origin = origins.get(id)
      if (origin !== undefined && isWatchable(origin) && isSame(one, origin)) continue
      one.end()
      watched.delete(id)
    }
    for (const origin of origins.values()) settle(origin)
  }

  function settle(origin: LinkedOrigin): void {
    if (!isWatchable(origin)) return
    const { id } = origin
    const uris = (tellsOfResources(origin) ? wanted.get(id) : undefined) ?? NO_URIS
    let one = watched.get(id)
    if (one === undefined) {
      const lists = tellsOfLists(origin)
      if (!lists && uris.size === 0) return
      one = begin(origin, lists)
      watched.set(id, one)
    } else if (one.uris === uris) return
    one.uris = uris
    one.stream.want({ lists: one.lists, uris })
    if (one.lists || uris.size > 0) return
    one.end()
    watched.delete(id)
  }

  function isWatchable(origin: LinkedOrigin): boolean {
    const { active, verdict } = origin.fragment
    return (
      active && verdict !== null && origin.route !== null && isOwn(origin.id) && !gateway.isPersonal(origin)
    )
  }

  function isSame(one: Watched, origin: LinkedOrigin): boolean {
    if (one.credential !== credentialOf(origin)) return false
    if (one.origin === origin) return true
    if (one.key !== keyOf(origin)) return false
    one.origin = origin
    return true
  }

  /** Another object once its secret has changed: what was opened with the old one must end. */
  function credentialOf({ fragment: { credential } }: LinkedOrigin): object | null {
    return credential === null ? null : (gateway.snapshot.credentials.get(credential) ?? null)
  }

  function begin(origin: LinkedOrigin, lists: boolean): Watched {
    const { id } = origin
    const uris = new Set<string>()
    let news: OriginNews | null = null
    let timer: NodeJS.Timeout | null = null
    const gather = (): void => {
      timer ??= setTimeout(() => {
        timer = null
        if (news !== null) tools.news(id, news)
        if (uris.size > 0) tools.updated(id, [...uris])
        news = null
        uris.clear()
      }, GATHER_MS).unref()
    }
    const hear = (what: OriginNews): void => {
      if (news !== 'changed') news = what
      gather()
    }
    const stream = new StandingStream(streamToolsOf(origin, null, gateway, tools), {
      opened: () => hear('opened'),
      reopened: (wasAway) => hear(wasAway ? 'changed' : 'reopened'),
      listsChanged: () => hear('changed'),
      updated(uri) {
        uris.add(uri)
        gather()
      },
      failed: () => tools.failed(id),
    })
    return {
      stream,
      key: keyOf(origin),
      credential: credentialOf(origin),
      lists,
      origin,
      uris: NO_URIS,
      end() {
        if (timer !== null) clearTimeout(timer)
        stream.close()
        // What was about to be told is not lost: another stream, or none, is to come
        if (news === 'changed') tools.news(id, news)
      },
    }
  }

  return {
    take(own) {
      isOwn = own
      for (const id of [...wanted.keys()]) if (!isOwn(id)) wanted.delete(id)
      reconcile()
    },
    want(id, uris) {
      if (uris.length === 0) wanted.delete(id)
      else wanted.set(id, new Set(uris))
      const origin = gateway.snapshot.origins.get(id)
      if (origin !== undefined && !isClosed) settle(origin)
    },
    down(origins) {
      for (const id of down) if (!origins.has(id)) watched.get(id)?.stream.hurry()
      down = origins
    },
    close() {
      isClosed = true
      stop()
      for (const one of watched.values()) one.end()
      watched.clear()
    },
  }
}

/** Two origins of one key are spoken to alike. */
function keyOf({ fragment: { upstream, target, credential, connection, verdict } }: LinkedOrigin): string {
  return JSON.stringify([
    upstream,
    target,
    credential,
    connection,
    verdict?.version,
    verdict?.transport,
    verdict?.capabilities,
  ])
}

// Probes an origin for the main thread, over the sockets and rules of calls.

export interface OriginProbeTools {
  readonly gateway: Pick<Gateway, 'askOrigin' | 'readOrigin'>
  /** Null where the settings name no runner. */
  readonly runner: RunnerAddress | null
  readonly clock: Clock
  readonly own: OwnName
}

/**
 * Finds out how an origin is spoken to and what it lists, over the sockets and rules that calls use. Never rejects. At an origin with
 * connections it is asked with the account `as`, the id of a person or SHARED; without one, as nobody: many servers list what they have
 * without a sign-in.
 */
export function createOriginProbe({ gateway, runner, clock, own }: OriginProbeTools) {
  return async (given: LinkedOrigin['fragment'], as?: string): Promise<OriginProbed> => {
    const origin = as === undefined ? withoutAccount(given) : given
    const account = as === undefined ? {} : { as }
    const tools = {
      send: async (request: Parameters<Gateway['askOrigin']>[1]) => {
        const answer = await gateway.askOrigin(origin, { ...request, ...account })
        // The page is for the person of the account, and administrators read why a probe failed
        if (answer.code === 'connect_required') return { ok: false, reason: answer.reason } as const
        const came = toOriginAnswer(answer)
        // Administrators of origins may know what callers may not: `connect ECONNREFUSED 10.0.0.7:443`
        return came.ok || came.isUnreachable !== true || answer.reason === ''
          ? came
          : { ...came, reason: `${came.reason.replace(/\.$/, '')} (${answer.reason})` }
      },
      clock,
      own,
    }
    if (origin.served_by !== 'stdio') return probeOrigin({ ...tools, sse: ownSseTools(gateway, origin, as) })
    const list = { ...origin, target: '/entries' }
    return probeEntry({
      ...tools,
      entry: origin.target.slice('/entries/'.length),
      runner: runner?.text ?? null,
      entries: async () => {
        const answer = await gateway.askOrigin(list, { method: 'GET', fields: '', body: null })
        return answer.code === null ? toOriginAnswer(answer) : { ok: false, reason: answer.reason }
      },
    })
  }
}

function withoutAccount(origin: LinkedOrigin['fragment']): LinkedOrigin['fragment'] {
  const { connection, ...rest } = origin
  return connection === undefined ? origin : rest
}
