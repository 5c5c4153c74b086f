/**
 * Names that a lenient reader takes for each other. Some JSON readers ignore the case of member names, normalize them, or end them at
 * NUL. Such a reader takes `Name`, `\uff4e\uff41\uff4d\uff45` and `name\u0000` for `name`, and finds a value that nothing has judged.
 */

/** Names of this form fold to themselves. */
const PLAIN = /^[a-z0-9_$./-]*$/
/** Characters that no reader sees: controls, zero-width characters and the like. */
const INVISIBLE = /[\p{Cc}\p{Default_Ignorable_Code_Point}]/gu

/** The form that all spellings of a name share. Takes steps in proportion to the length of the name. */
export function foldName(name: string): string {
  if (PLAIN.test(name)) return name
  const nul = name.indexOf('\0')
  const read = nul === -1 ? name : name.slice(0, nul)
  // In lower case first: the capital sharp s is its own upper case, while the small one becomes SS
  return read
    .normalize('NFKC')
    .replace(INVISIBLE, '')
    .toLowerCase()
    .toUpperCase()
    .toLowerCase()
    .normalize('NFKC')
}

/** A set of declared names that finds other spellings of them. */
export class FoldedNames {
  readonly #names: ReadonlySet<string>
  readonly #byFold: ReadonlyMap<string, string>

  constructor(names: Iterable<string>) {
    this.#names = new Set(names)
    this.#byFold = new Map([...this.#names].map((name) => [foldName(name), name]))
  }

  get size(): number {
    return this.#names.size
  }

  has(name: string): boolean {
    return this.#names.has(name)
  }

  /** The declared name that `name` is another spelling of; null for a declared name, and for one that is unlike all of them. */
  declaredFor(name: string): string | null {
    if (this.#names.has(name)) return null
    return this.#byFold.get(foldName(name)) ?? null
  }

  /** The first member of an object that is another spelling of a declared name; null without one. */
  misspelt(members: object): { readonly given: string; readonly declared: string } | null {
    for (const given in members) {
      const declared = this.declaredFor(given)
      if (declared !== null) return { given, declared }
    }
    return null
  }
}

/** A member name as an error shows it. */
export function shownName(name: string): string {
  return JSON.stringify(name.slice(0, 64).toWellFormed()).replace(
    /[^ -~]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
