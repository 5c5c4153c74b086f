/** What repeated work is part of. */
export interface Repeating {
  /** The work ends with these. */
  readonly parts: AsyncDisposableStack
  /** Told of a fault. @param at what was being done */
  readonly fault: (error: unknown, at: string) => void
}

/** Does something every `ms` milliseconds, never twice at once. A fault is told, and the next turn comes all the same. */
export function repeat({ parts, fault }: Repeating, ms: number, what: string, work: () => unknown): void {
  let isAtIt = false
  const timer = setInterval(async () => {
    if (isAtIt) return
    isAtIt = true
    try {
      await work()
    } catch (error) {
      fault(error, what)
    } finally {
      isAtIt = false
    }
  }, ms)
  parts.defer(() => clearInterval(timer))
}
