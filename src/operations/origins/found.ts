/**
 * What a probe of an origin has found, as it is kept: the part `catalogue` of the origin's state, which fragments are compiled from, and
 * the part `summary`, which lists of origins show without reading catalogues.
 *
 * 1. A catalogue is bounded, whatever the probe has found.
 * 2. It is written only where it differs: the same probe twice counts no revision.
 */
import { canonicalJson } from '../../base/json/canonical.ts'
import type { Plain } from '../../base/json/storable.ts'
import { CAPABILITY_TYPES, type CapabilityType, KEY_OF } from '../../model/mcp/capability.ts'
import { CATALOGUE, type Catalogue, type CatalogueState } from '../../model/mcp/capability-drift.ts'
import type { ConfigReader } from '../../store/ports/config.ts'
import type { Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import { followCatalogue, listedIn } from '../virtual-mcps/state.ts'
import { attemptsOf, probedKeyOf } from './attempt.ts'

/** Items of one type that are kept. */
const ITEMS_MAX = 2000
/** Bytes of the JSON of one item. */
const ITEM_BYTES_MAX = 1024 ** 2
/** Of the JSON of all items. */
const CATALOGUE_BYTES_MAX = 16 * 1024 ** 2
/** Levels of an item: what goes through its members calls itself for each. */
const DEPTH_MAX = 100
/** Names of one type that the audit trail has of a change. */
const NAMED_MAX = 20

/** Name of the part that {@link CatalogueSummary} is. */
const SUMMARY = 'summary'

/** A catalogue without its items. */
export interface CatalogueSummary {
  readonly era: CatalogueState['verdict']['era']
  readonly version: string
  readonly transport: CatalogueState['verdict']['transport']
  readonly server: CatalogueState['verdict']['server']
  readonly found_at: string
  readonly counts: Readonly<Record<CapabilityType, number>>
}

/** The part of the state of an origin that fragments are compiled from; null before the first probe. */
export async function foundOf(
  reader: Pick<ConfigReader, 'statesOf'>,
  origin: string,
): Promise<CatalogueState | null> {
  const [state] = await reader.statesOf([origin], CATALOGUE)
  // Written below
  return state === undefined ? null : (JSON.parse(state.json) as CatalogueState)
}

/** Summaries of what is known of origins, by id. */
export async function summariesOf(
  reader: Pick<ConfigReader, 'statesOf'>,
  origins: readonly string[],
): Promise<ReadonlyMap<string, CatalogueSummary>> {
  const states = await reader.statesOf(origins, SUMMARY)
  // Written below
  return new Map(states.map(({ owner, json }) => [owner, JSON.parse(json) as CatalogueSummary]))
}

/** What may be kept of what a probe has found. */
export function bounded(found: CatalogueState): CatalogueState {
  const warnings = [...found.warnings]
  let bytes = 0
  const kept = (type: CapabilityType): Plain[] => {
    const items: Plain[] = []
    let left = 0
    for (const item of found.catalogue[type]) {
      const size = items.length < ITEMS_MAX && isFlat(item, DEPTH_MAX) ? bytesOf(item) : Infinity
      if (size > ITEM_BYTES_MAX || bytes + size > CATALOGUE_BYTES_MAX) {
        left++
        continue
      }
      bytes += size
      items.push(item)
    }
    if (left > 0)
      warnings.push(
        `${left} of the ${type} were left out: at most ${ITEMS_MAX} items of a type, 1 MB for an item and 16 MB for all are kept`,
      )
    return items
  }
  const catalogue: Catalogue = {
    tools: kept('tools'),
    prompts: kept('prompts'),
    resources: kept('resources'),
    resource_templates: kept('resource_templates'),
  }
  return { ...found, catalogue, warnings }
}

function bytesOf(item: Plain): number {
  return Buffer.byteLength(JSON.stringify(item))
}

function isFlat(value: unknown, levels: number): boolean {
  if (value === null || typeof value !== 'object') return true
  return levels > 0 && Object.values(value).every((member) => isFlat(member, levels - 1))
}

/** What a probe has found, with the lists that it could not read as they were before, at the same server. */
export async function withLastLists(
  { id, spec }: Resource,
  probed: CatalogueState,
  reader: Pick<ConfigReader, 'statesOf'>,
): Promise<CatalogueState> {
  const { unread = [] } = probed
  if (unread.length === 0) return probed
  const attempt = (await attemptsOf(reader, [id])).get(id)
  const before = attempt?.of === probedKeyOf(spec) ? await foundOf(reader, id) : null
  if (before === null) return probed
  const last = Object.fromEntries(unread.map((type) => [type, before.catalogue[type]]))
  return bounded({ ...probed, catalogue: { ...probed.catalogue, ...last } })
}

/** True where the two differ in more than in when they were found. */
export function differs(before: CatalogueState | null, after: CatalogueState): boolean {
  const undated = ({ verdict: { at: _at, ...verdict }, ...rest }: CatalogueState): string =>
    canonicalJson({ verdict, ...rest })
  return before === null || undated(before) !== undated(after)
}

/**
 * Keeps what a probe has found, where it differs, in the transaction of a change of the origin. Returns one sentence on what is new.
 * To be called before the attempt is kept, which tells whether what was found before is of the same server.
 * @param probed as {@link bounded} gives it
 */
export async function keepFound(
  origin: Resource,
  probed: CatalogueState,
  context: OperationContext,
): Promise<string> {
  const { change } = context
  const before = await foundOf(change.writer, origin.id)
  const given = await withLastLists(origin, probed, change.writer)
  if (!differs(before, given)) return 'The catalogue is unchanged.'
  const summary = summaryOf(given)
  await change.writer.putState(origin.id, CATALOGUE, JSON.stringify(given))
  await change.writer.putState(origin.id, SUMMARY, JSON.stringify(summary))
  const changes = changesOf(before?.catalogue ?? null, given.catalogue)
  const from = before === null ? undefined : noted(summaryOf(before))
  await change.note(origin, {
    op: from === undefined ? 'add' : 'replace',
    path: '/catalogue',
    ...(from === undefined ? {} : { from }),
    value: { ...noted(summary), ...changes },
  })
  await followCatalogue(origin.id, before && listedIn(before), listedIn(given), context)
  return sentence(summary, before === null)
}

function summaryOf({
  verdict: { era, version, transport, server, at },
  catalogue,
}: CatalogueState): CatalogueSummary {
  return { era, version, transport, server, found_at: at, counts: countsOf(catalogue) }
}

/** How many items there are of each type. */
export function countsOf({ tools, prompts, resources, resource_templates }: Catalogue) {
  return {
    tools: tools.length,
    prompts: prompts.length,
    resources: resources.length,
    resource_templates: resource_templates.length,
  }
}

/** The numbers as words, such as `2 tools, 0 prompts`. */
export function countsText(counts: CatalogueSummary['counts']): string {
  return CAPABILITY_TYPES.map((type) => `${counts[type]} ${type.replace('_', ' ')}`).join(', ')
}

function noted({ version, counts }: CatalogueSummary) {
  return { version, ...counts }
}

function sentence({ version, counts }: CatalogueSummary, isFirst: boolean): string {
  return `The catalogue ${isFirst ? 'was read' : 'has changed'}: ${countsText(counts)}, by protocol ${version}.`
}

/** Names of what was added, removed and changed, by type; the first of each. */
function changesOf(before: Catalogue | null, after: Catalogue) {
  if (before === null) return {}
  const parts = CAPABILITY_TYPES.flatMap((type) => {
    const textsOf = (catalogue: Catalogue) =>
      new Map(catalogue[type].map((item) => [String(item[KEY_OF[type]]), canonicalJson(item)]))
    const [was, is] = [textsOf(before), textsOf(after)]
    const added = [...is.keys()].filter((key) => !was.has(key))
    const removed = [...was.keys()].filter((key) => !is.has(key))
    const changed = [...is.keys()].filter((key) => was.has(key) && was.get(key) !== is.get(key))
    return Object.entries({ added, removed, changed })
      .filter(([, keys]) => keys.length > 0)
      .map(([name, keys]) => [`${type}_${name}`, keys.slice(0, NAMED_MAX)] as const)
  })
  return Object.fromEntries(parts)
}
