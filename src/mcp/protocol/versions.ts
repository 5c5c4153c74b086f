/** The revisions of the protocol that Postern serves. */

/** Revisions that open with `initialize`, newest first. */
export const LEGACY_VERSIONS = ['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05'] as const

/** Revisions in which every request says all about itself, newest first. */
export const MODERN_VERSIONS = ['2026-07-28'] as const

/** What a refused client may choose from. */
export const SERVED_VERSIONS: readonly string[] = [...MODERN_VERSIONS, ...LEGACY_VERSIONS]

/** Assumed when a legacy client sends no version header (2025-11-25, basic/transports). */
export const ASSUMED_VERSION = '2025-03-26'

/** The only revision with JSON-RPC batches. */
export const BATCH_VERSION = '2025-03-26'

/** Revisions with a handshake in which servers put questions to a person (client/elicitation). */
export const ASKING_VERSIONS: ReadonlySet<string> = new Set(['2025-06-18', '2025-11-25'])

const legacy: ReadonlySet<string> = new Set(LEGACY_VERSIONS)
const modern: ReadonlySet<string> = new Set(MODERN_VERSIONS)

/** True for a served revision that opens with `initialize`. */
export function isLegacyVersion(version: string): boolean {
  return legacy.has(version)
}

/** True for a served revision without a handshake. */
export function isModernVersion(version: string): boolean {
  return modern.has(version)
}
