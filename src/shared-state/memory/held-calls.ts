/**
 * Held calls of the threads of one process. An attachment is a channel between two threads. The main thread carries one end
 * to the owner; after that the two threads talk directly. The system closes the channel of a thread that ends.
 */
import { randomBytes } from 'node:crypto'
import { MessageChannel, type MessagePort } from 'node:worker_threads'
import {
  type CallLine,
  END_CHARS_MAX,
  type HeldCall,
  type HeldCalls,
  type LineWatcher,
  PAYLOAD_CHARS_MAX,
} from '../ports/held-calls.ts'

/** An attachment on its way to the thread that holds the call. */
export interface SentAttachment {
  /** Slot of the owner. */
  readonly slot: number
  readonly id: string
  /** To be closed where there is no such thread. */
  readonly port: MessagePort
}

export interface ThreadHeldCalls extends HeldCalls {
  /** Takes an attachment that another thread has sent. */
  deliver(sent: SentAttachment): void
  /** The thread of a slot has ended. Channels that it has opened are closed by that, those on their way to it are not. */
  ended(slot: number): void
}

/** Characters on one line that were not taken yet: from here on its owner is told to wait. */
const WAITING_CHARS_MAX = 1024 * 1024
/** And from here on the line is broken off. */
const LINE_CHARS_MAX = 32 * 1024 * 1024
/** Likewise on all lines of the calls of one thread. */
const ALL_CHARS_MAX = 4 * LINE_CHARS_MAX
/** Lines to the calls of one thread at a time. */
const LINES_MAX = 4096

/** What goes over a channel. From the owner: texts; from the other side: the payload, then how many characters it has taken. */
type FromOwner = { readonly opened: true } | { readonly text: string } | { readonly end: string }
type ToOwner = { readonly payload: string } | { readonly taken: number }

export interface HeldCallsOptions {
  /** Number of this thread. */
  readonly slot: number
  /** Carries an attachment to the thread of its slot. */
  readonly send: (sent: SentAttachment) => void
}

/** What is on its way from all calls of a thread. */
interface OnTheWay {
  chars: number
}

export function createThreadHeldCalls({ slot: own, send }: HeldCallsOptions): ThreadHeldCalls {
  const held = new Map<string, { readonly call: HeldCall; readonly lines: Set<Line> }>()
  const onTheWay: OnTheWay = { chars: 0 }
  /** Attachments that no owner has opened yet, by the slot of the owner. */
  const sentTo = new Map<number, Set<() => void>>()
  let lines = 0

  /** Calls `lose` if the thread ends before the function that it gives is called. */
  function untilOpened(slot: number, lose: () => void): () => void {
    const waiting = sentTo.get(slot) ?? new Set()
    sentTo.set(slot, waiting.add(lose))
    return () => void waiting.delete(lose)
  }

  function deliver({ id, port }: SentAttachment): void {
    const entry = held.get(id)
    if (entry === undefined || lines >= LINES_MAX) {
      port.close()
      return
    }
    lines++
    const line = new Line(port, entry.call, onTheWay, () => {
      lines--
      entry.lines.delete(line)
    })
    entry.lines.add(line)
  }

  return {
    hold(call) {
      const id = `${own}.${randomBytes(16).toString('base64url')}`
      const entry = { call, lines: new Set<Line>() }
      held.set(id, entry)
      return {
        id,
        release() {
          held.delete(id)
          for (const line of entry.lines) line.close()
        },
      }
    },
    attach(id, payload, reader) {
      const { port1, port2 } = new MessageChannel()
      const slot = slotOf(id)
      let isOver = false
      const over = (): boolean => {
        if (isOver) return false
        isOver = true
        opened()
        port1.close()
        return true
      }
      const lose = (): void => {
        if (over()) reader.lost()
      }
      const opened = slot === null ? () => {} : untilOpened(slot, lose)
      port1.on('message', (message: FromOwner) => {
        if (isOver) return
        if ('opened' in message) opened()
        else if ('end' in message) {
          over()
          reader.end(message.end)
        } else {
          port1.postMessage({ taken: message.text.length } satisfies ToOwner)
          reader.message(message.text)
        }
      })
      port1.on('close', lose)
      // A thread may end with calls that it holds or is attached to
      port1.unref()
      if (slot === null || payload.length > PAYLOAD_CHARS_MAX) port2.close()
      else {
        port1.postMessage({ payload } satisfies ToOwner)
        const sent = { slot, id, port: port2 }
        if (slot === own) deliver(sent)
        else send(sent)
      }
      return () => void over()
    },
    deliver,
    ended(slot) {
      for (const lose of [...(sentTo.get(slot) ?? [])]) lose()
    },
  }
}

/** The thread that an id names; null for a text that is no id. */
function slotOf(id: string): number | null {
  const match = /^(\d{1,4})\.[A-Za-z0-9_-]{22}$/.exec(id)
  return match === null ? null : Number(match[1])
}

/** The owner's end of one attachment. */
class Line implements CallLine {
  readonly #port: MessagePort
  readonly #all: OnTheWay
  readonly #ended: () => void
  #watcher: LineWatcher | null = null
  /** Characters that were sent and not taken. */
  #waiting = 0
  #mustDrain = false
  #isOver = false
  /** By the owner: then the watcher is told nothing. */
  #hasEnded = false

  constructor(port: MessagePort, call: HeldCall, all: OnTheWay, ended: () => void) {
    this.#port = port
    this.#all = all
    this.#ended = ended
    port.postMessage({ opened: true } satisfies FromOwner)
    port.on('message', (message: ToOwner) => {
      if (this.#isOver) return
      if ('taken' in message) this.#taken(message.taken)
      else {
        const watcher = call.attached(message.payload, this)
        if (!this.#isOver) this.#watcher = watcher
        else if (!this.#hasEnded) watcher.left()
      }
    })
    port.on('close', () => this.#over())
    port.unref()
  }

  message(text: string): boolean {
    if (this.#isOver) return false
    const chars = text.length
    if (this.#waiting + chars > LINE_CHARS_MAX || this.#all.chars + chars > ALL_CHARS_MAX) {
      this.close()
      return false
    }
    this.#count(chars)
    this.#port.postMessage({ text } satisfies FromOwner)
    if (this.#waiting > WAITING_CHARS_MAX) this.#mustDrain = true
    return !this.#mustDrain
  }

  end(text: string): void {
    if (this.#isOver) return
    this.#hasEnded = true
    this.#watcher = null
    if (text.length <= END_CHARS_MAX) this.#port.postMessage({ end: text } satisfies FromOwner)
    this.close()
  }

  /** What was sent still arrives. */
  close(): void {
    this.#port.close()
    this.#over()
  }

  #taken(chars: number): void {
    this.#count(-chars)
    if (!this.#mustDrain || this.#waiting > 0) return
    this.#mustDrain = false
    this.#watcher?.drained()
  }

  #over(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#count(-this.#waiting)
    this.#ended()
    this.#watcher?.left()
    this.#watcher = null
  }

  #count(chars: number): void {
    this.#waiting += chars
    this.#all.chars += chars
  }
}
