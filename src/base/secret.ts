import { inspect } from 'node:util'

/**
 * A value that must not be printed. It shows as `[secret]` in templates, JSON, logs and inspection; only
 * {@link Secret.reveal} gives the text, so that every use can be found by its name.
 */
export class Secret {
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  /** The text itself. Callers hand it to a cipher or to an upstream, never to a log, error or record. */
  reveal(): string {
    return this.#text
  }

  toString(): string {
    return '[secret]'
  }

  toJSON(): string {
    return '[secret]'
  }

  [inspect.custom](): string {
    return '[secret]'
  }
}
