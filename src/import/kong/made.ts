import type { Plain } from '../../base/json/storable.ts'
import type { HttpMethod } from '../../model/members.ts'
import type { MadeDocument } from '../converted.ts'
import type { Keys } from './keys.ts'
import type { PluginInForce, Plugins, PluginsByName } from './plugins-in-force.ts'
import type { Report } from './report.ts'
import type { ReadRoute } from './routes.ts'

interface MadeService {
  readonly name: string
  readonly upstream: Plain | null
  readonly isOff: boolean
  readonly tags: readonly string[]
  readonly collections: Set<MadeCollection>
}

export interface MadeRoute extends ReadRoute {
  readonly source: Plain
  readonly service: MadeService
  /** In force for it, by name. */
  readonly plugins: PluginsByName
  /** Why its proxies are drafts. */
  readonly closed: Set<string>
  readonly collections: Set<MadeCollection>
}

export interface MadeCollection {
  readonly slug: string
  readonly base: string
  readonly service: MadeService
  readonly hosts: readonly string[]
  readonly spec: Plain
  readonly routes: Set<MadeRoute>
  /** Why it is a draft. */
  readonly closed: Set<string>
  readonly proxies: { readonly route: MadeRoute; readonly path: string; readonly methods: HttpMethod[] }[]
  /** Who passes the plugin acl of it; null where it has none. */
  acl: Extract<PluginInForce['effect'], { kind: 'acl' }> | null
}

/** What a conversion gathers, for the parts of it that stand in files of their own. */
export interface Making {
  readonly plugins: Plugins
  readonly report: Report
  /** Counts what is made. Refuses with document_invalid what would become too much: parts may stand in many places. */
  count(parts: number): void
  add(document: MadeDocument): void
  readonly keys: Keys
  /** Slug of the policy that a plugin becomes; its effect is a limit. */
  policy(plugin: PluginInForce): string
  /** Slug of a client of its own for a name. */
  client(name: string): string
}
