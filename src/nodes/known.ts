import type { DriverName } from '../base/drivers.ts'
import type { Plain } from '../base/json/plain.ts'

/** References in the settings of nodes, by the member that holds them. They are ids in what is stored. */
export const REFERENCES = {
  credential: 'credentials',
  workflow: 'workflows',
  clients: 'clients',
  profiles: 'profiles',
  origin: 'origins',
} as const
export type Referred = (typeof REFERENCES)[keyof typeof REFERENCES]

/** An origin as far as nodes are judged by it. */
export interface KnownOrigin {
  readonly slug: string
  readonly kind: 'http' | 'collection' | 'stdio'
  /** Whose account its calls use: `user` is that of the person who calls. */
  readonly account: 'user' | 'shared'
  /** Its tools by name, with their hashes; null before its first catalogue. */
  readonly tools: ReadonlyMap<string, { readonly item: Plain; readonly hash: string }> | null
}

/** What a definition refers to beyond itself. */
export interface Known {
  has(type: Referred, ref: string): boolean
  /** Type of the credential that a reference names; undefined where it is not known. */
  credentialType(ref: string): string | undefined
  hasDriver(name: DriverName): boolean
  /** Null for an origin that is not there, or of which nothing is known. */
  origin(ref: string): KnownOrigin | null
}
