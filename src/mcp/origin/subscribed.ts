/** The resources to which one session at an origin of an earlier revision has subscribed. */

/** The resources that one session at an origin of an earlier revision subscribes to, each once. */
export class Subscribed {
  readonly #uris = new Set<string>()

  /** The next step towards what is wanted, which counts as done; null when there is none. */
  next(wanted: ReadonlySet<string>): { readonly method: string; readonly uri: string } | null {
    for (const uri of this.#uris)
      if (!wanted.has(uri)) {
        this.#uris.delete(uri)
        return { method: 'resources/unsubscribe', uri }
      }
    for (const uri of wanted)
      if (!this.#uris.has(uri)) {
        this.#uris.add(uri)
        return { method: 'resources/subscribe', uri }
      }
    return null
  }
}
