/** Start cannot go on. The message is the one sentence that the operator reads, and it names the fix. */
export class CannotStart extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'CannotStart'
  }
}
