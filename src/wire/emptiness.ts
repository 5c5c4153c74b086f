/** Waiting until the last connection of an engine is gone. */
export class Emptiness {
  #onEmpty: (() => void) | null = null

  /** Resolves at once when `isEmpty`, else when {@link reached} is called, or after `deadlineMs`. */
  wait(isEmpty: boolean, deadlineMs: number): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer)
        this.#onEmpty = null
        resolve()
      }
      const timer = setTimeout(end, deadlineMs)
      this.#onEmpty = end
      if (isEmpty) end()
    })
  }

  reached(): void {
    this.#onEmpty?.()
  }
}
