/** Entries without a place are kept up to here: most holders come back. */
const KNOWN_MAX = 1024

/**
 * A fixed number of places that holders share. One holder takes at most as many as then remain free (dynamic thresholds,
 * Choudhury and Hahne 1998): a single holder gets half of the places, two get a third each, and the next holder always finds one.
 */
export class PoolShare {
  readonly #places: number
  readonly #countByHolder = new Map<string, number>()
  #taken = 0

  constructor(places: number) {
    this.#places = places
  }

  /** Places that are taken. */
  get taken(): number {
    return this.#taken
  }

  /** @param holder empty for the gateway itself, which may take every place. */
  mayTake(holder: string): boolean {
    const free = this.#places - this.#taken
    return holder === '' ? free > 0 : (this.#countByHolder.get(holder) ?? 0) < free
  }

  take(holder: string): void {
    this.#taken++
    if (holder !== '') this.#countByHolder.set(holder, (this.#countByHolder.get(holder) ?? 0) + 1)
  }

  give(holder: string): void {
    this.#taken--
    if (holder === '') return
    this.#countByHolder.set(holder, this.#countByHolder.get(holder)! - 1)
    if (this.#countByHolder.size <= KNOWN_MAX) return
    for (const [one, count] of this.#countByHolder) if (count === 0) this.#countByHolder.delete(one)
  }
}

/** Work that waits for a place, with the time until which it does. Holders get their turns one after the other. */
export class WaitingLine<User extends { readonly holder: string }> {
  readonly #share: PoolShare
  /** All of them, the one that gives up first coming first. */
  readonly #until = new Map<User, number>()
  /** By holder; the first holder has waited longest for its turn. */
  readonly #lines = new Map<string, Set<User>>()

  /** @param places requests that wait at once; see {@link PoolShare} for how many of one holder. */
  constructor(places: number) {
    this.#share = new PoolShare(places)
  }

  get size(): number {
    return this.#until.size
  }

  /** How many of one holder wait. */
  sizeOf(holder: string): number {
    return this.#lines.get(holder)?.size ?? 0
  }

  /** False when there is no place for it. */
  add(user: User, until: number): boolean {
    if (!this.#share.mayTake(user.holder)) return false
    this.#share.take(user.holder)
    this.#until.set(user, until)
    const line = this.#lines.get(user.holder)
    if (line === undefined) this.#lines.set(user.holder, new Set([user]))
    else line.add(user)
    return true
  }

  delete(user: User): void {
    if (!this.#until.delete(user)) return
    this.#share.give(user.holder)
    const line = this.#lines.get(user.holder)!
    line.delete(user)
    if (line.size === 0) this.#lines.delete(user.holder)
  }

  /** Takes out the one whose turn it is of those whose holders may take a place of `share`, if that is given; null when there is none. */
  next(share?: PoolShare): User | null {
    for (const [holder, line] of this.#lines) {
      if (share?.mayTake(holder) === false) continue
      const user = line.values().next().value!
      this.delete(user)
      if (line.size > 0) {
        this.#lines.delete(holder)
        this.#lines.set(holder, line)
      }
      return user
    }
    return null
  }

  /** Takes out those that have waited until `now`; gives when the next one has, Infinity for none. */
  expire(now: number, expired: (user: User) => void): number {
    for (const [user, until] of this.#until) {
      if (until > now) return until
      this.delete(user)
      expired(user)
    }
    return Infinity
  }

  clear(): void {
    for (const user of [...this.#until.keys()]) this.delete(user)
  }
}
