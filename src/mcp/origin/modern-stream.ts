/** A stream that stays open at an origin of 2026-07-28 and later. */
import { isMembers, type Members } from '../protocol/message.ts'
import { withTasks } from '../protocol/tasks.ts'
import { originRequest } from './envelope.ts'
import {
  type EraEvents,
  type EraStream,
  type EraStreamTools,
  endBy,
  MessageStream,
  type Wanted,
} from './era-stream.ts'

/** The server does not know the method. */
const METHOD_NOT_FOUND = -32601
/** Statuses of servers that do not. */
const UNKNOWN_STATUSES: ReadonlySet<number> = new Set([404, 405])

const NO_TASKS: ReadonlySet<string> = new Set()
/** What a listen may ask for, and the capability that says so. */
const LISTS = [
  ['toolsListChanged', 'tools'],
  ['promptsListChanged', 'prompts'],
  ['resourcesListChanged', 'resources'],
] as const

/**
 * `subscriptions/listen` at an origin of 2026-07-28 and later. The subjects of a listen cannot be changed: a new
 * listen takes its place. The old one goes on until the new one has said something, so that nothing is missed between them.
 */
export class ModernStream implements EraStream {
  readonly #tools: EraStreamTools
  readonly #events: EraEvents
  /** At most two: one that stands, and one that is to take its place. */
  #open: Listen[] = []

  constructor(tools: EraStreamTools, events: EraEvents) {
    this.#tools = tools
    this.#events = events
  }

  open(wanted: Wanted): void {
    const listen: Listen = new Listen(this.#tools, wanted, {
      stands: () => {
        for (const other of this.#open) if (other !== listen) other.abort()
        this.#open = [listen]
        this.#events.stands(false)
      },
      heard: (method, params) => this.#events.heard(method, params),
      over: (end) => {
        const isLast = this.#open.at(-1) === listen
        this.#open = this.#open.filter((one) => one !== listen)
        if (!isLast) return
        this.close()
        this.#events.over(end)
      },
    })
    for (const other of this.#open) if (!other.stands) other.abort()
    this.#open = [...this.#open.filter(({ stands }) => stands), listen]
    listen.begin()
  }

  want(wanted: Wanted): void {
    this.open(wanted)
  }

  close(): void {
    for (const listen of this.#open) listen.abort()
    this.#open = []
  }
}

class Listen {
  readonly #tools: EraStreamTools
  readonly #wanted: Wanted
  readonly #events: EraEvents
  #handle: { abort(): void } | null = null
  #isOver = false
  stands = false
  #isUnknown = false
  #status: number | null = null

  constructor(tools: EraStreamTools, wanted: Wanted, events: EraEvents) {
    this.#tools = tools
    this.#wanted = wanted
    this.#events = events
  }

  begin(): void {
    const { requestIds, version, own, read, capabilities } = this.#tools
    const lists = LISTS.filter(([, type]) => {
      const declared = capabilities[type]
      return this.#wanted.lists && isMembers(declared) && declared['listChanged'] === true
    })
    const { uris, tasks = NO_TASKS } = this.#wanted
    const notifications = {
      ...Object.fromEntries(lists.map(([name]) => [name, true])),
      ...(uris.size === 0 ? {} : { resourceSubscriptions: [...uris] }),
      ...(tasks.size === 0 ? {} : { taskIds: [...tasks] }),
    }
    const speaker = { info: { ...own }, capabilities: tasks.size === 0 ? {} : withTasks({}) }
    const id = requestIds()
    const request = originRequest(version, null, id, 'subscriptions/listen', { notifications }, speaker)
    const messages = new MessageStream((message) => this.#read(message))
    const handle = read(request, {
      head: (status, header) => {
        this.#status = status
        messages.head(header('content-type') ?? '')
      },
      piece: (bytes, from, to) => messages.piece(bytes, from, to),
      over: () => {
        messages.end()
        if (this.#isOver) return
        this.#isOver = true
        const isRefused = this.#isUnknown || (this.#status !== null && UNKNOWN_STATUSES.has(this.#status))
        this.#events.over(isRefused ? { kind: 'refused' } : endBy(this.#status))
      },
    })
    if (!this.#isOver) this.#handle = handle
  }

  abort(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#handle?.abort()
  }

  /** False ends the stream: its response is there, or too much was said. */
  #read({ method, params, error }: Members): boolean {
    if (this.#isOver) return false
    if (typeof method !== 'string') {
      this.#isUnknown = isMembers(error) && error['code'] === METHOD_NOT_FOUND
      return false
    }
    if (!this.stands) {
      this.stands = true
      this.#events.stands(false)
    }
    return this.#events.heard(method, isMembers(params) ? params : {})
  }
}
