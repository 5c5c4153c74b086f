/**
 * Which unprefixed URIs of a virtual MCP belong to which member: whole URIs of resources, and the literal beginnings of templates.
 * A question takes a binary search for each member, because origins may list thousands of items.
 */

interface Claimed {
  /** Sorted. */
  readonly uris: string[]
  /** Sorted. None of them begins with another one, so that only the one before a URI can be its beginning. */
  readonly heads: string[]
}

export class UriClaims {
  readonly #byMember = new Map<string, Claimed>()

  /** @param uris all unprefixed URIs of resources, of any member */
  addUris(uris: readonly { readonly member: string; readonly uri: string }[]): void {
    for (const { member, uri } of uris) this.#of(member).uris.push(uri)
    for (const { uris: own } of this.#byMember.values()) own.sort()
  }

  addTemplate(member: string, template: string): void {
    const { heads } = this.#of(member)
    const head = headOf(template)
    if (beginningIn(heads, head)) return
    const at = placeIn(heads, head)
    let covered = at
    while (heads[covered]?.startsWith(head) === true) covered++
    heads.splice(at, covered - at, head)
  }

  /** True if a template of another member may stand for the URI. */
  isUriTaken(own: string, uri: string): boolean {
    return this.#isOfAnother(own, ({ heads }) => beginningIn(heads, uri))
  }

  /** True if the template and an item of another member may stand for one URI. */
  isTemplateTaken(own: string, template: string): boolean {
    const head = headOf(template)
    const follows = (texts: readonly string[]): boolean =>
      texts[placeIn(texts, head)]?.startsWith(head) === true
    return this.#isOfAnother(
      own,
      ({ uris, heads }) => follows(uris) || follows(heads) || beginningIn(heads, head),
    )
  }

  #isOfAnother(own: string, fits: (claimed: Claimed) => boolean): boolean {
    for (const [member, claimed] of this.#byMember) if (member !== own && fits(claimed)) return true
    return false
  }

  #of(member: string): Claimed {
    let claimed = this.#byMember.get(member)
    if (claimed === undefined) {
      claimed = { uris: [], heads: [] }
      this.#byMember.set(member, claimed)
    }
    return claimed
  }
}

/** The text before the first expression of a template (RFC 6570). */
function headOf(template: string): string {
  return template.split('{', 1)[0]!
}

/** True if one of the heads is a beginning of the text. */
function beginningIn(heads: readonly string[], text: string): boolean {
  const at = placeIn(heads, text)
  return heads[at] === text || (at > 0 && text.startsWith(heads[at - 1]!))
}

/** Place of the first text that is not before the given one. */
function placeIn(sorted: readonly string[], text: string): number {
  let [from, to] = [0, sorted.length]
  while (from < to) {
    const middle = (from + to) >> 1
    if (sorted[middle]! < text) from = middle + 1
    else to = middle
  }
  return from
}
