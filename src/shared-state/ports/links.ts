/**
 * What a link leads to, kept until the link is used: the secret behind a one-time link, the state of a sign-in at an identity
 * provider. Values are plain data. A promise rejects when the memory cannot be reached.
 */
export interface Links<Value> {
  /**
   * Keeps a value under the hash of what the link carries. False when too many are kept, or too many of this owner.
   * @param lifeMs milliseconds for which it can be taken @param owner null where owners have no bound of their own
   */
  put(key: string, value: Value, lifeMs: number, owner: string | null): boolean | Promise<boolean>
  /** What {@link take} would give; takes nothing. */
  look(key: string): Value | null | Promise<Value | null>
  /** The value, once: of any number of calls at the same time, one gets it. Null for an unknown, used or expired link. */
  take(key: string): Value | null | Promise<Value | null>
}
