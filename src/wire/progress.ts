import type { Outcome } from './port.ts'

/** An outcome to be filled in. A class, because copying a literal with fractions in it is a call into the runtime for every request. */
export class Progress implements Outcome {
  startedAt: number
  status = 0
  bytesIn = 0
  bytesOut = 0
  upstreamAt = 0
  upstreamHeadAt = 0
  upstreamStatus = 0
  endedAt = 0
  aborted = false
  truncated = false

  constructor(now: number) {
    this.startedAt = now
  }
}
