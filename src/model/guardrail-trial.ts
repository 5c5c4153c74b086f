/** A sample that a guardrail with a webhook is tried on. */
export interface GuardrailSample {
  readonly text: string
  /** Media type; absent where none is said. */
  readonly type?: string
  readonly leg: 'request' | 'response'
}

/** What the guardrail made of it. */
export interface GuardrailTried {
  /** Null for a sample that is blocked. */
  readonly result: string | null
  /** Why the guardrail could not look at it; empty where it could. */
  readonly reason: string
  /** By detector and kind. */
  readonly hits: Readonly<Record<string, Readonly<Record<string, number>>>>
}
