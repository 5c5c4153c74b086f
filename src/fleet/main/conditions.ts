/** Waits for conditions that are checked again after each change. */
/** Conditions that are looked at again whenever something has changed. */
interface Conditions {
  /** Something has changed. */
  changed(): void
  /** Resolves true once `holds`, or false at the deadline, milliseconds from now. */
  until(holds: () => boolean, deadlineMs: number): Promise<boolean>
}

export function createConditions(): Conditions {
  const waiting = new Set<() => void>()
  return {
    changed() {
      for (const check of [...waiting]) check()
    },
    until(holds, deadlineMs) {
      if (holds()) return Promise.resolve(true)
      return new Promise((resolve) => {
        const end = (result: boolean): void => {
          clearTimeout(timer)
          waiting.delete(check)
          resolve(result)
        }
        const check = (): void => {
          if (holds()) end(true)
        }
        const timer = setTimeout(() => end(false), deadlineMs)
        waiting.add(check)
      })
    },
  }
}
