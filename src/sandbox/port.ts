/** A function that is run with one value. */
export interface CodeTask {
  /** JavaScript: an expression whose value is a function of one argument. */
  readonly code: string
  /** JSON. */
  readonly input: string
}

/** Why code has given no value. `overloaded`: too many runs wait. `lost`: the isolate itself has failed. */
type CodeFault = 'error' | 'time' | 'memory' | 'size' | 'overloaded' | 'lost'

export type CodeResult =
  /** JSON. */
  | { readonly ok: true; readonly output: string }
  | { readonly ok: false; readonly fault: CodeFault; readonly message: string }

/** What a thread says when it has started. */
export const READY = 'ready'

export interface CodeRunner {
  /**
   * Runs code apart from everything: no network, no modules, no time of the system but `Date`. Tells `done` later, once, unless the
   * run was given up.
   * @param holder who asks: holders take turns. Empty for the gateway itself
   * @returns what gives the run up
   */
  run(task: CodeTask, holder: string, done: (result: CodeResult) => void): () => void
}
