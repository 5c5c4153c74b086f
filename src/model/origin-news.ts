/** What came to be known about the lists of an origin. */
export type OriginNews =
  /** They have changed, or the origin was away. */
  | 'changed'
  /** They may have changed in the moment in which no stream stood. */
  | 'reopened'
  /** A thread has begun to watch the origin. */
  | 'opened'
