/** What a browser makes of an answer that it opens as a document, by its Content-Type. */
export const INERT = 0
/** It may run scripts: HTML, XML and SVG. */
export const ACTIVE = 1
/** There is no type that says what it is, so that a browser may guess. */
export const UNKNOWN = 2

const SCRIPTED = /html|xml|svg|xsl|x-mixed-replace/i
const TYPE = /^[!#$%&'+.^_`|~0-9a-z-]+\/[!#$%&'+.^_`|~0-9a-z-]+\s*(?:[;,]|$)/i
/** Guessed like no type (WHATWG MIME Sniffing 7). */
const GUESSED = /^(?:unknown|application)\/unknown\b/i

/** @param value of one Content-Type field. */
export function contentKind(value: string): typeof INERT | typeof ACTIVE | typeof UNKNOWN {
  // Anywhere in it: browsers take the last type of several
  if (SCRIPTED.test(value)) return ACTIVE
  return TYPE.test(value) && !GUESSED.test(value) ? INERT : UNKNOWN
}

/** True for a stream of events (WHATWG HTML 9.2). @param value of one Content-Type field */
export function isEventStream(value: string): boolean {
  return /^\s*text\/event-stream\s*(?:;|$)/i.test(value)
}

/** The lines for an answer of this kind. One without a body has no type, and none is missed. */
export function kindFieldsOf(
  fields: readonly [inert: string, active: string, unknown: string],
  status: number,
  kind: number,
): string {
  return kind === UNKNOWN && (status === 101 || status === 204 || status === 304) ? '' : fields[kind]!
}
