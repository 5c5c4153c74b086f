/** Clients that are known by the URL of a metadata document. Documents are bundled, kept or fetched, as the mode allows. */
import type { Clock } from '../../base/clock.ts'
import { isPlain, type Plain } from '../../base/json/storable.ts'
import type { GetJson } from '../../base/net/fetch-json.ts'
import { FetchFailure } from '../../base/net/guarded-fetch.ts'
import type { ConfigStore } from '../../store/ports/config.ts'
import { tellFew } from '../bounded-log.ts'
import type { Sealed } from './adapter.ts'
import { lenientMetadata } from './clients.ts'

/**
 * How clients are known by the URL of a metadata document: `auto` takes those that are bundled and fetches others, `on`
 * fetches all and falls back to those, `pinned-only` fetches none, `off` knows no such clients.
 */
export type DocumentMode = 'auto' | 'on' | 'off' | 'pinned-only'

const KIND = 'Document'
/** For which a document is good whose answer does not say it, and the bounds where it does. */
const FRESH_MS = 60 * 60_000
const FRESH_MIN_MS = 5 * 60_000
const FRESH_MAX_MS = 24 * 60 * 60_000
const KEPT_MS = 30 * 24 * 60 * 60_000
const DOCUMENTS_MAX = 1000
/** Characters of a URL that is asked. */
const URL_MAX = 2048

export interface ClientDocuments {
  /** The bundled document of a client, where it stands in for fetching. */
  pinned(url: string): Plain | undefined
  /** The name that a bundled or pinned document gives a client, whether or not another document was fetched. */
  nameOf(url: string): string | undefined
  /** Whether a document may be fetched at all. */
  readonly mayFetch: boolean
  /**
   * Asks for a document, or for the keys that one names. One that was fetched before is good for as long as its answer
   * said (RFC 9111), and for a month while it cannot be fetched again. Rejects with a FetchFailure.
   * @param ip of the caller that names the client
   */
  fetch(url: string, ip: string): Promise<Plain>
}

export interface ClientDocumentsParts {
  readonly store: ConfigStore
  readonly sealed: Sealed
  readonly clock: Clock
  readonly mode: DocumentMode
  /** Reaches public addresses alone. */
  readonly getJson: GetJson
  /** Counts a document that is fetched for an address: seconds that it must wait, or 0. */
  readonly waitFor: (ip: string) => Promise<number>
  /** By URL; they go before those that are bundled. */
  readonly pins: ReadonlyMap<string, Plain>
  readonly warn: (message: string) => void
}

/** Documents of clients: pinned, kept or fetched, as the mode lets them be. */
export function createClientDocuments(parts: ClientDocumentsParts): ClientDocuments {
  const { store, sealed, clock, mode, getJson, waitFor } = parts
  const warn = tellFew(clock, parts.warn)
  const known = new Map([...PINNED, ...parts.pins])
  const mayFetch = mode === 'auto' || mode === 'on'

  async function kept(url: string): Promise<{ document: Plain; isFresh: boolean } | undefined> {
    const found = await store.read.oauth.artifact(KIND, url)
    if (found === undefined || (found.expires_at ?? 0) <= clock.now()) return undefined
    const opened: unknown = JSON.parse(sealed.open(found.sealed, KIND, url))
    // Earlier versions kept the document alone
    if (!isPlain(opened) || !isPlain(opened['document'])) return undefined
    return { document: opened['document'], isFresh: Number(opened['fresh_until']) > clock.now() }
  }

  async function keep(url: string, document: Plain, freshMs: number): Promise<void> {
    const now = clock.now()
    const text = JSON.stringify({ document, fresh_until: now + freshMs })
    const artifact = {
      kind: KIND,
      id: url,
      sealed: sealed.seal(text, KIND, url),
      grant_id: null,
      other_id: null,
      account_id: null,
      created_at: now,
      expires_at: now + KEPT_MS,
      used_at: null,
    }
    await store.writeOAuth((oauth) => oauth.put(artifact, DOCUMENTS_MAX))
  }

  return {
    mayFetch,
    nameOf(url) {
      const name = known.get(url)?.['client_name']
      return typeof name === 'string' ? name : undefined
    },
    pinned: (url) => (mode === 'auto' || mode === 'pinned-only' ? known.get(url) : undefined),
    async fetch(url, ip) {
      if (!mayFetch) throw new FetchFailure('Postern fetches no metadata documents (POSTERN_CIMD)')
      if (url.length > URL_MAX) throw new FetchFailure('the URL is too long')
      const before = await kept(url)
      if (before?.isFresh === true) return before.document
      try {
        const seconds = await waitFor(ip)
        if (seconds > 0) throw new FetchFailure(`too many were fetched for ${ip}; wait ${seconds} s`)
        const { value: given, headers } = await getJson(url)
        const document = given['client_id'] === url ? lenientMetadata(given) : given
        await keep(url, document, freshnessOf(headers))
        return document
      } catch (error) {
        if (!(error instanceof FetchFailure)) throw error
        const instead = before?.document ?? known.get(url)
        if (instead !== undefined) return instead
        warn(
          `the metadata document ${url} of an OAuth client cannot be fetched: ${error.message}. Let the server reach it, or set POSTERN_CIMD=off, so that clients register instead.`,
        )
        throw error
      }
    },
  }
}

/** For how long an answer is good by what it says of itself (RFC 9111 section 5.2.2), within bounds; milliseconds. */
function freshnessOf({ 'cache-control': text = '', age = '' }: Readonly<Record<string, string>>): number {
  const directives = text
    .toLowerCase()
    .split(',')
    .map((one) => one.trim())
  if (directives.some((one) => /^no-(store|cache)\b/.test(one))) return FRESH_MIN_MS
  const maxAge = directives
    .map((one) => /^max-age="?(\d{1,12})"?$/.exec(one)?.[1])
    .find((one) => one !== undefined)
  if (maxAge === undefined) return FRESH_MS
  const left = (Number(maxAge) - (/^\d{1,12}$/.test(age) ? Number(age) : 0)) * 1000
  return Math.min(Math.max(left, FRESH_MIN_MS), FRESH_MAX_MS)
}

const program = (client_id: string, client_name: string, redirect_uris: readonly string[]): Plain => ({
  client_id,
  client_name,
  application_type: 'native',
  redirect_uris,
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
  token_endpoint_auth_method: 'none',
})

const LOOPBACK = ['http://localhost/callback', 'http://127.0.0.1/callback']

/**
 * What the metadata documents of widespread clients say of them, by their URL: a site without a way out cannot fetch
 * them, and those clients know no other way to present themselves once such documents are announced.
 */
const PINNED: ReadonlyMap<string, Plain> = new Map(
  [
    program('https://claude.ai/oauth/claude-code-client-metadata', 'Claude Code', LOOPBACK),
    program('https://vscode.dev/oauth/client-metadata.json', 'Visual Studio Code', [
      'http://127.0.0.1:33418/',
      'https://vscode.dev/redirect',
    ]),
    program('https://chatgpt.com/oauth/codex/client.json', 'Codex', LOOPBACK),
    program('https://zed.dev/oauth/client-metadata.json', 'Zed', ['http://127.0.0.1/callback']),
  ].map((document) => [String(document['client_id']), document]),
)
