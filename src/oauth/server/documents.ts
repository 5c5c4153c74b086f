import type { Clock } from '../../base/clock.ts'
import type { FetchJson } from '../../base/fetch-json.ts'
import { FetchFailure } from '../../base/guarded-fetch.ts'
import { isPlain, type Plain } from '../../base/plain.ts'
import type { ConfigStore } from '../../store/ports/config.ts'
import { lenientMetadata } from './clients.ts'
import { PINNED } from './pinned-documents.ts'
import type { Sealed } from './sealed.ts'

/**
 * How clients are known by the URL of a metadata document: `auto` takes those that are bundled and fetches others, `on`
 * fetches all and falls back to those, `pinned-only` fetches none, `off` knows no such clients.
 */
export type DocumentMode = 'auto' | 'on' | 'off' | 'pinned-only'

const KIND = 'Document'
const FRESH_MS = 60 * 60_000
const KEPT_MS = 30 * 24 * 60 * 60_000
const DOCUMENTS_MAX = 1000

export interface ClientDocuments {
  /** The bundled document of a client, where it stands in for fetching. */
  pinned(url: string): Plain | undefined
  /** Whether a document may be fetched at all. */
  readonly mayFetch: boolean
  /**
   * Asks for a document, or for the keys that one names. One that was fetched before is good for an hour, and for a
   * month while it cannot be fetched again. Rejects with a FetchFailure.
   */
  fetch(url: string): Promise<Plain>
}

export interface ClientDocumentsParts {
  readonly store: ConfigStore
  readonly sealed: Sealed
  readonly clock: Clock
  readonly mode: DocumentMode
  /** Reaches public addresses alone. */
  readonly fetchJson: FetchJson
  readonly warn: (message: string) => void
}

export function createClientDocuments(parts: ClientDocumentsParts): ClientDocuments {
  const { store, sealed, clock, mode, fetchJson, warn } = parts
  const mayFetch = mode === 'auto' || mode === 'on'

  async function kept(url: string): Promise<{ document: Plain; isFresh: boolean } | undefined> {
    const found = await store.read.oauth.artifact(KIND, url)
    if (found === undefined || (found.expires_at ?? 0) <= clock.now()) return undefined
    const document: unknown = JSON.parse(sealed.open(found.sealed, KIND, url))
    if (!isPlain(document)) return undefined
    return { document, isFresh: found.created_at + FRESH_MS > clock.now() }
  }

  async function keep(url: string, document: Plain): Promise<void> {
    const now = clock.now()
    const artifact = {
      kind: KIND,
      id: url,
      sealed: sealed.seal(JSON.stringify(document), KIND, url),
      grant_id: null,
      other_id: null,
      account_id: null,
      created_at: now,
      expires_at: now + KEPT_MS,
      used_at: null,
    }
    await store.write(({ oauth }) => oauth.put(artifact, DOCUMENTS_MAX))
  }

  return {
    mayFetch,
    pinned: (url) => (mode === 'auto' || mode === 'pinned-only' ? PINNED.get(url) : undefined),
    async fetch(url) {
      if (!mayFetch) throw new FetchFailure('nothing is fetched here')
      const before = await kept(url)
      if (before?.isFresh === true) return before.document
      try {
        const given = await fetchJson({ url, form: null, authorization: '' })
        const document = given['client_id'] === url ? lenientMetadata(given) : given
        await keep(url, document)
        return document
      } catch (error) {
        if (!(error instanceof FetchFailure)) throw error
        const instead = before?.document ?? PINNED.get(url)
        if (instead !== undefined) return instead
        warn(
          `the metadata document ${url} of an OAuth client cannot be fetched: ${error.message}. Let the server reach it, or set POSTERN_CIMD=off, so that clients register instead.`,
        )
        throw error
      }
    },
  }
}
