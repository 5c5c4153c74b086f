/**
 * Public URIs of resources where several members of a virtual MCP may have the same. A prefix stands where URL parsers leave it
 * as it is: before the authority of a hierarchical URI (`file:///a` is `file://<prefix>~/a`), after the scheme of any other
 * (`urn:a` is `urn:<prefix>~a`), and at the start of a text without a scheme. URI templates take it in the same place.
 *
 * Invariant: {@link fromPublicUri} undoes {@link toPublicUri}, and two prefixes never give the same text.
 */

/** The scheme with its colon, and the two slashes of an authority. */
const HEAD = /^(?:[A-Za-z][A-Za-z0-9+.-]*:(?:\/\/)?)?/
const PREFIX = /^([a-z0-9][a-z0-9-]{0,80})~/

/** @param prefix Lower-case letters, digits and hyphens, at most 81, not starting with a hyphen. */
export function toPublicUri(prefix: string, uri: string): string {
  const head = HEAD.exec(uri)![0]
  return `${head}${prefix}~${uri.slice(head.length)}`
}

/** The prefix and the URI at the member; null for a text without a prefix. Neither has to exist. */
export function fromPublicUri(uri: string): { readonly prefix: string; readonly uri: string } | null {
  const head = HEAD.exec(uri)![0]
  const found = PREFIX.exec(uri.slice(head.length))
  if (found === null) return null
  return { prefix: found[1]!, uri: head + uri.slice(head.length + found[0].length) }
}
