/** What an event is about. Its text names the call or the grant, or is the hash of the session id. */
export type Topic =
  | 'call_cancelled'
  | 'client_answered'
  | 'grant_ended'
  | 'log_level'
  | 'resource_subscription'
  | 'session_ended'
  | 'session_stream_wanted'
  | 'task_told'

/** Plain data, small enough to be sent to every process. */
export interface Event {
  readonly topic: Topic
  readonly text: string
}

/**
 * Tells facts to all threads and processes.
 *
 * 1. An event reaches each subscriber elsewhere, in the order in which one publisher publishes. The subscribers of the publisher
 *    itself are not called: it acts before it publishes.
 * 2. An event may be lost with a process or a connection, and may come twice. Nothing that must not be lost travels by events.
 */
export interface Events {
  publish(event: Event): void
  /** Calls `listener` with the text of each event of the topic. The function that it gives ends the subscription. */
  subscribe(topic: Topic, listener: (text: string) => void): () => void
}
