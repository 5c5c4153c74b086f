/** The rows by which the processes that share one database know each other. */

/** A node that is silent for so long is not counted any more, milliseconds. */
export const LIVE_MS = 10_000

/** What a node says of itself. */
export interface NodeFacts {
  /** Version of the program. */
  readonly version: string
  /** Request records that wait for the database. */
  readonly recordsWaiting: number
  /** The clock of the node minus that of the database, milliseconds; null before it was measured. */
  readonly skewMs: number | null
  /** After so long without contact to the database the node serves nothing, milliseconds; null: it serves on. */
  readonly staleMaxMs: number | null
}

export interface NodeRow {
  readonly id: string
  /** Unlike that of an earlier process with this id. */
  readonly epoch: number
  /** For people: host and port. */
  readonly name: string
  readonly facts: NodeFacts
  readonly held: Held
  /** A draining node tells load balancers to send it no requests. */
  readonly isDraining: boolean
  /** Milliseconds since the node was last heard of, by the clock of the database. */
  readonly silentMs: number
  /** Milliseconds since the epoch, by the clock of the database. */
  readonly joinedAt: number
  /** Ids of the nodes that the node counts, itself included. */
  readonly counted: readonly string[]
}

/** One process with its id. */
export interface NodeIdentity {
  readonly id: string
  readonly epoch: number
}

/** What a node has in force. */
export interface Held {
  /** Of the configuration. */
  readonly revision: number
  /** Number of the last end of a grant that it refuses in all threads. */
  readonly ended: number
}

/** What a node writes with each heartbeat. */
export interface Heartbeat {
  readonly facts: NodeFacts
  readonly held: Held
  readonly counted: readonly string[]
  /** Whether the other nodes are to read the rows at once. */
  readonly isNews: boolean
}

/** All rows at one moment. */
export interface NodeRows {
  readonly rows: readonly NodeRow[]
  /** The clock of the database, milliseconds since the epoch. */
  readonly now: number
}

/** What nodes are told by the database. */
export interface NodeNotices {
  /** A configuration revision was committed. */
  revision(): unknown
  /** Rows of nodes have changed. */
  nodes(): void
  /** A row of events was committed. @see sealed null where it must be read */
  event(row: Omit<EventRow, 'sealed'> & { readonly sealed: Uint8Array | null }): void
}

/** The table of nodes. Each method rejects with StoreUnavailable while the database cannot be used. */
export interface NodeTable {
  /**
   * Adds a node, or replaces an earlier process of the same data directory. Resolves to its epoch, or to null where a live node elsewhere
   * has the id. @param place tells data directories apart
   */
  join(id: string, name: string, place: string, first: Heartbeat): Promise<number | null>
  /** Writes a heartbeat. False where the row is gone, or belongs to another process. */
  beat(node: NodeIdentity, heartbeat: Heartbeat): Promise<boolean>
  all(): Promise<NodeRows>
  /** Tells the others what the node has in force. */
  acknowledge(node: NodeIdentity, held: Held): Promise<void>
  /** Has the others look for what was committed without a revision. */
  wake(): Promise<void>
  /** False where there is no such node. */
  drain(id: string, isDraining: boolean): Promise<boolean>
  /** Deletes a row. False where there is none. @param epoch of the process that the row must belong to; null for any that is silent */
  remove(id: string, epoch: number | null): Promise<boolean>
  /** Waits for notices on a connection of its own. `lost` is called once, when that connection has ended. */
  listen(notices: NodeNotices, lost: () => void): Promise<NoticeConnection>
}

/** Events that one node has told the others at once. */
export interface EventRow {
  /** One more than that of the row that was committed before. */
  readonly number: number
  /** Id of the node. */
  readonly node: string
  readonly sealed: Uint8Array
}

/** What nodes tell each other. Each method rejects with StoreUnavailable while the database cannot be used. */
export interface EventTable {
  add(node: string, sealed: Uint8Array): Promise<void>
  /** Number of the row that was committed last. */
  last(): Promise<number>
  /** Rows after a number, in their order, at most `max`. */
  after(number: number, max: number): Promise<readonly EventRow[]>
  /** Deletes rows that are older than ten minutes. */
  sweep(): Promise<void>
}

export interface NoticeConnection {
  /** Finds out whether the connection still stands: one that a firewall has dropped says nothing by itself. */
  look(): Promise<void>
  close(): Promise<void>
}
