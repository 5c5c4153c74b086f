import type { Event, Events, Topic } from '../ports/events.ts'
import { createKeptValueMemory } from './kept-values.ts'
import { createEpochCell, createKeyMemory, createTombstoneCells } from './key-memory.ts'

/** The memory that the main thread and the gateway threads share for what they remember together. */
export interface SharedCells {
  /** Ended MCP sessions. */
  readonly tombstones: SharedArrayBuffer
  /** Tokens that may be used once. */
  readonly usedTokens: SharedArrayBuffer
  /** Replies to MCP questions that were used. */
  readonly usedReplies: SharedArrayBuffer
  /** Proofs of callers that were verified. */
  readonly proofs: SharedArrayBuffer
  /** Values that workflows keep. */
  readonly keptValues: SharedArrayBuffer
  /** Grants of people that were revoked while tokens of them may still live. */
  readonly endedGrants: SharedArrayBuffer
  /** How often the end of one was not remembered, for want of a place. */
  readonly endedEpoch: SharedArrayBuffer
}

const REPLIES_MAX = 65_536
const PROOFS_MAX = 65_536
const GRANTS_MAX = 65_536

/** The system gives this memory to the process as it is used. */
export function createSharedCells(): SharedCells {
  return {
    tombstones: createTombstoneCells(),
    usedTokens: createKeyMemory(),
    usedReplies: createKeyMemory(REPLIES_MAX),
    proofs: createKeyMemory(PROOFS_MAX),
    keptValues: createKeptValueMemory(),
    endedGrants: createKeyMemory(GRANTS_MAX),
    endedEpoch: createEpochCell(),
  }
}

/** The events of one thread. */
export interface ThreadEvents extends Events {
  /** Tells the subscribers of this thread what another one has published. */
  deliver(event: Event): void
}

/** @param send carries an event to all other threads. */
export function createThreadEvents(send: (event: Event) => void): ThreadEvents {
  const listeners: Record<Topic, Set<(text: string) => void>> = {
    call_cancelled: new Set(),
    client_answered: new Set(),
    grant_ended: new Set(),
    log_level: new Set(),
    resource_subscription: new Set(),
    session_stream_wanted: new Set(),
    task_told: new Set(),
    session_ended: new Set(),
  }
  return {
    publish: send,
    subscribe(topic, listener) {
      // A subscription of its own, so that a listener that subscribes twice is called twice
      const subscribed = (text: string): void => listener(text)
      listeners[topic].add(subscribed)
      return () => void listeners[topic].delete(subscribed)
    },
    deliver({ topic, text }) {
      for (const listener of listeners[topic]) listener(text)
    },
  }
}
