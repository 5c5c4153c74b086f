/**
 * Tells which resources of origins have changed. One stream for each origin serves all who watch there, unless the credential of the
 * origin is that of the caller. A stream that ends is opened again while somebody watches, later each time. Only origins of
 * 2026-07-28 and later are watched.
 */

import { fieldValue } from '../../gateway/header-lines.ts'
import type { Caller, GatewayPort } from '../../gateway/port.ts'
import { declaredAgent } from '../../gateway/record.ts'
import type { Member } from '../../snapshot/find/virtual-mcps.ts'
import type { LinkedOrigin } from '../../snapshot/linked/mcp.ts'
import type { CallHandle } from '../../wire/port.ts'
import { type OwnName, originRequest } from '../origin/envelope.ts'
import { OriginReader } from '../origin/reader.ts'
import { isMembers } from '../protocol/message.ts'
import { isModernVersion } from '../protocol/versions.ts'

export interface OriginUpdates {
  /** Calls `changed` after each change of the resource, until the function that it gives is called. Null: the origin tells of none. */
  watch(member: Member, caller: Caller, uri: string, changed: () => void): (() => void) | null
}

export interface OriginUpdatesTools {
  readonly gateway: GatewayPort
  readonly own: OwnName
  readonly requestIds: () => string
  readonly isPersonal: (origin: LinkedOrigin) => boolean
}

/** Resources that are watched on one stream. */
const URIS_MAX = 500
const EVENT_BYTES_MAX = 256 * 1024
/** A stream may say nothing for so long, milliseconds. */
const IDLE_MS = 24 * 3_600_000
/** How long changes of what is watched are gathered before the stream is opened anew. */
const GATHER_MS = 20
const RETRY_MS = { first: 1000, last: 60_000 }
const NO_BOUND = { take: () => true, give() {} }

export function createOriginUpdates(tools: OriginUpdatesTools): OriginUpdates {
  const streams = new WeakMap<LinkedOrigin, Map<string, UpdateStream>>()

  return {
    watch(member, caller, uri, changed) {
      const { origin, route } = member
      const version = origin.fragment.verdict?.version
      if (version === undefined || !isModernVersion(version) || route === null) return null
      const holder = tools.isPersonal(origin)
        ? `${caller.client.id}/${caller.profile.id}/${caller.subject}`
        : ''
      const byHolder = streams.get(origin) ?? new Map<string, UpdateStream>()
      streams.set(origin, byHolder)
      let stream = byHolder.get(holder)
      if (stream === undefined) {
        stream = new UpdateStream(tools, member, caller, version, () => byHolder.delete(holder))
        byHolder.set(holder, stream)
      }
      return stream.add(uri, changed)
    },
  }
}

/** The stream to one origin. */
class UpdateStream {
  readonly #tools: OriginUpdatesTools
  readonly #member: Member
  readonly #caller: Caller
  readonly #version: string
  readonly #unused: () => void
  readonly #watchers = new Map<string, Set<() => void>>()
  #handle: CallHandle | null = null
  #timer: NodeJS.Timeout | null = null
  #waitMs = RETRY_MS.first

  constructor(
    tools: OriginUpdatesTools,
    member: Member,
    caller: Caller,
    version: string,
    unused: () => void,
  ) {
    this.#tools = tools
    this.#member = member
    this.#caller = caller
    this.#version = version
    this.#unused = unused
  }

  /** Null where too much is watched. */
  add(uri: string, changed: () => void): (() => void) | null {
    let set = this.#watchers.get(uri)
    if (set === undefined) {
      if (this.#watchers.size >= URIS_MAX) return null
      set = new Set()
      this.#watchers.set(uri, set)
      this.#openIn(GATHER_MS)
    }
    const watcher = (): void => changed()
    set.add(watcher)
    return () => {
      set.delete(watcher)
      if (set.size > 0 || this.#watchers.get(uri) !== set) return
      this.#watchers.delete(uri)
      this.#openIn(GATHER_MS)
    }
  }

  #openIn(ms: number): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null
      this.#open()
    }, ms).unref()
  }

  #open(): void {
    this.#handle?.abort()
    this.#handle = null
    if (this.#watchers.size === 0) {
      this.#unused()
      return
    }
    const { gateway, own, requestIds } = this.#tools
    const { origin, route } = this.#member
    const requestId = requestIds()
    const notifications = { resourceSubscriptions: [...this.#watchers.keys()] }
    const speaker = { info: { ...own }, capabilities: {} }
    const request = originRequest(
      this.#version,
      null,
      requestId,
      'subscriptions/listen',
      { notifications },
      speaker,
    )
    const bounds = { bytesMax: EVENT_BYTES_MAX, budget: NO_BOUND }
    const reader = new OriginReader(requestId, false, bounds, ({ method, params }) => {
      this.#waitMs = RETRY_MS.first
      if (method !== 'notifications/resources/updated' || !isMembers(params)) return
      for (const changed of this.#watchers.get(String(params['uri'])) ?? []) changed()
    })
    const { path, query } = origin
    const handle = gateway.call(
      {
        caller: this.#caller,
        requestId,
        method: request.method,
        host: '',
        target: '/mcp',
        fields: '',
        ownFields: request.fields,
        body: Buffer.from(request.body ?? ''),
        agent: declaredAgent(),
        keepBytesMax: 0,
        until: null,
        reader: {
          idleTimeoutMs: IDLE_MS,
          head: (status, fields) => reader.head(status, fieldValue(fields, 'content-type') ?? ''),
          piece: (bytes, from, to) => reader.piece(bytes, from, to),
          gaveUp: () => void reader.end(),
        },
        capability: {
          origin,
          route: route!,
          path,
          query,
          virtualMcp: '',
          method: '',
          name: '',
          argumentBytes: 0,
        },
      },
      () => {
        this.#handle = null
        reader.end()
        this.#openIn(this.#waitMs)
        this.#waitMs = Math.min(2 * this.#waitMs, RETRY_MS.last)
      },
    )
    this.#handle ??= handle
  }
}
