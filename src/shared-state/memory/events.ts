import type { Event, Events, Topic } from '../ports/events.ts'

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
